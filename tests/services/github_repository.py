"""What GitHub's REST API does to one repository's issues, comments and releases, without the HTTP around."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.services.github_description import Answer, Description, Request
from tests.services.github_entities import comment_document, release_document, user_document
from tests.services.github_issues import Issues
from tests.services.github_refusals import error, invalid, refused

MAX_COMMENT_CHARACTERS = 65_536
MAX_RELEASE_CHARACTERS = 125_000


@dataclass
class Identity:
    """Whose token it is and what it may write. The token of a job, or of any app, has no user."""

    login: str
    type: str = "User"
    writes: tuple[str, ...] = ("issues", "contents")


TOKENS = {
    "job-token": Identity("github-actions[bot]", "Bot"),
    "fork-token": Identity("github-actions[bot]", "Bot", writes=()),
    "user-token": Identity("release-robot"),
}


@dataclass
class State:
    """What the repository holds, as JSON could."""

    pull_requests: list[int] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    has_issues: bool = True
    """Whether the repository's settings let it have any."""
    tags: dict[str, str] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    last_id: int = 0


@dataclass
class Planned:
    """An answer to give instead of, or (``carried_out``) after doing, what a request asks for."""

    answer: Answer | None
    """``None``: the connection is closed without an answer."""
    method: str | None
    containing: str
    times: int
    carried_out: bool


Route = tuple[Callable[..., Answer], list[str], str | None]
"""What answers a request, with which arguments, for which repository."""


