"""How a job ended, as Prometheus learns it: succeeded, failed, interrupted, or refusing its configuration."""

import re
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.kinds import Kind, canonical_name
from mlops_config.retrying import Retries
from mlops_config.runtime.context import Configs, JobContext
from mlops_config.runtime.metrics import jobs
from mlops_config.runtime.metrics.jobs import job_metrics, report_integrity_failure
from mlops_config.runtime.opening import Request
from tests.contract.documents import COMPLETE
from tests.runtime.metrics.configs import metrics
from tests.services.processes import free_port


class Console:
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def context_in(root, config=None):
    """A context with all that the metrics look at."""
    return JobContext(
        bundle=None,
        files=(),
        configs=Configs(None, None, config or metrics(), None),
        provenance=None,
        root=root,
        scratch=root,
        job_id="0" * 16,
        now=datetime(2026, 11, 20, tzinfo=UTC),
        console=Console(),
        registry=None,
        ledger=None,
    )


def clock(*times):
    return iter(times).__next__


def exported(root, job="monitoring"):
    """Value by series suffix."""
    path = root / ".mlops-config" / "metrics" / f"city-taxi_trip-fare_dev_{job}-run.prom"
    found = re.findall(r"^mlops_(\w+)\{.*mlops_job=\"(\w+)\".*\} (.+)$", path.read_text(), re.MULTILINE)
    assert {name for _, name, _ in found} == {job}
    return {suffix: float(value) for suffix, _, value in found}


def test_a_job_that_succeeded(tmp_path):
    with job_metrics(context_in(tmp_path), "monitoring", clock=clock(100.0, 130.5)):
        pass

    assert exported(tmp_path) == {
        "job_last_success_timestamp_seconds": 130.5,
        "job_last_run_timestamp_seconds": 130.5,
        "job_duration_seconds": 30.5,
        "job_failed": 0.0,
        "config_integrity_failed": 0.0,
    }


@pytest.mark.parametrize("error", [ServiceError("the store is away"), KeyboardInterrupt(), SystemExit(1)])
def test_a_job_that_failed_keeps_the_time_of_its_last_success(tmp_path, error):
    with job_metrics(context_in(tmp_path), "monitoring", clock=clock(100.0, 130.5)):
        pass

    with (
        pytest.raises(type(error)) as caught,
        job_metrics(context_in(tmp_path), "monitoring", clock=clock(200.0, 201.0)),
    ):
        raise error

    assert caught.value is error
    assert exported(tmp_path) == {
        "job_last_success_timestamp_seconds": 130.5,
        "job_last_run_timestamp_seconds": 201.0,
        "job_duration_seconds": 1.0,
        "job_failed": 1.0,
        "config_integrity_failed": 0.0,
    }


def test_a_job_that_never_succeeded_has_no_time_of_success(tmp_path):
    with pytest.raises(IntegrityError), job_metrics(context_in(tmp_path), "training", clock=clock(1.0, 2.0)):
        raise IntegrityError("the model is not what its digest says")

    found = exported(tmp_path, "training")
    assert "job_last_success_timestamp_seconds" not in found
    assert found["config_integrity_failed"] == 1.0


def test_the_next_success_ends_an_integrity_failure(tmp_path):
    with pytest.raises(IntegrityError), job_metrics(context_in(tmp_path), "monitoring"):
        raise IntegrityError("changed")

    with job_metrics(context_in(tmp_path), "monitoring"):
        pass

    assert exported(tmp_path)["config_integrity_failed"] == 0.0


def test_a_clock_that_goes_back_gives_no_negative_time(tmp_path):
    with job_metrics(context_in(tmp_path), "monitoring", clock=clock(100.0, 90.0)):
        pass

    assert exported(tmp_path)["job_duration_seconds"] == 0.0


