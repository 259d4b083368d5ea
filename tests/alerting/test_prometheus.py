"""A real Prometheus with the generated rules: what jobs export becomes an alert, and the alert ends."""

import pytest
import requests
from prometheus_client import CollectorRegistry, start_http_server

from mlops_config.alerting.generating import generate
from mlops_config.alerting.series import DRIFT_SHARE, INTEGRITY_FAILED, SIGNAL_CONFIRMED
from mlops_config.kinds import Kind
from mlops_config.runtime.metrics.export import Sample, export
from mlops_config.runtime.metrics.textfile import TextFiles
from tests.alerting.environments import with_changes, write
from tests.services.prometheus import running_prometheus
from tests.services.waiting import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
def served_files(tmp_path):
    """A folder of text files, and the address that exposes it."""
    registry = CollectorRegistry()
    registry.register(TextFiles(tmp_path / "metrics"))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield tmp_path / "metrics", f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_jobs_export_fires_the_alerts_of_their_environment(tmp_path, pushgateway, served_files):
    folder, address = served_files
    integrity = {"name": "files-changed", "signal": "integrity", "severity": "page"}
    pushing = with_changes("dev", (Kind.MONITORING, ("metrics",), {"transport": "pushgateway"}))
    writing = with_changes(
        "staging",
        (Kind.MONITORING, ("alerts",), [integrity]),
        (Kind.MONITORING, ("metrics",), {"transport": "textfile", "labels": {"team": "{{ fares }}"}}),
    )
    for configs in (pushing, writing):
        write(tmp_path, generate(configs))
    gateway = pushgateway.url.removeprefix("http://")
    targets = [
        {"job_name": "jobs", "honor_labels": True, "static_configs": [{"targets": [gateway]}]},
        {"job_name": "node", "static_configs": [{"targets": [address]}]},
    ]

    def drift(share):
        export(
            [Sample(DRIFT_SHARE, share), Sample(SIGNAL_CONFIRMED, float(share > 0.5), {"signal": "drift"})],
            pushing.monitoring,
            directory=folder,
            pushgateway_url=pushgateway.url,
            job="monitoring",
        )

    drift(0.9)
    export(
        [Sample(INTEGRITY_FAILED, 1.0, {"mlops_job": "training"})],
        writing.monitoring,
        directory=folder,
        pushgateway_url=None,
        job="training-run",
    )

    with running_prometheus(
        tmp_path, targets=targets, rules=sorted(tmp_path.glob("*.rules.yaml"))
    ) as address:

        def alerts():
            found = requests.get(f"{address}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
            return {
                (each["labels"]["environment"], each["labels"]["alertname"]): each
                for each in found
                if each["state"] == "firing"
            }

        drifting = eventually(lambda: alerts().get(("dev", "fare-drift")), otherwise=alerts)
        changed = eventually(lambda: alerts().get(("staging", "files-changed")), otherwise=alerts)
        drift(0.1)
        eventually(lambda: ("dev", "fare-drift") not in alerts(), otherwise=alerts)
        assert ("staging", "files-changed") in alerts()

    assert drifting["labels"] == {
        "alertname": "fare-drift",
        "project": "city-taxi",
        "model": "trip-fare",
        "environment": "dev",
        "severity": "ticket",
        "signal": "drift",
    }
    assert drifting["annotations"]["description"].startswith("The share of features that drift is 0.9; ")
    assert changed["labels"]["severity"] == "page"
    assert changed["labels"]["team"] == "{{ fares }}"
