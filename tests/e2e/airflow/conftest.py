"""The Airflow that the end-to-end tests here share."""

from collections.abc import Iterator

import pytest
from tools.loop.servers_airflow import Airflow

from tests.services.airflow import running_airflow


@pytest.fixture(scope="package")
def airflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """An Airflow 3.3 with this repository's DAGs that all tests here share: use projects of your own.

    Deployments go to its ``deployments`` folder and are parsed within seconds; a Connection of a test's own
    needs an environment of a name of its own. It ends with the last of these tests: even idle it is busy.
    """
    with running_airflow(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow
