"""What an attribute is made of, by Terraform's description of the modules: variables, resources, locals."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as Directory
from typing import TYPE_CHECKING, Any

from mlops_config.infrastructure.differences import Path
from mlops_config.infrastructure.local_values import local_references

if TYPE_CHECKING:
    from mlops_config.infrastructure.plan import ResourceChange

_STEP = re.compile(r'\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_DEEPEST = 20
"""Values handed on from module to module: never circular, but the description comes from outside."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a value comes from; one of the three."""

    variable: Path | None = None
    """A variable of the root module, with the way into it."""
    resource: str | None = None
    """Address of a resource, without its key."""
    is_local: bool = False
    """A local value: Terraform tells no more."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A module, and how it was called."""

    module: Mapping[str, Any]
    call: Mapping[str, Any] | None = None
    parent: "_Scope | None" = None
    address: str = ""
    index: str | int | None = None
    directory: Directory | None = None


class Modules:
    """The modules of a configuration."""

    def __init__(self, configuration: Mapping[str, Any], directory: Directory | None = None) -> None:
        self._root = _Scope(configuration.get("root_module") or {}, directory=directory)
        self._locals: dict[Directory, Mapping[str, tuple[str, ...]]] = {}

    def of_attribute(self, change: "ResourceChange", path: Path) -> Iterator[Trail]:
        """What the attribute of a resource at ``path`` is made of."""
        scope = self._scope(change.module)
        resource = _resource(scope, change)
        if scope is None or resource is None:
            return
        for reference in _references(_expression(resource.get("expressions") or {}, path)):
            yield from self._resolved(reference, scope, resource, change.index)

    def sets(self, change: "ResourceChange", path: Path) -> bool:
        """Whether the module gives the attribute at ``path`` its value, rather than the cloud."""
        resource = _resource(self._scope(change.module), change)
        at = _expression((resource or {}).get("expressions") or {}, path)
        return isinstance(at, list) or (isinstance(at, Mapping) and "references" in at)

    def of_existence(self, change: "ResourceChange") -> Iterator[Trail]:
        """The entry of ``for_each`` that the resource is made for, or what ``count`` is made of."""
        scope = self._scope(change.module)
        resource = _resource(scope, change)
        if scope is not None and resource is not None and change.index is not None:
            yield from self._of_instance(scope, resource, change.index)

    def of_modules(self, change: "ResourceChange") -> Iterator[Trail]:
        """The same of each module that the resource is in."""
        scope = self._scope(change.module)
        while scope is not None and scope.call is not None and scope.parent is not None:
            if scope.index is not None:
                yield from self._of_instance(scope.parent, scope.call, scope.index)
            scope = scope.parent

    def _of_instance(self, scope: _Scope, block: Mapping[str, Any], index: str | int) -> Iterator[Trail]:
        if "count_expression" in block:
            for reference in _references(block["count_expression"]):
                yield from self._resolved(reference, scope, block, index)
        else:
            yield from self._resolved(("each", "value"), scope, block, index)

    def _scope(self, address: str) -> _Scope | None:
        scope = self._root
        at = ""
        for step in re.finditer(r'module\.([\w-]+)(?:\[(?:(\d+)|"((?:[^"\\]|\\.)*)")\])?', address):
            call = (scope.module.get("module_calls") or {}).get(step[1])
            if call is None:
                return None
            at = f"{at}.{step[0]}" if at else step[0]
            index = int(step[2]) if step[2] else step[3]
            scope = _Scope(call.get("module") or {}, call, scope, at, index, _folder(scope, call))
        return scope

    def _resolved(
        self,
        reference: Path,
        scope: _Scope,
        block: Mapping[str, Any] | None,
        index: str | int | None,
        depth: int = 0,
    ) -> Iterator[Trail]:
        """Follows a reference that stands in ``block``, whose instance has the key ``index``."""
        if depth > _DEEPEST or not reference:
            return
        head, *rest = reference
        if head == "var" and rest:
            yield from self._of_variable(tuple(rest), scope, depth)
        elif head == "each" and block is not None:
            yield from self._of_each(tuple(rest[1:]), scope, block, index, depth)
        elif head == "local":
            yield from self._of_local(tuple(rest), scope, block, index, depth)
        elif head == "module" and rest:
            yield from self._of_output(tuple(rest), scope, depth)
        elif head not in ("data", "path", "terraform", "count", "self", "each") and rest:
            at = f"{scope.address}." if scope.address else ""
            yield Trail(resource=f"{at}{head}.{rest[0]}")

    def _of_local(
        self,
        path: Path,
        scope: _Scope,
        block: Mapping[str, Any] | None,
        index: str | int | None,
        depth: int,
    ) -> Iterator[Trail]:
        if scope.directory is not None and scope.directory not in self._locals:
            self._locals[scope.directory] = local_references(scope.directory)
        known = self._locals[scope.directory] if scope.directory is not None else {}
        if not path or path[0] not in known:
            yield Trail(is_local=True)
            return
        given = _references({"references": known[str(path[0])]})
        for reference in given:
            at = _further(reference, path[1:] if len(given) == 1 else ())
            yield from self._resolved(at, scope, block, index, depth + 1)

    def _of_variable(self, path: Path, scope: _Scope, depth: int) -> Iterator[Trail]:
        if scope.call is None or scope.parent is None:
            yield Trail(variable=path)
            return
        given = _references((scope.call.get("expressions") or {}).get(str(path[0])))
        # Handed on as it is, the way into it goes on; made of several things, it ends here.
        further = path[1:] if len(given) == 1 else ()
        for reference in given:
            at = _further(reference, further)
            yield from self._resolved(at, scope.parent, scope.call, scope.index, depth + 1)

    def _of_each(
        self, path: Path, scope: _Scope, block: Mapping[str, Any], index: str | int | None, depth: int
    ) -> Iterator[Trail]:
        given = _references(block.get("for_each_expression"))
        further = (*(() if index is None else (index,)), *path) if len(given) == 1 else ()
        for reference in given:
            at = _further(reference, further)
            yield from self._resolved(at, scope, block, index, depth + 1)

    def _of_output(self, path: Path, scope: _Scope, depth: int) -> Iterator[Trail]:
        name, *rest = path
        call = (scope.module.get("module_calls") or {}).get(str(name))
        if call is None:
            return
        index = rest.pop(0) if rest and _is_repeated(call) else None
        if not rest:
            return
        at = f"{scope.address}." if scope.address else ""
        key = "" if index is None else f"[{index}]" if isinstance(index, int) else f'["{index}"]'
        address = f"{at}module.{name}{key}"
        inner = _Scope(call.get("module") or {}, call, scope, address, index, _folder(scope, call))
        output = ((inner.module.get("outputs") or {}).get(str(rest[0]))) or {}
        for reference in _references(output.get("expression")):
            yield from self._resolved(reference, inner, None, None, depth + 1)


