"""The GitHub release of a tag: made, or updated inside a marked section so that what people wrote stays."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops_config.errors import UsageError
from mlops_config.github.client import GitHubClient, NotFoundError, RejectedError
from mlops_config.github.limits import RELEASE_CHARACTERS, fitted

_MARK = "<!-- mlops-config-action:"


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """The release's page, and whether this call made it."""

    url: str
    created: bool


def with_section(body: str, key: str, section: str) -> str:
    """``body`` with the section for ``key`` replaced, or put at its end; the rest stays as it is.

    A section lies between two hidden lines. If its end was deleted by hand, it ends at its beginning: nothing
    that somebody wrote is lost.
    """
    begin, end = _marks(key)
    # What stands in the section must not look like the end of one.
    inside = section.strip().replace(_MARK, _MARK.replace("<", "&lt;"))
    marked = f"{begin}\n{inside}\n{end}"
    before, found, after = body.partition(begin)
    if not found:
        return f"{body.rstrip()}\n\n{marked}\n" if body.strip() else f"{marked}\n"
    _, closed, behind = after.partition(end)
    return f"{before}{marked}{behind if closed else after}"


def publish_release(
    client: GitHubClient,
    tag: str,
    *,
    name: str,
    key: str,
    section: str,
    rest: str,
    prerelease: bool = False,
    draft: bool = False,
) -> ReleaseResult:
    """The release of ``tag`` holding ``section`` under ``key``, such as a project and its environment.

    A release that is there, drafts too, keeps its name, its state and all other text. Two makers at once end
    in one release. A section beyond GitHub's limit is cut, and ``rest`` says where the rest is.

    Raises:
        UsageError: there is no such tag; GitHub would make one where the default branch stands.
        PermissionDeniedError: the token may not write releases.
        GitHubError, ServiceError: GitHub refused otherwise, or stayed away.
    """
    existing = _find(client, tag)
    if existing is None:
        _require_tag(client, tag)
        request = {
            "tag_name": tag,
            "name": name,
            "body": _fitting("", key, section, rest),
            "prerelease": prerelease,
            "draft": draft,
            "make_latest": "legacy",
        }
        try:
            return ReleaseResult(client.post("/releases", request)["html_url"], created=True)
        except RejectedError as error:
            # Somebody else, or our own first try whose answer was lost, was quicker.
            existing = _find(client, tag) if "already_exists" in error.codes else None
            if existing is None:
                raise
    return _updated(client, existing, key, section, rest)


def _updated(
    client: GitHubClient, existing: dict[str, Any], key: str, section: str, rest: str
) -> ReleaseResult:
    body = _fitting(existing.get("body") or "", key, section, rest)
    if body != existing.get("body"):
        client.patch(f"/releases/{existing['id']}", {"body": body})
    return ReleaseResult(existing["html_url"], created=False)


def _find(client: GitHubClient, tag: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get(f"/releases/tags/{quote(tag, safe='')}")
    except NotFoundError:
        drafts = (release for release in client.pages("/releases") if release["tag_name"] == tag)
        return next(drafts, None)
    return found


def _require_tag(client: GitHubClient, tag: str) -> None:
    try:
        client.get(f"/git/ref/{quote(f'tags/{tag}', safe='')}")
    except NotFoundError as error:
        raise UsageError(
            f"{client.repository} has no tag {tag!r}, so it cannot have a release",
            hint="Push the tag first. If it is there, the token cannot read the repository's contents.",
        ) from error


def _fitting(body: str, key: str, section: str, rest: str) -> str:
    """The body with the section, which alone is cut where both together are too long."""
    whole = with_section(body, key, section)
    excess = len(whole) - RELEASE_CHARACTERS
    if excess <= 0:
        return whole
    return with_section(body, key, fitted(section, max(0, len(section) - excess), rest))


def _marks(key: str) -> tuple[str, str]:
    encoded = quote(key, safe="/").replace("-", "%2D")
    return (
        f"{_MARK}begin {encoded} (written anew by every release) -->",
        f"{_MARK}end {encoded} -->",
    )
