"""What GitHub's REST API does to the issues of one repository, without the HTTP around it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.services.github_description import Answer, Request
from tests.services.github_entities import MOMENT, issue_document
from tests.services.github_refusals import error, invalid, refused

if TYPE_CHECKING:
    from tests.services.github_repository import GitHubApi, Identity

MAX_BODY_CHARACTERS = 65_536
MAX_TITLE_CHARACTERS = 256


class Issues:
    """The issues of the repository of ``api``; its pull requests are listed among them, as GitHub does."""

    def __init__(self, api: "GitHubApi") -> None:
        self._api = api

    @property
    def routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        """Method, path and what answers."""
        return [
            ("GET", r"/repos/{repo}/issues", self._list),
            ("POST", r"/repos/{repo}/issues", self._create),
            ("GET", r"/repos/{repo}/issues/(\d+)", self._get),
            ("PATCH", r"/repos/{repo}/issues/(\d+)", self._update),
        ]

    def add(self, title: str, body: str, identity: "Identity") -> dict[str, Any]:
        """Puts an issue there as if ``identity`` had opened it."""
        state = self._api.state
        issue = {
            "number": 1 + max([*(each["number"] for each in state.issues), *state.pull_requests], default=0),
            "title": title,
            "body": body,
            "state": "open",
            "state_reason": None,
            "login": identity.login,
            "type": identity.type,
        }
        state.issues.append(issue)
        return issue

    def has(self, number: int) -> bool:
        """Whether there is an issue, or pull request, of that number."""
        return number in self._api.state.pull_requests or self._find(str(number)) is not None

    def _list(self, request: Request, _: "Identity") -> Answer:
        if not self._api.state.has_issues:
            return error(410, "Issues has been disabled in this repository.")
        wanted = parse_qs(urlsplit(request.target).query).get("state", ["open"])[0]
        found = [each for each in self._api.state.issues if wanted in ("all", each["state"])]
        pulls = [{"number": number, "is_pull": True} for number in self._api.state.pull_requests]
        newest_first = sorted([*found, *pulls], key=lambda each: -int(each["number"]))
        return self._api.page(request, [self._document(each) for each in newest_first])

    def _get(self, _: Request, __: "Identity", number: str) -> Answer:
        issue = self._find(number)
        return Answer(200, self._document(issue)) if issue else error(404, "Not Found")

    def _create(self, request: Request, identity: "Identity") -> Answer:
        refusal = self._refused(identity) or self._too_long(request.document)
        if refusal:
            return refusal
        issue = self.add(request.document["title"], request.document.get("body") or "", identity)
        return Answer(201, self._document(issue))

    def _update(self, request: Request, identity: "Identity", number: str) -> Answer:
        issue = self._find(number)
        if issue is None:
            return error(404, "Not Found")
        refusal = self._refused(identity) or self._too_long(request.document)
        if refusal:
            return refusal
        issue |= {key: value for key, value in request.document.items() if key in issue}
        return Answer(200, self._document(issue))

    def _find(self, number: str) -> dict[str, Any] | None:
        return next((each for each in self._api.state.issues if each["number"] == int(number)), None)

    def _refused(self, identity: "Identity") -> Answer | None:
        if not self._api.state.has_issues:
            return error(410, "Issues has been disabled in this repository.")
        return refused(identity.writes, "issues", "issues=write")

    def _too_long(self, document: dict[str, Any]) -> Answer | None:
        limits = {"title": MAX_TITLE_CHARACTERS, "body": MAX_BODY_CHARACTERS}
        for name, limit in limits.items():
            if len(document.get(name) or "") > limit:
                words = f"{name} is too long (maximum is {limit} characters)"
                return invalid("Issue", name, "custom", words)
        return None

    def _document(self, issue: dict[str, Any]) -> dict[str, Any]:
        return issue_document(issue, MOMENT, self._api.api_url, self._api.repository_url)
