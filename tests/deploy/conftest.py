"""The providers that the conformance suite runs against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_config.deploy.aws.calls import Clients
from tests.deploy.providers import AwsProvider, GcpProvider, LocalProvider, Provider
from tests.services.s3 import lead_to
from tests.services.sagemaker import REGION
from tests.services.vertex import Vertex


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalProvider]:
    """This machine, with nothing deployed; everything is stopped afterwards."""
    provider = LocalProvider(tmp_path)
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def aws_clients(sagemaker_server: str) -> Clients:
    """Clients of the SageMaker server, shared since opening them takes a while."""
    with pytest.MonkeyPatch.context() as patch:
        lead_to(sagemaker_server, patch)
        clients = Clients(REGION, address=sagemaker_server)
        for service in ("sagemaker", "sagemaker-runtime", "cloudwatch", "application-autoscaling", "sts"):
            clients[service]
    return clients


@pytest.fixture
def aws(
    aws_clients: Clients, sagemaker_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AwsProvider]:
    """SageMaker, with nothing deployed; the endpoint is deleted afterwards."""
    lead_to(sagemaker_server, monkeypatch)
    provider = AwsProvider(aws_clients)
    yield provider
    provider.close()


@pytest.fixture
def gcp(vertex_server: Vertex) -> Iterator[GcpProvider]:
    """Vertex AI, with nothing deployed; the endpoint is deleted afterwards, and nothing is left."""
    provider = GcpProvider(vertex_server)
    yield provider
    provider.close()
    assert not vertex_server.models
    assert not vertex_server.endpoints
    vertex_server.requests.clear()
    vertex_server.operations.clear()


@pytest.fixture(params=["local", "aws", "gcp"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider in turn."""
    found: Provider = request.getfixturevalue(request.param)
    return found
