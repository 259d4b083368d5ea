"""The one comment on a pull request that is found again and updated in place."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops_config.github.client import GitHubClient, NotFoundError, PermissionDeniedError
from mlops_config.github.limits import COMMENT_CHARACTERS, fitted


@dataclass(frozen=True, slots=True)
class CommentResult:
    """What became of the comment: its page, or why there is none."""

    url: str | None
    created: bool = False
    refused: str | None = None
    """Why it could not be posted: as a rule the token can only read."""


def marker(key: str) -> str:
    """The hidden first line of the comment that belongs to ``key``, such as a project and its config folder.

    Everything that could end an HTML comment early is encoded.
    """
    return f"<!-- mlops-config-action:comment {quote(key, safe='/').replace('-', '%2D')} -->"


def post_comment(client: GitHubClient, pull_request: int, key: str, body: str, *, rest: str) -> CommentResult:
    """Puts ``body`` into the pull request's comment for ``key``, which is made if there is none.

    Only a comment that starts with the marker and was written by the token's own user is touched; for an
    app's token, whose user GitHub does not tell, any app's. Further ones (two runs at once may each make one)
    are deleted. A body beyond GitHub's limit is cut, and ``rest`` says where the rest is. A token that may
    not write does not fail: the result says so.

    Raises:
        GitHubError: the token is bad, or there is no such pull request.
        ServiceError: GitHub stayed away or busy.
    """
    first_line = marker(key)
    text = f"{first_line}\n{fitted(body, COMMENT_CHARACTERS - len(first_line) - 1, rest)}"
    thread = f"/issues/{pull_request}/comments"
    try:
        login = client.login()
        own = _own(client, thread, first_line, login)
        created = not own
        if created:
            client.post(thread, {"body": text})
            own = _own(client, thread, first_line, login)
        kept = own[0]
        if kept["body"] != text:
            kept = client.patch(f"/issues/comments/{kept['id']}", {"body": text})
        for double in own[1:]:
            _delete(client, double["id"])
    except PermissionDeniedError as error:
        return CommentResult(None, refused=error.message)
    return CommentResult(kept["html_url"], created=created)


def _own(client: GitHubClient, thread: str, first_line: str, login: str | None) -> list[dict[str, Any]]:
    """Our comments, the oldest first."""
    found = [
        comment
        for comment in client.pages(thread)
        if (comment.get("body") or "").startswith(first_line) and _written_by(comment, login)
    ]
    return sorted(found, key=lambda comment: int(comment["id"]))


def _written_by(comment: dict[str, Any], login: str | None) -> bool:
    user = comment.get("user") or {}
    return bool(user.get("type") == "Bot" if login is None else user.get("login") == login)


def _delete(client: GitHubClient, comment: int) -> None:
    try:
        client.delete(f"/issues/comments/{comment}")
    except NotFoundError:
        return  # the run that made it was quicker
