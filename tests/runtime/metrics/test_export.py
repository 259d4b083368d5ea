"""Series written to a folder or pushed to a gateway: what stays, what goes, and what when it cannot."""

import os
import threading

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mlops_config.alerting.series import DRIFT_SHARE, JOB_SUCCESS, PERFORMANCE, QUALITY_VIOLATIONS
from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import Retries
from mlops_config.runtime.metrics.export import Destination, Sample, destination, export
from mlops_config.runtime.metrics.pushgateway import push
from mlops_config.runtime.metrics.textfile import TextFiles, path_of
from tests.runtime.metrics.configs import metrics
from tests.services.flaky_proxy import ALWAYS, Answer, Drop, flaky_proxy
from tests.services.processes import free_port
from tests.services.prometheus import promtool

SHARE = Sample(DRIFT_SHARE, 0.25)
VIOLATIONS = Sample(QUALITY_VIOLATIONS, 3)
QUICK = Retries(tries=3, sleep=lambda _seconds: None)


def to_folder(folder, samples, config=None, job="monitoring", **options):
    config = config or metrics()
    export(samples, config, directory=folder, pushgateway_url=None, job=job, **options)
    return path_of(folder, config, job)


def names(text):
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[:1] not in ("#", "")}


def test_a_text_file_is_named_after_model_environment_and_job(tmp_path):
    path = to_folder(tmp_path / "metrics", [SHARE])

    assert path == tmp_path / "metrics" / "city-taxi_trip-fare_dev_monitoring.prom"
    assert names(path.read_text()) == {"mlops_drift_share_fraction"}


def test_everyone_may_read_a_text_file(tmp_path):
    before = os.umask(0o077)
    try:
        path = to_folder(tmp_path, [SHARE])
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o644


def test_what_a_job_no_longer_exports_is_gone(tmp_path):
    to_folder(tmp_path, [SHARE, VIOLATIONS])

    path = to_folder(tmp_path, [SHARE])

    assert names(path.read_text()) == {"mlops_drift_share_fraction"}


def test_families_of_other_names_stay_when_asked(tmp_path):
    to_folder(tmp_path, [SHARE, VIOLATIONS])

    path = to_folder(tmp_path, [Sample(DRIFT_SHARE, 0.5)], replace="families")

    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert [line.split(" ")[-1] for line in lines] == ["3.0", "0.5"]


def test_a_broken_text_file_is_replaced(tmp_path):
    path = to_folder(tmp_path, [VIOLATIONS])
    path.write_text("half a li")

    to_folder(tmp_path, [SHARE], replace="families")

    assert names(path.read_text()) == {"mlops_drift_share_fraction"}


def test_other_jobs_and_environments_keep_theirs(tmp_path):
    training = to_folder(tmp_path, [VIOLATIONS], job="training")

    to_folder(tmp_path, [SHARE])

    assert names(training.read_text()) == {"mlops_quality_violations"}


def test_a_folder_that_may_not_be_written_is_a_service_failure(tmp_path):
    (tmp_path / "metrics").write_text("a file")

    with pytest.raises(ServiceError, match="metrics"):
        to_folder(tmp_path / "metrics", [SHARE])


def test_a_refused_sample_leaves_the_old_file(tmp_path):
    path = to_folder(tmp_path, [SHARE])
    old = path.read_bytes()

    with pytest.raises(ValueError, match="two samples"):
        to_folder(tmp_path, [VIOLATIONS, VIOLATIONS])

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_promtool_finds_no_fault_with_a_text_file(tmp_path):
    hostile = Sample(PERFORMANCE, 1.5, {"metric": 'a"b\\c\nd'})
    path = to_folder(tmp_path, [SHARE, hostile])

    checked = promtool("check", "metrics", stdin=path.read_text())

    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_server_exposes_the_files_of_all_jobs_each_family_once(tmp_path):
    def success(job, value):
        return [Sample(JOB_SUCCESS, value, {"mlops_job": job})]

    to_folder(tmp_path, success("training", 5), job="training-run")
    to_folder(tmp_path, success("monitoring", 7), job="monitoring-run")
    (tmp_path / "half.prom").write_text("half a li")
    registry = CollectorRegistry()
    registry.register(TextFiles(tmp_path))

    text = generate_latest(registry).decode()

    assert text.count("# TYPE") == 1
    assert 'mlops_job="monitoring",model="trip-fare",project="city-taxi"} 7.0\n' in text
    assert 'mlops_job="training",model="trip-fare",project="city-taxi"} 5.0\n' in text


def test_a_server_exposes_what_is_written_after_it_started(tmp_path):
    registry = CollectorRegistry()
    registry.register(TextFiles(tmp_path / "metrics"))
    assert generate_latest(registry) == b""

    to_folder(tmp_path / "metrics", [SHARE])

    assert names(generate_latest(registry).decode()) == {"mlops_drift_share_fraction"}


