"""Looks at Prometheus's alerts all the while and keeps every change of their state."""

import json
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

INACTIVE, FIRING = "inactive", "firing"
_EVERY_SECONDS = 0.5
_TIMEOUT_SECONDS = 10.0


def settings(rules: list[Path], endpoint_port: int) -> str:
    """Prometheus's settings file: the rules, and the endpoint's ``/metrics`` scraped every second.

    With ``metrics.transport: scrape`` the model server shows the jobs' series there too.
    """
    # JSON is YAML, and a path may hold what YAML would read otherwise.
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {
                    "job_name": "model-server",
                    "honor_labels": True,
                    "static_configs": [{"targets": [f"127.0.0.1:{endpoint_port}"]}],
                }
            ],
        },
        indent=1,
    )


class AlertWatcher:
    """Polls ``/api/v1/alerts`` from :meth:`start` until :meth:`stop`; ``note`` gets each change."""

    def __init__(self, address: str, note: Callable[[str, str], None]) -> None:
        """``note(name, state)``: state is ``pending``, ``firing`` or ``inactive``."""
        self._url = f"{address}/api/v1/alerts"
        self._note = note
        self._states: dict[str, str] = {}
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="alerts", daemon=True)

    def start(self) -> None:
        """Looks from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._enough.set()
        self._thread.join(_TIMEOUT_SECONDS)

    def state(self, name: str) -> str:
        """How an alert stood when it was last looked at."""
        return self._states.get(name, INACTIVE)

    def _watch(self) -> None:
        while not self._enough.wait(_EVERY_SECONDS):
            # Prometheus going away is noticed by who waits for an alert.
            with suppress(OSError, HTTPException, ValueError, KeyError):
                self._compare(self._now())

    def _now(self) -> dict[str, str]:
        with urllib.request.urlopen(self._url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 http, ours
            alerts: list[dict[str, Any]] = json.load(answer)["data"]["alerts"]
        now: dict[str, str] = {}
        for alert in alerts:
            name = alert["labels"]["alertname"]
            if now.get(name) != FIRING:
                now[name] = alert["state"]
        return now

    def _compare(self, now: dict[str, str]) -> None:
        for name in sorted(now.keys() | self._states.keys()):
            state = now.get(name, INACTIVE)
            if state != self._states.get(name, INACTIVE):
                self._states[name] = state
                self._note(name, state)
