"""The server's own time series, as Prometheus scrapes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.alerting import series
from mlops_config.alerting.series import Series
from mlops_config.runtime.metrics.textfile import TextFiles

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_FASTEST_SECONDS = 0.0005
_BUCKETS = 15


class Telemetry:
    """Counts what is asked and answered, under ``namespace`` and with the labels of every series of ours.

    ``latencies_ms`` are the latencies that somebody watches for: the objective, and alerts' own thresholds.
    ``jobs`` is the folder with the jobs' text files, where Prometheus is to find their series here too.
    """

    def __init__(
        self,
        namespace: str,
        labels: Mapping[str, str],
        *,
        latencies_ms: Sequence[float],
        model_version: int,
        config_digest: str,
        jobs: Path | None = None,
    ) -> None:
        from prometheus_client import CollectorRegistry, disable_created_metrics

        # Each counter would be told twice over, with the time of its making as a series of its own.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._namespace = namespace
        self._labels = dict(labels)
        requests: Counter = self._counter(series.REQUESTS)
        self._requests = requests
        self._by_code: dict[int, Counter] = {}
        self.count(200, 0)
        self.seconds: Histogram = self._histogram(
            series.REQUEST_SECONDS, [each / 1000 for each in latencies_ms]
        )
        self.predicted = self._counter(series.ROWS_PREDICTED).labels(**self._labels)
        self.refused = self._counter(series.ROWS_REFUSED).labels(**self._labels)
        self.dropped = self._counter(series.CAPTURE_DROPPED).labels(**self._labels)
        self.in_flight = self._gauge(series.IN_FLIGHT).labels(**self._labels)
        self._gauge(series.SERVING_INFO).labels(
            **self._labels, model_version=str(model_version), config_digest=config_digest
        ).set(1)
        if jobs is not None:
            self._registry.register(TextFiles(jobs))

    def count(self, code: int, requests: int = 1) -> None:
        """Counts requests answered with this status."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._requests.labels(**self._labels, code=str(code))
            self._by_code[code] = counter
        counter.inc(requests)

    def text(self) -> bytes:
        """Everything in the text exposition format 0.0.4."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def _counter(self, one: Series) -> "Counter":
        from prometheus_client import Counter

        return Counter(one.name(self._namespace), one.help, self._label_names(one), registry=self._registry)

    def _gauge(self, one: Series) -> "Gauge":
        from prometheus_client import Gauge

        return Gauge(one.name(self._namespace), one.help, self._label_names(one), registry=self._registry)

    def _histogram(self, one: Series, thresholds_seconds: Sequence[float]) -> "Histogram":
        from prometheus_client import Histogram

        histogram = Histogram(
            one.name(self._namespace),
            one.help,
            self._label_names(one),
            registry=self._registry,
            buckets=buckets(thresholds_seconds),
        )
        return histogram.labels(**self._labels)

    def _label_names(self, one: Series) -> tuple[str, ...]:
        return (*self._labels, *one.labels)


def buckets(thresholds_seconds: Sequence[float]) -> tuple[float, ...]:
    """Upper bounds from half a millisecond, each twice the one before; the thresholds are among them.

    A quantile is exact only at a bound, and an alert asks for the quantile at its threshold. A quantile is
    never told to be beyond the last bound, and an alert there could not fire: so bounds go on to four times
    the largest threshold where the doubled ones end before that.
    """
    doubled = [_FASTEST_SECONDS * 2**step for step in range(_BUCKETS)]
    largest = max(thresholds_seconds)
    beyond = (bound for bound in (2 * largest, 4 * largest) if bound > doubled[-1])
    return tuple(sorted({*doubled, *thresholds_seconds, *beyond}))
