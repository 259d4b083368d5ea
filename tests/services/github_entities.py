"""The documents GitHub sends for a user, a comment and a release, with every property it always sends."""

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
