"""Whether policies of AWS allow a request: what one statement denies is refused, and what none allows.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
…/reference_policies_elements_condition_operators.html. An operator that is not here is an error, not a pass.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Statement = Mapping[str, Any]
Context = Mapping[str, str]
"""Condition keys of a request; one that the request does not have is left out."""

NOTHING = "nothing allows it"
_OF_EACH: Mapping[str, Callable[[str, str], bool]] = {
    "ArnEquals": lambda given, wanted: _like(wanted, given),
    "ArnLike": lambda given, wanted: _like(wanted, given),
    "Bool": lambda given, wanted: given == wanted,
    "NumericLessThan": lambda given, wanted: float(given) < float(wanted),
    "StringEquals": lambda given, wanted: given == wanted,
    "StringLike": lambda given, wanted: _like(wanted, given),
}
"""Operators that hold when one of the values does."""


def holds(operator: str, wanted: Mapping[str, Any], context: Context) -> bool:
    """Whether a condition's operator holds for each of its keys."""
    if operator == "Null":
        return all((key not in context) == (value == "true") for key, value in wanted.items())
    if operator == "StringNotEquals":  # a key that is not there is not equal
        return all(context.get(key) not in _listed(value) for key, value in wanted.items())
    plain = operator.removesuffix("IfExists")
    if plain not in _OF_EACH:
        raise NotImplementedError(operator)
    return all(
        any(_OF_EACH[plain](context[key], each) for each in _listed(values))
        if key in context
        else plain != operator
        for key, values in wanted.items()
    )


def applies(statement: Statement, action: str, arn: str, context: Context) -> bool:
    """Whether a statement is about the request; its principal is the caller's affair."""
    within = (
        _any_like(statement["Resource"], arn)
        if "Resource" in statement
        else not _any_like(statement["NotResource"], arn)
    )
    return (
        within
        and any(_like(each.lower(), action.lower()) for each in _listed(statement["Action"]))
        and all(
            holds(operator, wanted, context) for operator, wanted in statement.get("Condition", {}).items()
        )
    )


def refused(statements: Iterable[Statement], action: str, arn: str, context: Context) -> str | None:
    """Why a role with these statements may not: the names of what denies it, or :data:`NOTHING`.

    ``None``: it may.
    """
    found = [each for each in statements if applies(each, action, arn, context)]
    denied = [each["Sid"] for each in found if each["Effect"] == "Deny"]
    if denied:
        return ", ".join(denied)
    return None if found else NOTHING


def _any_like(patterns: Any, text: str) -> bool:
    return any(_like(each, text) for each in _listed(patterns))


def _like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each, re.escape(each)) for each in pattern), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
