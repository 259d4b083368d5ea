"""What Terraform says while it works (``-json``), as lines for people and as a list of what was done."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlops_config.console import StageLog

SAY_EVERY_SECONDS = 60
"""What takes long is said again so often, also where nothing is rewritten: an Airflow takes half an hour."""

_DOING = {
    "create": "creating",
    "update": "changing",
    "delete": "deleting",
    "replace": "replacing",
    "read": "reading",
    "noop": "leaving",
}
_DONE = {"create": "created", "update": "changed", "delete": "deleted", "read": "read"}
_SIGNS = {"create": "+", "update": "~", "delete": "-"}


class Step(BaseModel):
    """One thing that an apply did, or began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    action: str
    """``create``, ``update`` or ``delete``; a replacement is two steps."""
    state: str
    """``begun``, ``done`` or ``failed``."""
    seconds: int = 0

    def in_words(self) -> str:
        """Such as ``+ aws_s3_bucket.store created``."""
        sign = _SIGNS.get(self.action, " ")
        word = _DONE.get(self.action, self.action) if self.state == "done" else f"{self.action} {self.state}"
        took = f" ({self.seconds} s)" if self.seconds else ""
        return f"{sign} {self.address} {word}{took}"


class Events:
    """Takes Terraform's lines; keeps diagnostics and steps, shows progress."""

    def __init__(self, log: StageLog, say: Callable[[str], None]) -> None:
        self._log = log
        self._say = say
        self.diagnostics: list[Mapping[str, Any]] = []
        self.counts: Mapping[str, int] = {}
        self.noise: list[str] = []
        """Lines that are no JSON."""
        self._steps: dict[tuple[str, str], Step] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was begun, in that order."""
        return tuple(self._steps.values())

    def heard(self, line: str) -> None:
        """Takes one line."""
        event = _event(line)
        if event is None:
            if line.strip():
                self.noise = [*self.noise[-19:], line]
            return
        kind = event.get("type")
        if kind == "diagnostic":
            self.diagnostics.append(event["diagnostic"])
        elif kind == "change_summary":
            self.counts = {name: n for name, n in event["changes"].items() if isinstance(n, int)}
        elif "hook" in event:
            self._heard_of(str(kind), event["hook"])
        elif kind in ("init_output", "log", "planned_change"):
            self._log.progress(_first_line(event.get("@message", "")))

    def _heard_of(self, kind: str, hook: Mapping[str, Any]) -> None:
        address, action = str(hook["resource"]["addr"]), str(hook.get("action", ""))
        seconds = int(hook.get("elapsed_seconds", 0))
        if kind == "refresh_start":
            self._log.progress(f"reading {address}")
        elif kind in ("apply_start", "apply_progress"):
            self._begun(kind, Step(address=address, action=action, state="begun", seconds=seconds))
        elif kind in ("apply_complete", "apply_errored"):
            if action in ("read", "noop"):
                return
            state = "done" if kind == "apply_complete" else "failed"
            step = Step(address=address, action=action, state=state, seconds=seconds)
            self._steps[address, action] = step
            self._say(f"  {step.in_words()}")
        elif kind == "provision_progress":
            self._log.progress(f"{address}: {_first_line(str(hook.get('output', '')))}")

    def _begun(self, kind: str, step: Step) -> None:
        if step.action in ("read", "noop"):
            return
        self._steps[step.address, step.action] = step
        doing = _DOING.get(step.action, step.action)
        done = sum(each.state == "done" for each in self._steps.values())
        waited = f", {step.seconds} s" if step.seconds else ""
        self._log.progress(f"{done} done; {doing} {step.address}{waited}")
        if kind == "apply_progress" and step.seconds and step.seconds % SAY_EVERY_SECONDS == 0:
            self._say(f"    still {doing} {step.address} ({step.seconds} s)")


def _event(line: str) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "@level" in event else None


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")