def test_readers_never_see_half_a_file(tmp_path):
    path = to_folder(tmp_path, [SHARE])
    sizes, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            sizes.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        expected = set()
        for number in range(60):
            samples = [SHARE, *(Sample(PERFORMANCE, 1, {"metric": f"m{n}"}) for n in range(number % 3 * 200))]
            to_folder(tmp_path, samples)
            expected.add(path.stat().st_size)
    finally:
        stop.set()
        reader.join()
    assert sizes <= expected


PUSHED = {"namespace": "fares", "transport": "pushgateway"}


def to_gateway(url, samples, job="monitoring", **options):
    export(
        samples,
        metrics(**PUSHED),
        directory=None,
        pushgateway_url=url,
        job=job,
        **{"retries": QUICK, **options},
    )


def exposed(gateway):
    return {name for name in names(gateway.exposed()) if name.startswith("fares_")}


def test_a_push_is_grouped_by_job_and_model(pushgateway):
    to_gateway(pushgateway.url, [SHARE])

    assert (
        'fares_drift_share_fraction{environment="dev",instance="",job="monitoring",model="trip-fare",'
        'project="city-taxi"} 0.25\n'
    ) in pushgateway.exposed()


def test_a_push_replaces_the_jobs_group_and_no_other(pushgateway):
    to_gateway(pushgateway.url, [SHARE, VIOLATIONS])
    to_gateway(pushgateway.url, [Sample(JOB_SUCCESS, 5, {"mlops_job": "training"})], job="training")

    to_gateway(pushgateway.url, [SHARE])

    assert exposed(pushgateway) == {"fares_drift_share_fraction", "fares_job_last_success_timestamp_seconds"}


def test_a_push_of_families_leaves_the_groups_others(pushgateway):
    to_gateway(pushgateway.url, [SHARE, VIOLATIONS])

    to_gateway(pushgateway.url, [Sample(DRIFT_SHARE, 0.5)], replace="families")

    assert exposed(pushgateway) == {"fares_drift_share_fraction", "fares_quality_violations"}
    assert 'project="city-taxi"} 0.5\n' in pushgateway.exposed()


@pytest.mark.parametrize("fault", [Answer(503), Drop(), Drop(delivered=True)])
def test_a_push_is_tried_again(pushgateway, fault):
    with flaky_proxy(pushgateway.url.removeprefix("http://")) as proxy:
        proxy.fail(fault, times=2)

        to_gateway(f"http://{proxy.host}/", [SHARE], replace="families")

        assert len(proxy.requests) == 3
    assert exposed(pushgateway) == {"fares_drift_share_fraction"}


def test_a_push_ends_after_so_many_tries(pushgateway):
    with flaky_proxy(pushgateway.url.removeprefix("http://")) as proxy:
        proxy.fail(Answer(503), times=ALWAYS)

        with pytest.raises(ServiceError, match=r"pushing the metrics of monitoring to .* failed: .*3 times"):
            to_gateway(f"http://{proxy.host}", [SHARE])

        assert len(proxy.requests) == 3


def test_a_gateway_that_is_not_there_is_a_service_failure():
    with pytest.raises(ServiceError, match="pushing the metrics of monitoring") as caught:
        to_gateway(f"http://127.0.0.1:{free_port()}", [SHARE])

    assert caught.value.exit_code == 3


def test_a_gateway_that_refuses_is_asked_once(pushgateway):
    with flaky_proxy(pushgateway.url.removeprefix("http://")) as proxy:
        with pytest.raises(ServiceError, match="refused the metrics of monitoring: 400"):
            push(f"http://{proxy.host}", "no metrics at all\n", {"job": "monitoring"}, replace="group")

        assert len(proxy.requests) == 1


def test_credentials_of_the_address_are_sent_and_never_shown(pushgateway):
    with flaky_proxy(pushgateway.url.removeprefix("http://")) as proxy:
        to_gateway(f"http://ada:p%40ss@{proxy.host}", [SHARE])
        proxy.fail(Answer(401), times=1)
        with pytest.raises(ServiceError) as caught:
            to_gateway(f"http://ada:p%40ss@{proxy.host}", [SHARE])

        assert len(proxy.authorized) == 2
    assert "ada" not in caught.value.message
    assert "p%40ss" not in caught.value.message


@pytest.mark.parametrize("url", ["pushgateway:9091", "ftp://host", "http://", "http://ada:secret@host?x=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="is not an address") as caught:
        to_gateway(url, [SHARE])

    assert "secret" not in str(caught.value)


def test_no_address_at_all_is_refused():
    with pytest.raises(UsageError, match="no push gateway is named"):
        to_gateway(None, [SHARE])


def test_the_environment_says_where_series_go(tmp_path, monkeypatch):
    assert destination(tmp_path) == Destination(tmp_path / ".mlops-config" / "metrics", None)

    monkeypatch.setenv("MLOPS_METRICS_DIR", "/var/lib/node_exporter")
    monkeypatch.setenv("MLOPS_PUSHGATEWAY_URL", "http://gateway:9091")

    found = destination(tmp_path)
    assert found.directory.as_posix() == "/var/lib/node_exporter"
    assert found.pushgateway_url == "http://gateway:9091"
