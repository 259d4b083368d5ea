"""Real Prometheus servers and push gateways on free ports of loopback, and promtool."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml
from tools.loop.servers import Servers, start_prometheus, start_pushgateway

from tests.services import unavailable


def program(name: str, package: str) -> str:
    """Where a program of Prometheus lies; ends the test when there is none."""
    found = shutil.which(name)
    if found is None:
        unavailable(f"no {name} on PATH (Debian: apt-get install {package})")
    return found


def promtool(*arguments: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """A finished promtool."""
    return subprocess.run(
        [program("promtool", "prometheus"), *map(str, arguments)],
        input=stdin,
        # It makes a database for every test; collecting garbage less often saves a third of its time.
        env={**os.environ, "GOGC": "1000"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def running_pushgateway(folder: Path) -> Iterator[str]:
    """A push gateway; its address."""
    program("prometheus-pushgateway", "prometheus-pushgateway")
    with Servers(folder) as servers:
        yield start_pushgateway(servers).until_healthy()


@contextmanager
def running_prometheus(folder: Path, *, targets: list[dict[str, object]], rules: list[Path]) -> Iterator[str]:
    """A Prometheus that scrapes ``targets`` and evaluates ``rules``, both twice a second; its address."""
    program("prometheus", "prometheus")
    settings = folder / "prometheus.yml"
    document = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": targets,
    }
    settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    with Servers(folder) as servers:
        yield start_prometheus(servers, settings).until_healthy()


class Pushgateway:
    """A running gateway: its address, and the samples it exposes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def exposed(self) -> str:
        """What a Prometheus would scrape."""
        return requests.get(f"{self.url}/metrics", timeout=10).text

    def clear(self) -> None:
        """Forgets every group."""
        for group in requests.get(f"{self.url}/api/v1/metrics", timeout=10).json()["data"]:
            labels = dict(group["labels"])
            path = "".join(
                f"/{name}/{value}" for name, value in [("job", labels.pop("job")), *labels.items()]
            )
            requests.delete(f"{self.url}/metrics{path}", timeout=10).raise_for_status()


@pytest.fixture(scope="session")
def pushgateway_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushgateway]:
    """A push gateway for the session."""
    with running_pushgateway(tmp_path_factory.mktemp("pushgateway")) as url:
        yield Pushgateway(url)


@pytest.fixture
def pushgateway(pushgateway_server: Pushgateway) -> Pushgateway:
    """An empty push gateway."""
    pushgateway_server.clear()
    return pushgateway_server
