"""From pydantic's errors to findings: on the very key or value, in plain words, with the way to mend it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.codes import finding
from mlops_config.contract.models.model_fields import (
    Declared,
    choices_at,
    declared_at,
    declared_key_at,
    homes_of,
    keys_at,
)
from mlops_config.contract.reading.yaml_reader import UNREAD, Document
from mlops_config.contract.schema_wording import (
    Expectation,
    Wrong,
    choices_of,
    described,
    expectation,
    mending,
    shown,
)
from mlops_config.findings import ConfigPath, Finding, format_path

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ValidationError


_MOST = 100
"""Findings of one file; whoever has mended these will have mended the rest, or sees it then."""


class _Problem(NamedTuple):
    """One of pydantic's errors, found again in the file."""

    type: str
    path: ConfigPath
    """To the value; for a missing key to the mapping that lacks it."""
    value: Any
    context: Mapping[str, Any]
    message: str
    absent: str | None = None
    """The key that is missing."""
    is_key: bool = False
    """The key itself is wrong, not the value behind it."""
    branch: bool = False
    """One of several ways a value may be written, none of which fits."""


def findings_of(error: "ValidationError", document: Document, model: "type[BaseModel]") -> list[Finding]:
    """Every error of a validation as a finding, except about what the reader has refused already."""
    problems = [
        _found(each, document.data)
        for each in error.errors(include_url=False)
        if not _concerns_unread(each, document)
    ]
    writer = _Writer(document, model)
    groups = _grouped(problems)
    findings = [writer.several(group) if len(group) > 1 else writer.one(group[0]) for group in groups[:_MOST]]
    if len(groups) > _MOST:
        rest = f"{findings[-1].message} (and {len(groups) - _MOST} more errors in the file)"
        findings[-1] = findings[-1]._replace(message=rest)
    return _without_echoes(findings)


def _concerns_unread(error: Mapping[str, Any], document: Document) -> bool:
    value = error["input"]
    if value is UNREAD:
        return True
    if error["type"] == "missing":
        return any(value is merged for merged in document.merged)
    discriminator = str(error.get("ctx", {}).get("discriminator", "")).strip("'")
    return isinstance(value, dict) and value.get(discriminator) is UNREAD


def _found(error: Mapping[str, Any], data: Any) -> _Problem:
    """The error with its path in the file, where pydantic's has the names of union members in between."""
    kind, location, value = error["type"], error["loc"], error["input"]
    is_key = bool(location) and location[-1] == "[key]"
    absent = location[-1] if kind == "missing" else None
    steps = location[:-1] if is_key or absent is not None else location
    paths = sorted(_paths(data, steps), key=len, reverse=True)
    # Where a union's member is called like a key inside it, the value tells which way is right.
    path = next((path for path in paths if not is_key and _at(data, path) is value), paths[0])
    branch = not is_key and absent is None and path[-1:] != steps[-1:]
    return _Problem(kind, path, value, error.get("ctx", {}), error["msg"], absent, is_key, branch)


def _paths(data: Any, steps: tuple[str | int, ...]) -> Iterator[ConfigPath]:
    """Every way through ``data`` along ``steps``; a text among them may name a member of a union."""
    if not steps:
        yield ()
        return
    step, rest = steps[0], steps[1:]
    if isinstance(data, dict) and step in data:
        yield from ((step, *path) for path in _paths(data[step], rest))
    elif isinstance(data, list) and isinstance(step, int) and step < len(data):
        yield from ((step, *path) for path in _paths(data[step], rest))
        return
    yield from _paths(data, rest)


