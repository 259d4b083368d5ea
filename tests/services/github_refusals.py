"""How GitHub refuses a request."""

from collections.abc import Collection

from tests.services.github_description import Answer

DOCUMENTATION = "https://docs.github.com/rest"


def refused(writes: Collection[str], permission: str, needed: str) -> Answer | None:
    """The refusal of a token that has not ``permission``; ``needed`` is what GitHub's header asks for."""
    if permission in writes:
        return None
    answer = error(403, "Resource not accessible by integration")
    answer.headers["x-accepted-github-permissions"] = needed
    return answer


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    """A refusal in GitHub's form."""
    document = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
    return Answer(status, document, headers or {})


def invalid(resource: str, name: str, code: str, message: str | None = None) -> Answer:
    """The refusal of a value."""
    reason = {"resource": resource, "field": name, "code": code} | ({"message": message} if message else {})
    return Answer(
        422, {"message": "Validation Failed", "errors": [reason], "documentation_url": DOCUMENTATION}
    )
