"""What Vertex AI is sent: pure functions of the deployment, in the API's JSON names."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.deploy import interface
from mlops_config.deploy.interface import Deployment
from mlops_config.deploy.labels import facts, fitted, labels, server_variables
from mlops_config.errors import UsageError

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import Endpoint

ENDPOINT_LABEL = "mlops-endpoint"
"""On all we make: what has it is removed with the endpoint."""
REVISION_LABEL = "mlops-revision"
TESTED_LABEL = "mlops-smoke-test"
"""On a model whose smoke test passed."""
PREVIOUS_LABEL = "mlops-previous-"
"""On the endpoint, with the end of a model's id behind it: the end of the id of the one it replaced."""

PORT = 8080
PREDICT_ROUTE = "/predict"
HEALTH_ROUTE = "/readyz"

_ID_LENGTH = 63
_SUFFIX = 1 + 8
_REQUESTS = "aiplatform.googleapis.com/prediction/online/request_count"
_KEPT = ("project", "model-name", "environment")


def endpoint_id(name: str) -> str:
    """The endpoint's id: its name in small letters, with a letter first (CreateEndpointRequest)."""
    small = name.lower()
    return (small if small[0].isalpha() else f"e-{small}")[:_ID_LENGTH].rstrip("-")


def model_id(deployment: Deployment) -> str:
    """The model's id, ``<endpoint>-<8 hex>``: at most 63 letters, so that a long name is cut."""
    digest = hashlib.sha256(f"{deployment.endpoint} {deployment.revision.id}".encode()).hexdigest()[:8]
    return f"{_cut(deployment.endpoint)}-{digest}"


def rehearsal_id(deployment: Deployment) -> str:
    """Id of the small endpoint that is asked before traffic moves."""
    return f"{_cut(deployment.endpoint)}-{deployment.revision.smoke_id}"


def short(model: str) -> str:
    """The 8 hex digits a model's id, or resource name, ends with."""
    return model.rpartition("-")[2]


def endpoint_of(deployment: Deployment) -> "Endpoint":
    """The endpoint's part of the inference file, with a machine type."""
    return interface.endpoint_of(deployment, example="n2-standard-2")


def model(deployment: Deployment) -> dict[str, Any]:
    """``models.upload``. The description holds in full what labels must shorten.

    Raises:
        UsageError: image or package are not what Vertex AI takes.
    """
    revision = deployment.revision
    if revision.image is None:
        raise UsageError("Vertex AI needs the runtime image", hint="give the image of the release by digest")
    if not revision.package_uri.startswith("gs://"):
        raise UsageError(
            f"Vertex AI takes a package in a folder at gs://, not {revision.package_uri}",
            hint="publish the package to a bucket of this project first",
        )
    variables = sorted(server_variables(deployment).items())
    traced = "\n".join(f"{name}: {value}" for name, value in facts(deployment).items())
    return {
        "modelId": model_id(deployment),
        "model": {
            "displayName": f"{deployment.endpoint}-{revision.id}",
            "description": traced,
            "labels": _labels(deployment),
            "artifactUri": revision.package_uri,
            "containerSpec": {
                "imageUri": revision.image,
                "env": [{"name": name, "value": value} for name, value in variables],
                "ports": [{"containerPort": PORT}],
                "predictRoute": PREDICT_ROUTE,
                "healthRoute": HEALTH_ROUTE,
            },
        },
    }


def endpoint(deployment: Deployment) -> dict[str, Any]:
    """``endpoints.create``. Its labels do not say which revision serves: that changes."""
    kept = {name: value for name, value in facts(deployment).items() if name in _KEPT}
    return {
        "displayName": deployment.endpoint,
        "labels": {
            **deployment.inference.metadata.labels,
            **fitted({f"mlops-{name}": value for name, value in kept.items()}),
            ENDPOINT_LABEL: endpoint_id(deployment.endpoint),
        },
    }


def deployed_model(deployment: Deployment, model_name: str, service_account: str) -> dict[str, Any]:
    """The revision as ``endpoints.deployModel`` takes it."""
    part = endpoint_of(deployment)
    resources: dict[str, Any] = {
        "machineSpec": {"machineType": part.instance_type},
        "minReplicaCount": part.initial_instance_count,
        "maxReplicaCount": part.initial_instance_count,
    }
    if part.autoscaling is not None:
        resources["minReplicaCount"] = part.autoscaling.min_instance_count
        resources["maxReplicaCount"] = part.autoscaling.max_instance_count
        target = part.autoscaling.target_invocations_per_minute
        resources["autoscalingMetricSpecs"] = [{"metricName": _REQUESTS, "target": target}]
    return _deployed(deployment.revision.name, model_name, service_account, resources)


def rehearsed_model(deployment: Deployment, model_name: str, service_account: str) -> dict[str, Any]:
    """The same on one machine, to be asked before traffic moves."""
    machine = {"machineType": endpoint_of(deployment).instance_type}
    resources = {"machineSpec": machine, "minReplicaCount": 1, "maxReplicaCount": 1}
    return _deployed(deployment.revision.name, model_name, service_account, resources)


def again(deployed: Mapping[str, Any], name: str, model_name: str) -> dict[str, Any]:
    """A model that is deployed once more, on the machines of the one that serves."""
    account = deployed.get("serviceAccount", "")
    return _deployed(name, model_name, account, deployed["dedicatedResources"])


def _deployed(
    name: str, model_name: str, service_account: str, resources: Mapping[str, Any]
) -> dict[str, Any]:
    request: dict[str, Any] = {"displayName": name, "model": model_name, "dedicatedResources": resources}
    return request | ({"serviceAccount": service_account} if service_account else {})


def _labels(deployment: Deployment) -> dict[str, str]:
    return {**labels(deployment), ENDPOINT_LABEL: endpoint_id(deployment.endpoint)}


def _cut(name: str) -> str:
    return endpoint_id(name)[: _ID_LENGTH - _SUFFIX].rstrip("-")
