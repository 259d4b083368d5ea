"""Notifications, told to a real HTTP server on loopback."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlops_config.console import TerminalConsole
from mlops_config.contract.validation import validate
from mlops_config.ledger.ledger import Ledger
from mlops_config.pipeline import bundle_of, files_of
from mlops_config.retrying import Retries
from mlops_config.runtime.context import Configs, JobContext, Provenance
from mlops_config.runtime.notifying import notify
from mlops_config.runtime.tracking import registry_from_environment
from mlops_config.settings import Settings
from mlops_config.store import open_store
from tests.runtime.retraining.scenes import ROOT, retrain_config
from tests.services.processes import free_port

AT_ONCE = Retries(tries=3, sleep=lambda _: None)
PATH = "/services/T0P/53CR3T"
REFERENCE = "secret://chat-fares"
VARIABLE = "MLOPS_SECRET_CHAT_FARES"


@dataclass
class Channel:
    """What a chat service was sent, and what it answers, one after the other."""

    statuses: list[int] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """A channel that listens, its address in the secret."""
    channel = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            channel.told.append((self.path, json.loads(body)))
            self.send_response(channel.statuses.pop(0) if channel.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        channel.url = f"http://127.0.0.1:{server.server_port}{PATH}"
        monkeypatch.setenv(VARIABLE, channel.url)
        try:
            yield channel
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def said() -> io.StringIO:
    """What the job's console shows."""
    return io.StringIO()


@pytest.fixture
def context(tmp_path: Path, said: io.StringIO) -> JobContext:
    """A job of a configuration that tells one channel of promotions and rollbacks."""
    dev = validate(ROOT, Settings(), ["dev"]).environment("dev")
    bundle = bundle_of(dev)
    channels = [{"channel_ref": REFERENCE, "when": ["promoted", "rolled_back"]}]
    return JobContext(
        bundle=bundle,
        files=files_of(dev, bundle),
        configs=Configs(dev.training, dev.inference, dev.monitoring, retrain_config(notifications=channels)),
        provenance=Provenance(release="0.2.0"),
        root=tmp_path,
        scratch=tmp_path,
        job_id="0123456789abcdef",
        now=datetime.now(UTC),
        console=TerminalConsole(said),
        registry=registry_from_environment(tmp_path),
        ledger=Ledger(open_store(tmp_path.as_uri()), "city-taxi", "trip-fare", "dev"),
        dag_run="city-taxi.trip-fare.dev.retraining/scheduled",
    )


def test_a_channel_gets_a_sentence_and_the_fields_behind_it(context: JobContext, channel: Channel) -> None:
    notify(context, "rolled_back", "version 1 serves again", {"to": "0.1.0"})
    ((path, message),) = channel.told
    assert path == PATH
    assert message["text"] == "city-taxi/trip-fare in dev: version 1 serves again"
    assert (message["event"], message["release"]) == ("rolled_back", "0.2.0")
    assert message["config_digest"] == context.config_digest
    assert message["dag_run"] == "city-taxi.trip-fare.dev.retraining/scheduled"
    assert message["details"] == {"to": "0.1.0"}


def test_what_a_channel_did_not_ask_for_it_is_not_told(context: JobContext, channel: Channel) -> None:
    notify(context, "triggered", "drift")
    assert channel.told == []


def test_a_channel_that_is_busy_is_told_again(
    context: JobContext, channel: Channel, said: io.StringIO
) -> None:
    channel.statuses = [503, 429]
    notify(context, "promoted", "version 2 is the champion", retries=AT_ONCE)
    assert len(channel.told) == 3
    assert said.getvalue() == ""


@pytest.mark.parametrize("statuses", [[404], [302], [500, 500, 500]])
def test_a_channel_that_refuses_is_one_warning_without_its_address(
    context: JobContext,
    channel: Channel,
    said: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    statuses: list[int],
) -> None:
    channel.statuses = list(statuses)
    with caplog.at_level(logging.INFO):
        notify(context, "promoted", "version 2 is the champion", retries=AT_ONCE)
    assert len(channel.told) == len(statuses)
    (line,) = said.getvalue().splitlines()
    assert line.startswith(f"warning: {REFERENCE} was not told that version 2 is the champion: ")
    assert "53CR3T" not in line + caplog.text


def test_a_channel_that_is_down_fails_nothing_and_its_address_stays_secret(
    context: JobContext,
    said: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{free_port()}{PATH}")
    with caplog.at_level(logging.INFO):
        notify(context, "promoted", "version 2 is the champion", retries=AT_ONCE)
    assert said.getvalue().count("\n") == 1
    assert "53CR3T" not in said.getvalue() + caplog.text


@pytest.mark.parametrize("held", ["", "chat.example.org/53CR3T", "ftp://chat.example.org/53CR3T"])
def test_a_secret_that_is_no_address_is_one_warning(
    context: JobContext, said: io.StringIO, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setenv(VARIABLE, held)
    notify(context, "promoted", "version 2 is the champion")
    (line,) = said.getvalue().splitlines()
    assert REFERENCE in line
    assert "53CR3T" not in line
