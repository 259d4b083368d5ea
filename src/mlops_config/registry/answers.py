"""A registry's own account of what went wrong (distribution specification, "Error Codes")."""

from typing import Any

import requests

from mlops_config.http import answer_excerpt


def codes_of(response: requests.Response) -> set[str]:
    """The error codes of the answer, such as ``NAME_UNKNOWN``."""
    return {str(error.get("code")) for error in _errors(response)}


def words_of(response: requests.Response) -> str:
    """The answer's status and the registry's words."""
    return f"{response.status_code} {response.reason}{explanation(response)}"


def explanation(response: requests.Response) -> str:
    """The registry's words in brackets, or nothing."""
    errors = _errors(response)
    words = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors)
    return f" ({words})" if words else answer_excerpt(response)


def _errors(response: requests.Response) -> list[dict[str, Any]]:
    try:
        errors = response.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
