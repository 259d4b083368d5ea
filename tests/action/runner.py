"""What a step of GitHub Actions has around it: variables, files, and a runner that reads what it prints."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_config.github.inputs import variable

SHA = "0" * 40


@dataclass(frozen=True)
class Command:
    """A workflow command as the runner takes it."""

    name: str
    properties: Mapping[str, str]
    message: str


def commands_in(printed: str) -> list[Command]:
    """The commands the runner would take from ``printed``: it listens, or a command stopped it.

    As the runner's own parser does: a line that begins with ``::`` after white space, else one that holds
    ``##[``, which none of ours may.
    """
    found = []
    token = None
    for line in printed.splitlines():
        text = line.strip()
        if token is not None:
            token = None if text == f"::{token}::" else token
            continue
        match = re.match(r"::([A-Za-z-]+)(?: (.*?))?::(.*)$", text)
        if match and match[1] == "stop-commands":
            token = match[3]
        elif match:
            pairs = (pair.partition("=") for pair in (match[2] or "").split(",") if pair)
            properties = {name: _decoded(value) for name, _, value in pairs}
            found.append(Command(match[1], properties, _decoded(match[3])))
        else:
            assert "##[" not in text, f"a command in the old form: {line}"
    assert token is None, "the runner was left deaf"
    return found


def _decoded(text: str) -> str:
    for code, sign in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, sign)
    return text


class Runner:
    """The folders and files of one job; ``environment`` gives a step's variables."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.workspace = workspace
        self.temp = folder / "temp"
        self.temp.mkdir(parents=True)
        self.output = folder / "output"
        self.summary = folder / "summary"
        self.event = folder / "event.json"

    def environment(
        self,
        *,
        event: str = "push",
        ref: str = "refs/heads/main",
        payload: Mapping[str, Any] | None = None,
        api_url: str = "http://127.0.0.1:9",
        **inputs: str,
    ) -> dict[str, str]:
        """The variables of a step with these inputs (``base_image`` is ``base-image``)."""
        self.event.write_text(json.dumps({"repository": {"default_branch": "main"}} | dict(payload or {})))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/fares",
            "GITHUB_SHA": SHA,
            "GITHUB_REF": ref,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_RUN_ID": "42",
            "GITHUB_ACTOR": "ada",
            "GITHUB_API_URL": api_url,
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
        } | {variable(name.replace("_", "-")): value for name, value in inputs.items()}

    @property
    def outputs(self) -> dict[str, str]:
        """What the step handed on, read as the runner reads it."""
        found = {}
        lines = iter(self.output.read_text("utf-8").splitlines() if self.output.exists() else [])
        for line in lines:
            name, _, delimiter = line.partition("<<")
            value = []
            while (inner := next(lines)) != delimiter:
                value.append(inner)
            found[name] = "\n".join(value)
        return found
