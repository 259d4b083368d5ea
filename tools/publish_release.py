"""Publishes this action's version on GitHub: the release with its tag, then the tags v1 and v1.2 that follow.

Run by .github/workflows/publish.yml. GitHub's own notes would compare with whatever tag was made last, a
moved v1 among them, so the previous version is found here. Starting again goes on where a failure stopped it.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from mlops_config import __version__
from mlops_config.errors import MlopsConfigError, UsageError
from mlops_config.github.client import GitHubClient, RejectedError
from mlops_config.github.context import GitHubContext
from mlops_config.github.outputs import write_outputs

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
Version = tuple[int, int, int]


class Forge(Protocol):
    """What is needed of :class:`GitHubClient`."""

    def pages(self, path: str) -> Iterable[dict[str, Any]]: ...
    def post(self, path: str, body: dict[str, object]) -> Any: ...
    def patch(self, path: str, body: dict[str, object]) -> Any: ...


def parsed(tag: str) -> Version | None:
    """The version a tag ``vX.Y.Z`` names; ``None`` for any other, such as ``v1``."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)", tag)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def previous(version: Version, others: Iterable[Version]) -> Version | None:
    """The version this one follows: the highest below it."""
    return max((other for other in others if other < version), default=None)


def followers(version: Version, others: Iterable[Version]) -> list[str]:
    """The tags that are to follow ``version``: ``v1`` and ``v1.2`` unless a later one of that line is out."""
    known = list(others)
    lines = {f"v{version[0]}": version[:1], f"v{version[0]}.{version[1]}": version[:2]}
    return [
        name
        for name, line in lines.items()
        if all(other <= version for other in known if other[: len(line)] == line)
    ]


def section(changelog: str, version: str) -> str:
    """What the changelog says of ``version``.

    Raises:
        UsageError: it says nothing.
    """
    match = re.search(
        rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |^\[[^\]]+\]: |\Z)", changelog, re.M | re.S
    )
    if not match or not match[1].strip():
        raise UsageError(
            f"CHANGELOG.md has no section [{version}]", hint="turn the section Unreleased into that version's"
        )
    return match[1].strip()


def publish(forge: Forge, context: GitHubContext, version: str, changelog: str) -> None:
    """Makes the release of ``version`` at the commit that runs, and moves the tags that follow it.

    Raises:
        UsageError: this is not the default branch, the version is out at another commit, or has no notes.
        ServiceError: GitHub refused or stayed away.
    """
    this = parsed(f"v{version}")
    if this is None:
        raise UsageError(f"{version} is no version X.Y.Z")
    if context.ref != f"refs/heads/{context.default_branch}":
        raise UsageError(f"releases are made from {context.default_branch}, not from {context.ref}")
    tags = {
        ref["ref"].removeprefix("refs/tags/"): ref["object"]["sha"]
        for ref in forge.pages("/git/matching-refs/tags/v")
    }
    out = {name: number for name in tags if (number := parsed(name))}
    name = f"v{version}"
    if tags.get(name, context.sha) != context.sha:
        raise UsageError(f"{name} is out already, at {tags[name][:12]}", hint="raise the version")
    if name not in tags:
        before = previous(this, out.values())
        notes = section(changelog, version)
        if before:
            older = "v{}.{}.{}".format(*before)
            notes += f"\n\nAll changes: {context.repository_url}/compare/{older}...{name}"
        latest = all(other < this for other in out.values())
        request: dict[str, object] = {
            "tag_name": name,
            "target_commitish": context.sha,
            "name": name,
            "body": notes,
            "make_latest": "true" if latest else "false",
        }
        forge.post("/releases", request)
    for follower in followers(this, out.values()):
        if follower not in tags:
            forge.post("/git/refs", {"ref": f"refs/tags/{follower}", "sha": context.sha})
        elif tags[follower] != context.sha:
            forge.patch(f"/git/refs/tags/{follower}", {"sha": context.sha, "force": True})


def main() -> int:
    """Publishes the version in the source; the exit code."""
    try:
        context = GitHubContext.from_env(os.environ)
        if context is None or not context.token:
            raise UsageError("this is run by publish.yml, with GITHUB_TOKEN")
        with GitHubClient(context.api_url, context.token, context.repository) as client:
            publish(client, context, __version__, CHANGELOG.read_text("utf-8"))
        if context.output_path:
            write_outputs(context.output_path, {"version": __version__})
    except RejectedError as error:
        print(f"{error.message}: is v{__version__} made by somebody else at this moment?", file=sys.stderr)
        return error.exit_code
    except MlopsConfigError as error:
        print(error.message, error.hint or "", sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
