"""What Vertex AI is asked, how traffic moves there, and how its refusals are worded."""

from dataclasses import replace
from typing import Any

import pytest

from mlops_config.deploy.gcp import requests
from mlops_config.deploy.gcp.api import VertexApi
from mlops_config.deploy.gcp.deployer import VertexDeployer
from mlops_config.deploy.interface import DeployFailedError, State
from mlops_config.errors import ServiceError, UsageError
from tests.deploy.examples import CANARY, COMMIT, ENDPOINT, LINEAR, RELEASE, Rollout, digest_of, quiet
from tests.deploy.providers import DIES, SERVICE_ACCOUNT, GcpProvider
from tests.services.vertex import LOCATION, PARENT, PROJECT, RefusedError


def sent(gcp: GcpProvider, operation: str) -> list[dict[str, Any]]:
    """Every request of this operation so far."""
    return [given for name, given in gcp.vertex.requests if name == operation]


def test_a_first_deploy_is_asked_for_in_full(gcp: GcpProvider) -> None:
    scaled = {"min_instance_count": 2, "max_instance_count": 8, "target_invocations_per_minute": 600}
    deployment = gcp.deployment(1, autoscaling=scaled)
    gcp.open().deploy(deployment, quiet)
    model = requests.model_id(deployment)
    labels = {
        "team": "fares",
        "tier": "1",
        "mlops-endpoint": ENDPOINT,
        "mlops-project": "city-taxi",
        "mlops-environment": "prod",
    }
    [uploaded] = sent(gcp, "UploadModel")
    description = uploaded["model"].pop("description")
    assert {f"commit: {COMMIT}", f"config-digest: {digest_of(1)}"} <= set(description.splitlines())
    assert uploaded == {
        "parent": PARENT,
        "modelId": model,
        "model": {
            "displayName": f"{ENDPOINT}-{deployment.revision.id}",
            "labels": labels
            | {
                "mlops-model-name": "trip-fare-prod",
                "mlops-model-version": "1",
                "mlops-config-digest": digest_of(1).removeprefix("sha256:")[:32],
                "mlops-commit": COMMIT,
                "mlops-release": RELEASE.replace(".", "-"),
                "mlops-revision": deployment.revision.name,
            },
            "artifactUri": "gs://acme-models/1-good",
            "containerSpec": {
                "imageUri": deployment.revision.image,
                "env": [
                    {"name": "MLOPS_COMMIT", "value": COMMIT},
                    {"name": "MLOPS_CONFIG_DIGEST", "value": digest_of(1)},
                    {"name": "MLOPS_ENVIRONMENT", "value": "prod"},
                    {"name": "MLOPS_MODEL_VERSION", "value": "1"},
                    {"name": "MLOPS_RELEASE", "value": RELEASE},
                ],
                "ports": [{"containerPort": 8080}],
                "predictRoute": "/predict",
                "healthRoute": "/readyz",
            },
        },
    }
    rehearsal, own = sent(gcp, "CreateEndpoint")
    assert rehearsal["endpointId"] == requests.rehearsal_id(deployment)
    assert own == {
        "parent": PARENT,
        "endpointId": ENDPOINT,
        "endpoint": {
            "displayName": ENDPOINT,
            "labels": labels | {"mlops-model-name": "trip-fare-prod"},
        },
    }
    small, full = sent(gcp, "DeployModel")
    assert small["deployedModel"]["dedicatedResources"] == {
        "machineSpec": {"machineType": "n2-standard-2"},
        "minReplicaCount": 1,
        "maxReplicaCount": 1,
    }
    assert full == {
        "endpoint": f"{PARENT}/endpoints/{ENDPOINT}",
        "deployedModel": {
            "displayName": deployment.revision.name,
            "model": f"{PARENT}/models/{model}",
            "serviceAccount": SERVICE_ACCOUNT,
            "dedicatedResources": {
                "machineSpec": {"machineType": "n2-standard-2"},
                "minReplicaCount": 2,
                "maxReplicaCount": 8,
                "autoscalingMetricSpecs": [
                    {
                        "metricName": "aiplatform.googleapis.com/prediction/online/request_count",
                        "target": 600,
                    }
                ],
            },
        },
        "trafficSplit": {"0": 100},
    }


@pytest.mark.parametrize(
    ("rollout", "percents"), [(CANARY, [10, 100]), (LINEAR, [40, 80, 100])], ids=["canary", "linear"]
)
def test_traffic_moves_in_the_rollouts_steps(gcp: GcpProvider, rollout: Rollout, percents: list[int]) -> None:
    gcp.open().deploy(gcp.deployment(1), quiet)
    gcp.vertex.requests.clear()
    gcp.open().deploy(gcp.deployment(2, rollout=rollout), quiet)
    # The new model comes without traffic, and only then its share grows.
    assert "trafficSplit" not in sent(gcp, "DeployModel")[-1]
    new = gcp.vertex.endpoints[f"{PARENT}/endpoints/{ENDPOINT}"]["deployedModels"][0]["id"]
    splits = [
        given["endpoint"]["trafficSplit"]
        for given in sent(gcp, "UpdateEndpoint")
        if given["updateMask"] == "trafficSplit" and given["endpoint"]["name"].endswith(f"/{ENDPOINT}")
    ]
    assert [split[new] for split in splits] == percents


