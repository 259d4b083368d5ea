"""What the deployers share: steps, smoke tests, alarms, references, labels, and the choice of a deployer."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.deploy import open_deployer
from mlops_config.deploy.alarms import PrometheusAlarms, alarms_of_environment, no_alarms
from mlops_config.deploy.interface import DeployFailedError, Deployment, Revision
from mlops_config.deploy.labels import labels, tags
from mlops_config.deploy.local.deployer import LocalDeployer
from mlops_config.deploy.references import resolved, variable_of
from mlops_config.deploy.rollout import steps
from mlops_config.deploy.smoke import predictions_of, smoke_test
from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient
from mlops_config.retrying import Retries
from tests.deploy.examples import CANARY, COMMIT, TestClock, deployment_of, digest_of, inference_config

LOCAL = {"target": "local", "port": 8080}


def example(rollout: Any = None, **changes: Any) -> Deployment:
    inference = inference_config(LOCAL, {"rollout": rollout} if rollout else {})
    return replace(deployment_of(inference, 7, "/models/7"), **changes)


@given(st.integers(10, 50))
def test_linear_steps_grow_by_the_step_and_end_at_a_hundred(step: int) -> None:
    rollout = inference_config(LOCAL, {"rollout": {"type": "linear", "step_percent": step}}).endpoint
    assert rollout is not None
    found = steps(rollout.rollout)
    assert found[-1] == 100
    assert all(later - before == step for before, later in pairwise(found[:-1]))
    assert found[-1] - ([0, *found])[-2] <= step


def test_a_revisions_id_changes_with_anything_in_it() -> None:
    revision = example().revision
    assert re.fullmatch(r"[0-9a-f]{8}", revision.id)
    others = {
        replace(revision, model_version=8).id,
        replace(revision, image=None).id,
        replace(revision, package_uri="/models/8").id,
        replace(revision, config_digest=digest_of(8)).id,
    }
    assert len({*others, revision.id}) == 5
    assert Revision(**{name: getattr(revision, name) for name in revision.__slots__}).id == revision.id


def asked(answers: Sequence[Any]) -> Any:
    """Answers rows with these, one after the other; the first row is asked twice."""
    left = [answers[0], *answers]
    return lambda rows: [left.pop(0) for _ in rows]


def test_a_smoke_test_tells_what_it_did() -> None:
    said = smoke_test(example(), asked([2, 2.5]), clock=TestClock().clock)
    assert re.fullmatch(r"smoke test of 2 rows passed, the slowest in \d+ ms", said)


def test_without_rows_there_is_no_smoke_test() -> None:
    assert smoke_test(example(smoke_rows=()), asked([1])) == "no rows for a smoke test"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([float("nan"), 1.0], "row 0 was answered with nan"),
        ([1.0, None], "row 1 was answered with None"),
        (["cheap", "dear"], "the answers are string; the signature says fractional"),
        ([True, False], "the answers are boolean; the signature says fractional"),
        ([1.0, "dear"], "of different types: integral, string"),
        ([[1.0], 2.0], "answered with a list, not one value"),
    ],
)
def test_answers_that_do_not_fit_the_signature_fail(answers: list[Any], reason: str) -> None:
    with pytest.raises(DeployFailedError, match=reason):
        smoke_test(example(), asked(answers), clock=TestClock().clock)


def test_the_schema_is_looked_at_only_where_that_is_wanted() -> None:
    deployment = example()
    lax = replace(deployment, smoke_test=deployment.smoke_test.model_copy(update={"expected_schema": False}))
    assert "2 rows passed" in smoke_test(lax, asked(["a", None]), clock=TestClock().clock)


def test_both_forms_of_predictions_are_read() -> None:
    assert predictions_of('{"predictions": [1, 2]}', 2) == [1, 2]
    assert predictions_of('{"predictions": [{"prediction_id": "x-1", "prediction": 1}]}', 1) == [1]
    with pytest.raises(ValueError, match="1 predictions for 2 rows"):
        predictions_of('{"predictions": [1]}', 2)


def test_a_secret_is_an_environment_variable() -> None:
    assert variable_of("secret://sagemaker-role.prod") == "MLOPS_SECRET_SAGEMAKER_ROLE_PROD"
    assert resolved("arn:aws:iam::1:role/x", what="role") == "arn:aws:iam::1:role/x"
    assert resolved("secret://a-b", what="role", environment={"MLOPS_SECRET_A_B": " value\n"}) == "value"
    with pytest.raises(UsageError, match="role is secret://a-b, and nothing holds it"):
        resolved("secret://a-b", what="role", environment={})


def test_tags_are_in_full_and_labels_in_googles_letters() -> None:
    aws = {tag["Key"]: tag["Value"] for tag in tags(example())}
    assert aws["mlops:config-digest"] == digest_of(7)
    assert aws["mlops:commit"] == COMMIT
    google = labels(example(variables={"MLOPS_RELEASE": "1.2.0-RC.1"}))
    assert google["mlops-release"] == "1-2-0-rc-1"
    assert "mlops-commit" not in google
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in google.values())


class _Prometheus(BaseHTTPRequestHandler):
    document: Any = None

    def do_GET(self) -> None:
        body = json.dumps(self.document if self.path == "/api/v1/alerts" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def prometheus() -> Iterator[tuple[str, type[_Prometheus]]]:
    """A server that answers as Prometheus' HTTP API does; the handler's ``document`` is the answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", _Prometheus
        server.shutdown()
        thread.join()