def _is_repeated(call: Mapping[str, Any]) -> bool:
    return "for_each_expression" in call or "count_expression" in call


def _further(reference: Path, path: Path) -> Path:
    """The way into what is referred to goes on where a value is handed on as it is."""
    return (*reference, *path) if reference[0] in ("var", "each", "local") else reference


def _folder(scope: _Scope, call: Mapping[str, Any]) -> Directory | None:
    """Where a module of the same tree lies; one from elsewhere is not looked for."""
    source = str(call.get("source", ""))
    if scope.directory is None or not source.startswith(("./", "../")):
        return None
    return (scope.directory / source).resolve()


def _resource(scope: _Scope | None, change: "ResourceChange") -> Mapping[str, Any] | None:
    if scope is None:
        return None
    wanted = f"{change.type}.{change.name}"
    found = (each for each in scope.module.get("resources") or () if each.get("address") == wanted)
    return next(found, None)


def _expression(expressions: Any, path: Path) -> Any:
    """The expression at ``path``, as far as blocks go: a value below an attribute has the attribute's."""
    at = expressions
    for step in path:
        if isinstance(at, list) and at and isinstance(step, int):
            at = at[min(step, len(at) - 1)]  # a dynamic block is described once
        elif not isinstance(at, Mapping) or "references" in at or step not in at:
            return None if at is expressions else at
        else:
            at = at[step]
    return at


def _references(expression: Any) -> list[Path]:
    """What an expression refers to, most exact: ``var.a.b`` comes with ``var.a``, which is left out."""
    found: list[Path] = []
    for text in _texts(expression):
        path = parsed(text)
        if path and path not in found and not (found and found[-1][: len(path)] == path):
            found.append(path)
    return found


def _texts(expression: Any) -> Sequence[str]:
    if isinstance(expression, Mapping):
        own = list(expression.get("references") or ())
        inner = [text for key, each in expression.items() if key != "references" for text in _texts(each)]
        return own + inner
    if isinstance(expression, list):
        return [text for each in expression for text in _texts(each)]
    return []


def parsed(reference: str) -> Path:
    """``var.config.alerts["a"]`` as steps."""
    steps: list[str | int] = []
    for found in _STEP.finditer(reference):
        name, number, quoted = found.groups()
        steps.append(name if name is not None else int(number) if number is not None else quoted)
    return tuple(steps)