@pytest.fixture
def no_gateway(monkeypatch):
    """A push gateway that is away, and no waiting for it."""
    monkeypatch.setenv("MLOPS_PUSHGATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(jobs, "RETRIES", Retries(tries=2, sleep=lambda _seconds: None))
    return metrics(transport="pushgateway")


def test_a_failed_export_does_not_fail_the_job(tmp_path, no_gateway):
    context = context_in(tmp_path, no_gateway)

    with job_metrics(context, "monitoring"):
        pass

    [line] = context.console.lines
    assert line.startswith("the metrics of monitoring were not exported: pushing the metrics")


def test_a_failed_export_fails_the_job_that_requires_it(tmp_path, no_gateway):
    with (
        pytest.raises(ServiceError, match="pushing the metrics of monitoring"),
        job_metrics(context_in(tmp_path, no_gateway), "monitoring", required=True),
    ):
        pass


def test_a_job_that_failed_keeps_its_own_error_when_the_export_fails_too(tmp_path, no_gateway):
    context = context_in(tmp_path, no_gateway)

    with pytest.raises(ValueError, match="its own"), job_metrics(context, "monitoring", required=True):
        raise ValueError("its own")

    assert len(context.console.lines) == 1


def test_an_interrupted_job_tries_the_gateway_once(tmp_path, no_gateway):
    context = context_in(tmp_path, no_gateway)

    with pytest.raises(KeyboardInterrupt), job_metrics(context, "monitoring"):
        raise KeyboardInterrupt

    [line] = context.console.lines
    assert "(tried once)" in line


def test_pushed_series_of_a_failed_run_keep_the_last_success(tmp_path, pushgateway, monkeypatch):
    monkeypatch.setenv("MLOPS_PUSHGATEWAY_URL", pushgateway.url)
    context = context_in(tmp_path, metrics(transport="pushgateway"))

    with job_metrics(context, "monitoring", clock=clock(100.0, 130.5)):
        pass
    with pytest.raises(ValueError, match="no"), job_metrics(context, "monitoring", clock=clock(200.0, 201.0)):
        raise ValueError("no")

    lines = [line for line in pushgateway.exposed().splitlines() if line.startswith("mlops_job_last")]
    assert {line.split("{")[0]: float(line.split(" ")[-1]) for line in lines} == {
        "mlops_job_last_run_timestamp_seconds": 201.0,
        "mlops_job_last_success_timestamp_seconds": 130.5,
    }
    assert all('job="monitoring-run"' in line for line in lines)


def copied_files(folder, environment="dev"):
    folder.mkdir(parents=True)
    for kind in Kind:
        shutil.copy(COMPLETE / environment / canonical_name(environment, kind), folder)
    return folder / canonical_name(environment, Kind.TRAINING)


def test_a_refused_configuration_is_reported_under_its_own_names(tmp_path):
    file = copied_files(tmp_path / "configs" / "dev")

    report_integrity_failure("training", Request(config=file, root=tmp_path), clock=clock(50.0))

    found = exported(tmp_path, "training")
    assert found["config_integrity_failed"] == found["job_failed"] == 1.0
    assert found["job_last_run_timestamp_seconds"] == 50.0


@pytest.mark.parametrize("way", ["environment", "image"])
def test_the_files_are_found_the_way_the_job_found_them(tmp_path, monkeypatch, way):
    if way == "image":
        copied_files(tmp_path / "app")
        monkeypatch.setenv("MLOPS_CONFIG_DIR", str(tmp_path / "app"))
        request = Request(root=tmp_path)
    else:
        copied_files(tmp_path / "settings" / "dev")
        (tmp_path / "mlops-config.yaml").write_text("schema_version: 1\nconfig_dir: settings\n")
        request = Request(environment="dev", root=tmp_path)

    report_integrity_failure("training", request)

    assert exported(tmp_path, "training")["config_integrity_failed"] == 1.0


@pytest.mark.parametrize(
    "content", [b"", b"kind: monitoring\n", b"\xff\xfe\x00", b"metrics: &a [*a]\n", b"[" * 1000]
)
def test_a_file_that_cannot_be_read_is_said_not_to_be(tmp_path, content):
    file = tmp_path / "dev_monitoring_config.yaml"
    file.write_bytes(content)
    console = Console()

    report_integrity_failure("training", Request(config=file, root=tmp_path), console)

    assert console.lines == [
        "that training refused its configuration was not exported: no monitoring file can be read"
    ]


def test_a_request_that_names_nothing_is_said_not_to_be_exported(tmp_path, caplog):
    report_integrity_failure("training", SimpleNamespace(config=None, environment=None, root=tmp_path))

    assert "was not exported" in caplog.text