class GitHubApi:
    """The repository ``repository`` behind ``prefix`` (``/api/v3`` on an Enterprise Server)."""

    def __init__(
        self,
        repository: str = "acme/fares",
        *,
        prefix: str = "",
        tokens: dict[str, Identity] | None = None,
        state: State | None = None,
        saved: Callable[[State], None] = lambda _: None,
    ) -> None:
        self.repository = repository
        self.prefix = prefix
        self.tokens = TOKENS if tokens is None else tokens
        self.state = state or State()
        self.url = ""
        self.before: Callable[[Request], None] = lambda _: None
        """Called before each request is handled: a test lets another client come in between."""
        self._saved = saved
        self._planned: list[Planned] = []
        self._description = Description()
        self._lock = threading.RLock()
        self.issues = Issues(self)
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"/user", self._user),
            ("GET", r"/repos/{repo}/git/ref/([^/]+)", self._ref),
            *self.issues.routes,
            ("GET", r"/repos/{repo}/issues/(\d+)/comments", self._comments),
            ("POST", r"/repos/{repo}/issues/(\d+)/comments", self._create_comment),
            ("PATCH", r"/repos/{repo}/issues/comments/(\d+)", self._update_comment),
            ("DELETE", r"/repos/{repo}/issues/comments/(\d+)", self._delete_comment),
            ("GET", r"/repos/{repo}/releases", self._releases),
            ("POST", r"/repos/{repo}/releases", self._create_release),
            ("GET", r"/repos/{repo}/releases/tags/([^/]+)", self._release_of_tag),
            ("GET", r"/repos/{repo}/releases/(\d+)", self._release),
            ("PATCH", r"/repos/{repo}/releases/(\d+)", self._update_release),
        ]

    @property
    def api_url(self) -> str:
        """What ``GITHUB_API_URL`` would be."""
        return self.url + self.prefix

    def answer_next(
        self,
        status: int | None,
        message: str = "",
        *,
        headers: dict[str, str] | None = None,
        method: str | None = None,
        containing: str = "",
        times: int = 1,
        carried_out: bool = False,
    ) -> None:
        """Plans the answer to the next ``times`` requests that fit; status ``None`` drops the connection."""
        answer = error(status, message, headers) if status is not None else None
        self._planned.append(Planned(answer, method, containing, times, carried_out))

    def add_comment(self, issue: int, body: str, identity: Identity) -> dict[str, Any]:
        """Puts a comment there as if ``identity`` had written it."""
        comment = {
            "id": self._next_id(),
            "issue": issue,
            "body": body,
            "login": identity.login,
            "type": identity.type,
            "created_at": self._now(),
        }
        comment["updated_at"] = comment["created_at"]
        self.state.comments.append(comment)
        return comment

    def add_release(self, tag_name: str, **fields: Any) -> dict[str, Any]:
        """Puts a release there; GitHub makes a tag of that name at the default branch if there is none."""
        release = {
            "id": self._next_id(),
            "tag_name": tag_name,
            "name": None,
            "body": None,
            "draft": False,
            "prerelease": False,
            "target_commitish": "main",
            "created_at": self._now(),
            "login": "github-actions[bot]",
            "type": "Bot",
        } | fields
        if not release["draft"]:
            self.state.tags.setdefault(tag_name, "f" * 40)
        self.state.releases.append(release)
        return release

    def handle(self, request: Request) -> Answer | None:
        """The answer, checked; ``None`` means to close the connection instead."""
        self.before(request)
        with self._lock:
            self.state.requests.append(f"{request.method} {request.target}")
            route = self._route(request)
            planned = self._take_planned(request)
            answer = self._answer(request, route) if planned is None or planned.carried_out else None
            if planned is not None:
                answer = planned.answer
            if answer is not None:
                answer.headers.setdefault("x-ratelimit-remaining", "4999")
                self._note(self._description.problems_of_answer(request, answer))
            self._saved(self.state)
            return answer

    def _take_planned(self, request: Request) -> Planned | None:
        for planned in self._planned:
            if (
                planned.times
                and planned.method in (None, request.method)
                and planned.containing in request.path
            ):
                planned.times -= 1
                return planned
        return None

    def _answer(self, request: Request, route: Route | None) -> Answer:
        if route is None:
            self._note([f"{request.method} {request.path} is no request this stand-in knows"])
            return error(404, "Not Found")
        handler, arguments, repository = route
        problems = self._description.problems_of_request(request)
        self._note(problems)
        if "user-agent" not in request.headers:
            return error(
                403, "Request forbidden by administrative rules. Please make sure it has a User-Agent."
            )
        identity = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if identity is None:
            return error(401, "Bad credentials")
        if repository is not None and repository != self.repository:
            return error(404, "Not Found")
        if problems:
            return error(422, f"Invalid request. {problems[0]}")
        return handler(request, identity, *arguments)

    def _route(self, request: Request) -> Route | None:
        if not request.path.startswith(self.prefix):
            return None
        path = request.path.removeprefix(self.prefix)
        for method, pattern, handler in self._routes:
            match = re.fullmatch(pattern.replace("{repo}", r"(?P<repo>[^/]+/[^/]+)"), path)
            if match and method == request.method:
                named = match.groupdict()
                arguments = match.groups()[len(named) :]
                request.path_in_description = path
                return handler, [unquote(argument) for argument in arguments], named.get("repo")
        return None

    def _user(self, _: Request, identity: Identity) -> Answer:
        if identity.type == "Bot":
            return error(403, "Resource not accessible by integration")
        return Answer(200, user_document(identity.login, identity.type, self.api_url, private=True))

    def _ref(self, _: Request, __: Identity, ref: str) -> Answer:
        name = ref.removeprefix("tags/")
        if not ref.startswith("tags/") or name not in self.state.tags:
            return error(404, "Not Found")
        url = f"{self.repository_url}/git"
        target = {"type": "commit", "sha": self.state.tags[name]}
        target["url"] = f"{url}/commits/{target['sha']}"
        return Answer(
            200, {"ref": f"refs/{ref}", "node_id": "REF_1", "url": f"{url}/refs/{ref}", "object": target}
        )

    def _comments(self, request: Request, _: Identity, issue: str) -> Answer:
        if not self.issues.has(int(issue)):
            return error(404, "Not Found")
        found = [comment for comment in self.state.comments if comment["issue"] == int(issue)]
        return self.page(request, [self._comment_document(comment) for comment in found])

    def _create_comment(self, request: Request, identity: Identity, issue: str) -> Answer:
        if not self.issues.has(int(issue)):
            return error(404, "Not Found")
        refusal = refused(
            identity.writes, "issues", "issues=write; pull_requests=write"
        ) or _too_long_comment(request.document["body"])
        if refusal:
            return refusal
        comment = self.add_comment(int(issue), request.document["body"], identity)
        return Answer(201, self._comment_document(comment))

    def _update_comment(self, request: Request, identity: Identity, number: str) -> Answer:
        comment = _by_id(self.state.comments, number)
        if comment is None:
            return error(404, "Not Found")
        refusal = refused(
            identity.writes, "issues", "issues=write; pull_requests=write"
        ) or _too_long_comment(request.document["body"])
        if refusal:
            return refusal
        comment |= {"body": request.document["body"], "updated_at": self._now()}
        return Answer(200, self._comment_document(comment))

    def _delete_comment(self, _: Request, identity: Identity, number: str) -> Answer:
        comment = _by_id(self.state.comments, number)
        if comment is None:
            return error(404, "Not Found")
        refusal = _cannot_comment(identity)
        if refusal:
            return refusal
        self.state.comments.remove(comment)
        return Answer(204, None)

    def _releases(self, request: Request, identity: Identity) -> Answer:
        visible = [
            release
            for release in reversed(self.state.releases)
            if not release["draft"] or "contents" in identity.writes
        ]
        return self.page(request, [self._release_document(release) for release in visible])

    def _release(self, _: Request, __: Identity, number: str) -> Answer:
        release = _by_id(self.state.releases, number)
        return Answer(200, self._release_document(release)) if release else error(404, "Not Found")

    def _release_of_tag(self, _: Request, __: Identity, tag: str) -> Answer:
        for release in self.state.releases:
            if release["tag_name"] == tag and not release["draft"]:
                return Answer(200, self._release_document(release))
        return error(404, "Not Found")

    def _create_release(self, request: Request, identity: Identity) -> Answer:
        document = request.document
        refusal = _cannot_release(identity) or _too_long_release(document.get("body"))
        if refusal:
            return refusal
        taken = any(
            release["tag_name"] == document["tag_name"] and not release["draft"]
            for release in self.state.releases
        )
        if taken and not document.get("draft"):
            return invalid("Release", "tag_name", "already_exists")
        kept = ("name", "body", "draft", "prerelease", "target_commitish")
        release = self.add_release(
            document["tag_name"],
            login=identity.login,
            type=identity.type,
            **{key: document[key] for key in kept if key in document},
        )
        return Answer(201, self._release_document(release))

    def _update_release(self, request: Request, identity: Identity, number: str) -> Answer:
        release = _by_id(self.state.releases, number)
        if release is None:
            return error(404, "Not Found")
        refusal = _cannot_release(identity) or _too_long_release(request.document.get("body"))
        if refusal:
            return refusal
        release |= {key: value for key, value in request.document.items() if key in release}
        return Answer(200, self._release_document(release))

    def page(self, request: Request, entries: list[dict[str, Any]]) -> Answer:
        """The entries of the page that is asked for, with the link to the next."""
        query = parse_qs(urlsplit(request.target).query)
        size = min(100, int(query.get("per_page", ["30"])[0]))
        number = int(query.get("page", ["1"])[0])
        last = max(1, -(-len(entries) // size))
        kept = "".join(f"{name}={query[name][0]}&" for name in query if name not in ("per_page", "page"))
        url = f"{self.url}{request.path}?{kept}per_page={size}&page="
        link = f'<{url}{number + 1}>; rel="next", <{url}{last}>; rel="last"' if number < last else ""
        return Answer(200, entries[(number - 1) * size : number * size], {"Link": link} if link else {})

    def _comment_document(self, comment: dict[str, Any]) -> dict[str, Any]:
        return comment_document(comment, self.api_url, self.repository_url)

    def _release_document(self, release: dict[str, Any]) -> dict[str, Any]:
        return release_document(release, self.api_url, self.repository_url)

    @property
    def repository_url(self) -> str:
        """The address of the repository's part of the API."""
        return f"{self.api_url}/repos/{self.repository}"

    def _note(self, problems: list[str]) -> None:
        self.state.violations.extend(problems)

    def _next_id(self) -> int:
        self.state.last_id += 1
        return self.state.last_id

    def _now(self) -> str:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.state.last_id)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _by_id(entries: list[dict[str, Any]], number: str) -> dict[str, Any] | None:
    return next((entry for entry in entries if entry["id"] == int(number)), None)


def _cannot_comment(identity: Identity) -> Answer | None:
    return refused(identity.writes, "issues", "issues=write; pull_requests=write")


def _cannot_release(identity: Identity) -> Answer | None:
    return refused(identity.writes, "contents", "contents=write")


def _too_long_comment(body: str) -> Answer | None:
    if len(body) <= MAX_COMMENT_CHARACTERS:
        return None
    words = f"Body is too long (maximum is {MAX_COMMENT_CHARACTERS} characters)"
    return invalid("IssueComment", "data", "unprocessable", words)


def _too_long_release(body: str | None) -> Answer | None:
    if len(body or "") <= MAX_RELEASE_CHARACTERS:
        return None
    return invalid(
        "Release", "body", "custom", f"body is too long (maximum is {MAX_RELEASE_CHARACTERS} characters)"
    )
