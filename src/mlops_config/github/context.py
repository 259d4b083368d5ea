"""Where in GitHub Actions this process runs: the one module that reads ``GITHUB_*``.

The variables are listed at https://docs.github.com/actions/reference/workflows-and-actions/variables.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlops_config.errors import UsageError

MAX_EVENT_BYTES = 26 * 1024 * 1024
"""GitHub's own limit on an event payload is 25 MB."""
_MERGE_QUEUE = "refs/heads/gh-readonly-queue/"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The pull request an event is about."""

    number: int
    head_sha: str
    head_ref: str
    head_repository: str | None
    """``None``: the fork was deleted."""
    base_sha: str
    base_ref: str
    from_fork: bool
    """The branch lies in another repository, so a ``pull_request`` run has a token that can only read."""


@dataclass(frozen=True)
class GitHubContext:
    """What the runner says of the run, as it was when the process started."""

    repository: str
    """``owner/name``."""
    sha: str
    """The commit checked out by default; on ``pull_request`` the merge commit, see :attr:`commit`."""
    ref: str
    """``refs/heads/…``, ``refs/tags/…`` or ``refs/pull/<number>/merge``."""
    event_name: str
    actor: str | None
    run_id: str
    run_attempt: int
    server_url: str
    api_url: str
    event_path: Path | None
    output_path: Path | None
    summary_path: Path | None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "GitHubContext | None":
        """The context of the run, or ``None`` outside GitHub Actions.

        Raises:
            UsageError: this claims to be GitHub Actions, but a variable is missing or no such thing.
        """
        if environ.get("GITHUB_ACTIONS") != "true":
            return None
        repository = _required(environ, "GITHUB_REPOSITORY", r"[\w.-]+/[\w.-]+", "owner/name")
        server_url = environ.get("GITHUB_SERVER_URL") or "https://github.com"
        api_url = environ.get("GITHUB_API_URL") or "https://api.github.com"
        attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
        return cls(
            repository=repository,
            sha=_required(environ, "GITHUB_SHA", r"[0-9a-f]{40}|[0-9a-f]{64}", "a full commit SHA"),
            ref=_required(environ, "GITHUB_REF", r"refs/.+", "refs/heads/…, refs/tags/… or refs/pull/…"),
            event_name=_required(environ, "GITHUB_EVENT_NAME", r"\w+", "the name of an event"),
            actor=environ.get("GITHUB_ACTOR") or None,
            run_id=_required(environ, "GITHUB_RUN_ID", r"[0-9]+", "a number"),
            run_attempt=int(attempt) if re.fullmatch(r"[0-9]+", attempt) else 1,
            server_url=server_url.rstrip("/"),
            api_url=api_url.rstrip("/"),
            event_path=_path(environ, "GITHUB_EVENT_PATH"),
            output_path=_path(environ, "GITHUB_OUTPUT"),
            summary_path=_path(environ, "GITHUB_STEP_SUMMARY"),
            token=environ.get("GITHUB_TOKEN") or None,
        )

    @cached_property
    def event(self) -> dict[str, Any]:
        """The event's payload, read when first asked for; empty where there is none.

        Raises:
            UsageError: the file is larger than any payload of GitHub's, or is not a JSON object.
        """
        path = self.event_path
        if path is None or not path.is_file():
            return {}
        with path.open("rb") as stream:
            data = stream.read(MAX_EVENT_BYTES + 1)
        if len(data) > MAX_EVENT_BYTES:
            raise UsageError(f"the event payload in GITHUB_EVENT_PATH is larger than {MAX_EVENT_BYTES} bytes")
        try:
            payload = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the event payload in GITHUB_EVENT_PATH is not JSON: {error}") from error
        if not isinstance(payload, dict):
            raise UsageError("the event payload in GITHUB_EVENT_PATH is JSON, but not an object")
        return payload

    @property
    def unmerged(self) -> bool:
        """Whether this run is about what is not merged yet: a pull request, or a group in a merge queue.

        GitHub pushes a group to a branch of its own besides, which an ``on: push`` for all branches sees too.
        """
        return (
            self.event_name.startswith("pull_request")
            or self.event_name == "merge_group"
            or self.ref.startswith(_MERGE_QUEUE)
        )

    @property
    def pull_request(self) -> PullRequest | None:
        """The pull request, on ``pull_request`` and ``pull_request_target`` events.

        Raises:
            UsageError: the payload of such an event lacks what GitHub always sends.
        """
        payload = self.event.get("pull_request")
        if not self.event_name.startswith("pull_request") or not isinstance(payload, dict):
            return None
        try:
            head, base = payload["head"], payload["base"]
            head_repository = (head.get("repo") or {}).get("full_name")
            return PullRequest(
                number=int(payload["number"]),
                head_sha=str(head["sha"]),
                head_ref=str(head["ref"]),
                head_repository=head_repository,
                base_sha=str(base["sha"]),
                base_ref=str(base["ref"]),
                from_fork=head_repository != (base.get("repo") or {}).get("full_name", self.repository),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"the payload of this {self.event_name} event is not as GitHub sends it: {error!r}"
            ) from error

    @property
    def commit(self) -> str:
        """The commit a person pushed: the pull request's head, elsewhere :attr:`sha`."""
        return self.pull_request.head_sha if self.pull_request else self.sha

    @property
    def default_branch(self) -> str | None:
        """The repository's default branch as the event names it."""
        repository = self.event.get("repository")
        branch = repository.get("default_branch") if isinstance(repository, dict) else None
        return branch if isinstance(branch, str) else None

    @property
    def run_url(self) -> str:
        """The page of this run, and of this attempt from the second on."""
        url = f"{self.repository_url}/actions/runs/{self.run_id}"
        return f"{url}/attempts/{self.run_attempt}" if self.run_attempt > 1 else url

    @property
    def repository_url(self) -> str:
        """The repository's page."""
        return f"{self.server_url}/{quote(self.repository)}"


def _required(environ: Mapping[str, str], name: str, pattern: str, expected: str) -> str:
    value = environ.get(name, "")
    if not re.fullmatch(pattern, value):
        raise UsageError(
            f"GITHUB_ACTIONS is 'true', but {name} is {value!r}; expected {expected}",
            hint="outside GitHub Actions unset GITHUB_ACTIONS; a stand-in for it must set its variables too",
        )
    return value


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    return Path(value) if value else None
