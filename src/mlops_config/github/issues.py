"""The one open issue about a thing, such as an environment's drift: found again, updated, closed."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from mlops_config.digests import is_digest
from mlops_config.github.client import GitHubClient
from mlops_config.github.limits import fitted

ISSUE_CHARACTERS = 65_536
"""GitHub refuses a longer body: "body is too long (maximum is 65536 characters)"."""


@dataclass(frozen=True, slots=True)
class IssueResult:
    """What became of the issue."""

    url: str | None
    """``None``: there is none, and there was none."""
    done: Literal["opened", "updated", "unchanged", "closed", "none"]


def keep_issue(
    client: GitHubClient, key: str, title: str, body: str, *, meaning: str, rest: str
) -> IssueResult:
    """Has one open issue about ``key`` say ``body``; it is opened if there is none.

    Only an issue that begins with our hidden mark and was opened by the token's own user is touched; for
    an app's token, whose user GitHub does not tell, any app's. ``meaning`` is a digest (``sha256:…``) of what
    the issue is about: while it stays the same, so does the issue, whatever else ``body`` says of the run.
    Further open ones (two runs at once may each open one) are closed. A body beyond GitHub's limit is cut,
    and ``rest`` says where the rest is.

    Raises:
        GitHubError: the token may not write issues, or the repository has none.
        ServiceError: GitHub stayed away or busy.
        ValueError: ``meaning`` is no digest.
    """
    if not is_digest(meaning):
        raise ValueError(f"{meaning!r} is no digest")
    mark = _mark(key)
    first_line = f"{mark}{meaning} -->"
    text = f"{first_line}\n{fitted(body, ISSUE_CHARACTERS - len(first_line) - 1, rest)}"
    login = client.login()
    found = _open(client, mark, login)
    done: Literal["opened", "updated", "unchanged"] = "unchanged"
    if not found:
        opened = client.post("/issues", {"title": title, "body": text})
        # The list may lag behind what was just made: what was made counts in any case.
        found = _open(client, mark, login) or [opened]
        done = "opened"
    kept = found[0]
    if not str(kept.get("body") or "").startswith(first_line) or kept["title"] != title:
        kept = client.patch(f"/issues/{kept['number']}", {"title": title, "body": text})
        done = "updated"
    for double in found[1:]:
        _close(client, double, f"The same as #{kept['number']}.", "not_planned")
    return IssueResult(str(kept["html_url"]), done)


def close_issue(client: GitHubClient, key: str, farewell: str) -> IssueResult:
    """Closes the open issue about ``key``, if there is one, with ``farewell`` as its last comment.

    Raises:
        GitHubError, ServiceError: as :func:`keep_issue`.
    """
    found = _open(client, _mark(key), client.login())
    for issue in found:
        _close(client, issue, farewell, "completed")
    return IssueResult(str(found[0]["html_url"]), "closed") if found else IssueResult(None, "none")


def _mark(key: str) -> str:
    """How the body begins; everything that could end an HTML comment early is encoded."""
    return f"<!-- mlops-config-action:issue {quote(key, safe='/').replace('-', '%2D')} "


def _open(client: GitHubClient, mark: str, login: str | None) -> list[dict[str, Any]]:
    """Our open issues, the oldest first; GitHub lists pull requests among them."""
    found = [
        issue
        for issue in client.pages("/issues", state="open")
        if "pull_request" not in issue
        and str(issue.get("body") or "").startswith(mark)
        and _opened_by(issue, login)
    ]
    return sorted(found, key=lambda issue: int(issue["number"]))


def _opened_by(issue: dict[str, Any], login: str | None) -> bool:
    user = issue.get("user") or {}
    return bool(user.get("type") == "Bot" if login is None else user.get("login") == login)


def _close(client: GitHubClient, issue: dict[str, Any], farewell: str, reason: str) -> None:
    """The comment first: an issue that stays open is found again, one that was closed is not."""
    number = issue["number"]
    client.post(f"/issues/{number}/comments", {"body": farewell})
    client.patch(f"/issues/{number}", {"state": "closed", "state_reason": reason})