def test_each_step_is_watched_as_long_as_the_rollout_says(gcp: GcpProvider) -> None:
    gcp.open().deploy(gcp.deployment(1), quiet)
    second = gcp.deployment(2, rollout=CANARY | {"wait": "PT10M", "termination_wait": "PT20M"})
    start = gcp.clock.now
    gcp.open().deploy(second, quiet)
    assert 40 * 60 <= gcp.clock.now - start < 50 * 60


def test_an_interrupted_rollout_shows_its_shares_and_a_rollback_ends_it(gcp: GcpProvider) -> None:
    first, second = gcp.deployment(1), gcp.deployment(2, rollout=CANARY)
    gcp.open().deploy(first, quiet)

    deployer = gcp.open()
    api = deployer._api

    def kill(*_: object, **_more: object) -> None:
        raise KeyboardInterrupt

    def die(line: str) -> None:
        if "has 10 %" in line:
            api._send = kill  # type: ignore[assignment,method-assign]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deployer.deploy(second, die)
    status = gcp.open().status(ENDPOINT)
    assert status is not None
    assert status.state is State.UPDATING
    assert status.traffic == {first.revision.name: 90, second.revision.name: 10}
    assert gcp.open().rollback(ENDPOINT, quiet).traffic == {first.revision.name: 100}


def test_somebody_elses_change_is_not_lost(gcp: GcpProvider) -> None:
    gcp.open().deploy(gcp.deployment(1), quiet)
    gcp.vertex.refusals["UpdateEndpoint"] = RefusedError(409, "the endpoint was changed in between (etag)")
    with pytest.raises(ServiceError, match="409: the endpoint was changed in between"):
        gcp.open().deploy(gcp.deployment(2), quiet)
    gcp.open().deploy(gcp.deployment(2), quiet)


def test_the_reason_of_a_failure_is_told(gcp: GcpProvider) -> None:
    with pytest.raises(DeployFailedError, match="never became ready: the model is damaged") as error:
        gcp.open().deploy(gcp.deployment(1, DIES), quiet)
    assert error.value.hint is not None
    assert "Artifact Registry" in error.value.hint


@pytest.mark.parametrize(
    ("refusal", "hint"),
    [
        (RefusedError(403, "Permission 'aiplatform.models.upload' denied"), "roles/aiplatform.user"),
        (RefusedError(403, "API not enabled", "SERVICE_DISABLED"), "gcloud services enable aiplatform"),
        (RefusedError(401, "invalid credentials"), "gcloud auth application-default login"),
        (RefusedError(400, "Quota CustomModelServingCPUs exceeded"), "IAM & Admin > Quotas"),
    ],
    ids=["denied", "disabled", "unauthenticated", "quota"],
)
def test_a_refusal_says_what_to_do(gcp: GcpProvider, refusal: RefusedError, hint: str) -> None:
    gcp.vertex.refusals["UploadModel"] = refusal
    with pytest.raises(ServiceError, match=f"Vertex AI answered {refusal.status}: {refusal}") as error:
        gcp.open().deploy(gcp.deployment(1), quiet)
    assert error.value.hint is not None
    assert hint in error.value.hint


def test_missing_credentials_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch, vertex_server: Any, tmp_path: Any
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(ServiceError, match="opening Vertex AI failed") as error:
        VertexApi(PROJECT, LOCATION, address=vertex_server.address).get(f"{PARENT}/models/m")
    assert error.value.hint is not None
    assert "application-default login" in error.value.hint


def test_a_service_account_may_be_a_secret(gcp: GcpProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = gcp.deployment(1)
    secret = deployment.inference.deployer.model_copy(update={"service_account": "secret://vertex"})
    deployer = VertexDeployer(secret, api=gcp.api(), pace=gcp.clock.pace())
    with pytest.raises(UsageError, match="service_account is secret://vertex, and nothing holds it"):
        deployer.deploy(deployment, quiet)
    monkeypatch.setenv("MLOPS_SECRET_VERTEX", SERVICE_ACCOUNT)
    deployer.deploy(deployment, quiet)
    assert sent(gcp, "DeployModel")[-1]["deployedModel"]["serviceAccount"] == SERVICE_ACCOUNT


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("trip-fare-prod", "trip-fare-prod"),
        ("Trip-Fare", "trip-fare"),
        ("7-days", "e-7-days"),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_ids_are_what_vertex_ai_takes(name: str, identifier: str) -> None:
    assert requests.endpoint_id(name) == identifier


def test_a_models_id_is_never_too_long(gcp: GcpProvider) -> None:
    long = replace(gcp.deployment(1), endpoint="a" * 63)
    assert len(requests.model_id(long)) == len(requests.rehearsal_id(long)) == 63
    assert requests.model_id(long) != requests.model_id(replace(long, endpoint="a" * 62))


def test_a_model_without_an_image_or_outside_gcs_is_a_sentence(gcp: GcpProvider) -> None:
    deployment = gcp.deployment(1)
    with pytest.raises(UsageError, match="needs the runtime image"):
        requests.model(replace(deployment, revision=replace(deployment.revision, image=None)))
    archive = replace(deployment.revision, package_uri="s3://models/1")
    with pytest.raises(UsageError, match="folder at gs://, not s3://models/1"):
        requests.model(replace(deployment, revision=archive))
