"""The documents GitHub sends for users, issues, comments and releases, with every property always sent."""

from typing import Any
from urllib.parse import quote

USER_LINKS = (
    "events_url",
    "followers_url",
    "following_url",
    "gists_url",
    "organizations_url",
    "received_events_url",
    "repos_url",
    "starred_url",
    "subscriptions_url",
)
MOMENT = "2026-01-01T00:00:00Z"


def user_document(login: str, kind: str, api_url: str, *, private: bool = False) -> dict[str, Any]:
    """A user, or an app's bot; ``private`` adds what only the user itself is told."""
    url = f"{api_url}/users/{quote(login)}"
    document: dict[str, Any] = {link: f"{url}/{link.removesuffix('_url')}" for link in USER_LINKS} | {
        "id": 1,
        "login": login,
        "node_id": "U_1",
        "type": kind,
        "url": url,
        "html_url": f"{api_url}/{quote(login)}",
        "avatar_url": f"{url}/avatar",
        "gravatar_id": "",
        "site_admin": False,
    }
    if private:
        names = ("bio", "blog", "company", "email", "hireable", "location", "name")
        counts = ("followers", "following", "public_gists", "public_repos")
        document |= (
            dict.fromkeys(names)
            | dict.fromkeys(counts, 0)
            | {"created_at": MOMENT, "updated_at": MOMENT, "user_view_type": "public"}
        )
    return document


def issue_document(issue: dict[str, Any], moment: str, api_url: str, repository_url: str) -> dict[str, Any]:
    """An issue, or (``is_pull``) a pull request as the list of issues shows it."""
    number, is_pull = issue["number"], issue.get("is_pull", False)
    url = f"{repository_url}/issues/{number}"
    closed = issue.get("state") == "closed"
    document: dict[str, Any] = {
        "id": 9_000 + number,
        "node_id": f"I_{number}",
        "number": number,
        "title": issue.get("title", f"Pull request {number}"),
        "body": issue.get("body"),
        "state": issue.get("state", "open"),
        "user": user_document(issue.get("login", "somebody"), issue.get("type", "User"), api_url),
        "labels": [],
        "assignee": None,
        "milestone": None,
        "locked": False,
        "comments": 0,
        "author_association": "CONTRIBUTOR",
        "created_at": moment,
        "updated_at": moment,
        "closed_at": moment if closed else None,
        "url": url,
        "html_url": f"{repository_url}/{'pull' if is_pull else 'issues'}/{number}",
        "repository_url": repository_url,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
    }
    if issue.get("state_reason"):
        # GitHub sends null where there is none, which its own description does not allow.
        document["state_reason"] = issue["state_reason"]
    if is_pull:
        pull = f"{repository_url}/pulls/{number}"
        document["pull_request"] = {"url": pull, "html_url": pull, "diff_url": pull, "patch_url": pull}
    return document


def comment_document(comment: dict[str, Any], api_url: str, repository_url: str) -> dict[str, Any]:
    """A comment on an issue or pull request."""
    issue = f"{repository_url}/issues/{comment['issue']}"
    return {
        "id": comment["id"],
        "node_id": f"IC_{comment['id']}",
        "url": f"{repository_url}/issues/comments/{comment['id']}",
        "html_url": f"{issue}#issuecomment-{comment['id']}",
        "issue_url": issue,
        "body": comment["body"],
        "user": user_document(comment["login"], comment["type"], api_url),
        "author_association": "CONTRIBUTOR",
        "created_at": comment["created_at"],
        "updated_at": comment["updated_at"],
    }


def release_document(release: dict[str, Any], api_url: str, repository_url: str) -> dict[str, Any]:
    """A release without assets."""
    url = f"{repository_url}/releases/{release['id']}"
    tag = quote(release["tag_name"])
    return {key: release[key] for key in ("id", "tag_name", "name", "body", "draft", "prerelease")} | {
        "node_id": f"RE_{release['id']}",
        "url": url,
        "html_url": f"{repository_url}/releases/tag/{tag}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": f"{repository_url}/tarball/{tag}",
        "zipball_url": f"{repository_url}/zipball/{tag}",
        "target_commitish": release["target_commitish"],
        "created_at": release["created_at"],
        "published_at": None if release["draft"] else release["created_at"],
        "author": user_document(release["login"], release["type"], api_url),
        "assets": [],
    }