def _at(data: Any, path: ConfigPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _grouped(problems: Iterable[_Problem]) -> list[list[_Problem]]:
    """The problems, those about the same value that may be written in several ways together."""
    groups: list[list[_Problem]] = []
    for problem in problems:
        if groups and problem.branch and groups[-1][0].branch and groups[-1][0].path == problem.path:
            groups[-1].append(problem)
        else:
            groups.append([problem])
    return groups


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """The findings without the missing keys that an unknown key beside them was surely meant to be."""
    meant = {
        (*each.path[:-1], each.replacement) for each in findings if each.code == "S02" and each.replacement
    }
    return [each for each in findings if not (each.code == "S01" and each.path in meant)]


class _Writer:
    """Puts problems in words."""

    def __init__(self, document: Document, model: "type[BaseModel]") -> None:
        self._positions = document.positions
        self._document = document
        self._model = model

    def one(self, problem: _Problem) -> Finding:
        if problem.absent is not None:
            return self._missing(problem.path, problem.absent)
        if problem.type == "extra_forbidden":
            return self._unknown_key(problem.path)
        if "discriminator" in problem.context:
            return self._tag(problem)
        expected = self._expectation(problem)
        return self._wrong(problem, expected) if expected else self._own_words(problem)

    def several(self, problems: list[_Problem]) -> Finding:
        """One finding for a value that fits none of the ways it may be written."""
        expected = [self._expectation(each) for each in problems]
        for problem, each in zip(problems, expected, strict=True):
            if each is None or each.code != "S03":
                return self.one(problem)  # of the right type, so this is the way that was meant
        words = list(dict.fromkeys(each.words for each in expected if each))
        if len(words) == 1:
            return self.one(problems[0])
        path = problems[0].path
        given = described(problems[0].value, self._source(path))
        message = f"{_named(path)} is {given}; it must be {', '.join(words[:-1])} or {words[-1]}"
        return finding("S03", message, self._positions.nearest(path), path=path)

    def _expectation(self, problem: _Problem) -> Expectation | None:
        return expectation(problem.type, problem.context, self._declared(problem))

    def _declared(self, problem: _Problem) -> list[Declared]:
        data = self._document.data
        if problem.is_key:
            return declared_key_at(self._model, problem.path[:-1], data)
        return declared_at(self._model, problem.path, data)

    def _source(self, path: ConfigPath) -> str | None:
        place = self._positions.value(path)
        return self._document.slice(place) if place else None

    def _wrong(self, problem: _Problem, expected: Expectation) -> Finding:
        path = problem.path
        if problem.is_key:
            message = f"the key {shown(str(path[-1]))} in {_named(path[:-1])} must be {expected.words}"
            return finding("S06", message, self._positions.nearest(path, prefer_key=True), path=path)
        source, declared = self._source(path), self._declared(problem)
        hint, replacement = mending(problem.type, Wrong(problem.value, source, problem.context, declared))
        if expected.code == "S05":
            replacement = _near(str(problem.value), choices_of(problem.context["expected"]))
            hint = f"did you mean {replacement}?" if replacement else None
        return finding(
            expected.code,
            f"{_named(path)} is {_given(problem, source)}; it must be {expected.words}",
            self._positions.nearest(path),
            path=path,
            hint=hint or _description(declared),
            replacement=replacement if source else None,
        )

    def _missing(self, path: ConfigPath, key: str) -> Finding:
        full = (*path, key)
        declared = declared_at(self._model, full, self._document.data)
        choices = choices_at(self._model, full, self._document.data)
        examples = next((each.examples for each in declared if each.examples), choices[:1])
        hint = f"add `{key}:{f' {examples[0]}' if examples else ''}`"
        if len(choices) > 1:
            hint = f"add `{key}:` and one of {', '.join(choices)}"
        elif description := _description(declared):
            hint = f"{hint}. {description}"
        place = self._positions.nearest(path, prefer_key=True)
        return finding("S01", f"{_named(full)} is missing", place, path=full, hint=hint)

    def _unknown_key(self, path: ConfigPath) -> Finding:
        key, parent = str(path[-1]), path[:-1]
        siblings = keys_at(self._model, parent, self._document.data)
        free = [name for name in siblings if not self._positions.has((*parent, name))]
        homes = [f"`{format_path(home)}`" if home else "the top level" for home in homes_of(self._model, key)]
        # A name known elsewhere is more telling than one that is only somewhat like another.
        near = _near(key, free, cutoff=0.9 if homes else 0.7)
        hint = f"keys here are {', '.join(siblings)}" if siblings else None
        if near:
            hint = f"did you mean {near}?"
        elif homes:
            hint = f"this key belongs under {' or '.join(homes[:3])}"
        place = self._positions.nearest(path, prefer_key=True)
        message = f"{_named(parent)} has no key {shown(key)}"
        return finding("S02", message, place, path=path, hint=hint, replacement=near)

    def _tag(self, problem: _Problem) -> Finding:
        """A finding for the value that decides which of several mappings is meant."""
        if not isinstance(problem.value, dict):
            return self.one(problem._replace(type="model_type", context={}))
        key = problem.context["discriminator"].strip("'")
        if key not in problem.value:
            return self._missing(problem.path, key)
        path = (*problem.path, key)
        choices = choices_of(problem.context["expected_tags"])
        near = _near(str(problem.value[key]), choices)
        given = described(problem.value[key], self._source(path))
        message = f"{_named(path)} is {given}; it must be one of {', '.join(choices)}"
        hint = f"did you mean {near}?" if near else None
        return finding("S05", message, self._positions.nearest(path), path=path, hint=hint, replacement=near)

    def _own_words(self, problem: _Problem) -> Finding:
        """A finding for an error whose message a validator wrote."""
        said = str(problem.context.get("error", problem.message))
        is_whole = isinstance(problem.value, dict | list)
        given = "" if is_whole else f" is {_given(problem, self._source(problem.path))}"
        message = f"{_named(problem.path)}{given}: {said[:1].lower()}{said[1:]}"
        place = self._positions.nearest(problem.path)
        return finding("S07" if is_whole else "S06", message, place, path=problem.path)


def _named(path: ConfigPath) -> str:
    return f"`{format_path(path)}`" if path else "the file"


def _description(declared: list[Declared]) -> str | None:
    """What the field is for, without the source of its limits."""
    text = next((each.description for each in declared if each.description), None)
    return text.split(" Source:")[0] if text else None


def _given(problem: _Problem, source: str | None) -> str:
    if problem.type in ("too_short", "too_long"):
        length = problem.context["actual_length"]
        return f"{length} long" if length else "empty"
    if isinstance(problem.value, str | int | float | list | dict | None):
        return described(problem.value, source)
    return source or str(problem.value)  # converted already, as a duration is before its limits are checked


def _near(given: str, choices: Iterable[str], cutoff: float = 0.7) -> str | None:
    from difflib import get_close_matches

    candidates = {choice.lower().replace("-", "_"): choice for choice in choices}
    near = get_close_matches(given.lower().replace("-", "_"), candidates, n=1, cutoff=cutoff)
    return candidates[near[0]] if near else None