def alert(name: str, state: str = "firing", **more: str) -> dict[str, Any]:
    return {"labels": {"alertname": name, **more}, "state": state, "annotations": {}, "value": "1e+00"}


def test_only_firing_alerts_of_this_model_and_rollout_count(
    prometheus: tuple[str, type[_Prometheus]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = prometheus
    names = ["fare-a", "fare-b", "fare-c", "fare-d"]
    server.document = {
        "status": "success",
        "data": {
            "alerts": [
                alert("fare-a", environment="prod", model="trip-fare", project="city-taxi"),
                alert("fare-a", environment="prod", feature="raining"),
                alert("fare-b", "pending"),
                alert("fare-c", environment="staging"),
                alert("another"),
            ]
        },
    }
    monkeypatch.setenv("MLOPS_PROMETHEUS_URL", url)
    assert alarms_of_environment()(example({**CANARY, "rollback_alarms": names})) == ("fare-a",)
    assert alarms_of_environment()(example({**CANARY, "rollback_alarms": []})) == ()


def test_an_answer_that_is_none_of_prometheus_is_a_sentence(
    prometheus: tuple[str, type[_Prometheus]],
) -> None:
    url, server = prometheus
    server.document = []
    with pytest.raises(ServiceError, match="without a list of alerts"):
        PrometheusAlarms(url)(example(CANARY))


def test_a_prometheus_that_stays_away_stops_the_rollout() -> None:
    clock = TestClock()
    http = HttpClient(retries=Retries(sleep=clock.sleep, clock=clock.clock))
    with pytest.raises(ServiceError, match="tried 5 times"):
        PrometheusAlarms("http://127.0.0.1:9", http)(example(CANARY))


def test_without_prometheus_nothing_is_watched() -> None:
    assert alarms_of_environment() is no_alarms


@pytest.mark.parametrize(
    ("deployer", "kind"),
    [
        (LOCAL, "LocalDeployer"),
        (
            {
                "target": "aws",
                "region": "eu-central-1",
                "account_id": "111122223333",
                "role": "secret://role",
            },
            "SageMakerDeployer",
        ),
        (
            {
                "target": "gcp",
                "project": "acme-fares-prod",
                "location": "europe-west4",
                "service_account": "secret://account",
            },
            "VertexDeployer",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_target_decides_which_deployer_is_opened(
    deployer: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    assert type(open_deployer(inference_config(deployer, {}), root=tmp_path)).__name__ == kind


def test_a_local_server_is_started_with_what_its_place_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_config.deploy.local.programs import serving_command
    from mlops_config.deploy.local.state import StoredRevision

    stored = StoredRevision.of(example().revision, "prod", {})
    command = list(serving_command(tmp_path)(stored, 9))
    assert command == [
        *(sys.executable, "-m", "mlops_config", "run", "serving", "--root", str(tmp_path)),
        *("--environment", "prod", "--package", "/models/7", "--port", "9"),
    ]
    monkeypatch.setenv("MLOPS_CONFIG_DIR", "/app/configs")
    assert "--environment" not in serving_command(tmp_path)(stored, 9)


def test_opening_the_package_loads_no_cloud_sdk() -> None:
    code = (
        "import sys, mlops_config.deploy.aws.deployer, mlops_config.deploy.gcp.deployer, mlops_config.deploy;"
        "print([each for each in ('boto3', 'botocore', 'google.auth', 'pandas') if each in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_missing_extra_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    aws = {"target": "aws", "region": "eu-central-1", "account_id": "111122223333", "role": "secret://role"}
    gcp = {
        "target": "gcp",
        "project": "acme-fares-prod",
        "location": "europe-west4",
        "service_account": "secret://account",
    }
    for deployer, extra, said in ((aws, "aws", "deploying to aws needs"), (gcp, "gcp", "Vertex AI needs")):
        opened = open_deployer(inference_config(deployer, {}), root=tmp_path)
        with pytest.raises(UsageError, match=said) as error:
            opened.status("endpoint")
        assert error.value.hint == f"run: pip install 'mlops-config-action[{extra}]'"


def test_a_local_deployer_asks_nothing_when_opened(tmp_path: Path) -> None:
    LocalDeployer(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
