"""A plan as Terraform's ``show -json`` has it, typed: what changes, where, from what to what.

Source: https://developer.hashicorp.com/terraform/internals/json-format (format version 1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, TypeVar

import rfc8785

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import UsageError
from mlops_config.infrastructure.differences import (
    Concealed,
    Difference,
    Mark,
    differences,
    merged,
    secrets_in,
    without,
)
from mlops_config.infrastructure.references import Modules
from mlops_config.infrastructure.sources import sources_digest

DIGEST_FORMAT = 1
DEFAULT_WORKSPACE = "default"
LEAST_SECRET = 6
"""Characters."""
FOLLOWED: Mapping[str, str] = {
    "aws_secretsmanager_secret_version": "a new version follows, and the secret stays",
    "google_secret_manager_secret_version": "a new version follows, and the secret stays",
    "terraform_data": "it is in the state alone, and no cloud has it",
}
"""Types of which nothing is lost when the next one is made before the old one goes, and why."""
_BIGGEST_EXACT = 2**53 - 1
"""RFC 8785 has numbers as IEEE 754 doubles."""


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    FORGET = "forget"
    """It stays as it is, and Terraform no longer knows it."""
    IMPORT = "import"
    """It is there already and is taken over, unchanged."""
    MOVE = "move"
    """It has another address now, and is unchanged."""


_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
}


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that changes."""

    address: str
    type: str
    provider: str
    action: Action
    before: Any
    """Its values now, secrets as :class:`~.differences.Concealed`; ``None`` when it is made."""
    after: Any
    """Its values then, :attr:`~.differences.Mark.UNKNOWN` where the apply will tell."""
    module: str = ""
    name: str = ""
    index: str | int | None = None
    """Key of its ``for_each``, or number of its ``count``."""
    replace_paths: tuple[tuple[str | int, ...], ...] = ()
    """What it has to be replaced for."""
    reason: str | None = None
    """Why Terraform replaces or deletes it, such as ``replace_because_tainted``."""
    moved_from: str | None = None
    import_id: str | None = None
    created_first: bool = False
    """Of a replacement: the new one is made before the old one goes."""
    awaited: tuple[tuple[str | int, ...], ...] = ()
    """Of what is made: what its module sets, and what the apply will tell nevertheless."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Each value that differs, in the order of the attributes' names."""
        return tuple(differences(self.before, self.after))

    @property
    def is_destructive(self) -> bool:
        """Whether something that is there goes and is missed: not what :data:`FOLLOWED` names."""
        if self.action is Action.REPLACE and self.created_first:
            return self.type not in FOLLOWED
        return self.action in (Action.DELETE, Action.REPLACE)

    def forces_replacement(self, path: Sequence[str | int]) -> bool:
        """Whether the value at ``path`` is why the resource is replaced."""
        return any(tuple(path[: len(each)]) == each for each in self.replace_paths)


@dataclass(frozen=True, slots=True)
class OutputChange:
    """One output that changes."""

    name: str
    action: Action
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do."""

    terraform_version: str
    changes: tuple[ResourceChange, ...]
    """By address."""
    outputs: tuple[OutputChange, ...]
    drift: tuple[ResourceChange, ...]
    """What was changed behind Terraform's back since the last apply."""
    providers: Mapping[str, str]
    """Version by source address."""
    digest: str
    configuration: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """Terraform's own description of the modules: which variables an attribute is made of."""
    directory: Path | None = field(repr=False, default=None)
    """The root module that it was made in."""
    variables: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """What each of the root's variables was given, secrets too."""
    given: str | None = None
    """Digest of the variables, without the sensitive ones."""
    workspace: str = DEFAULT_WORKSPACE
    """Which of the backend's states it is for."""
    sources: str | None = None
    """Digest of what the modules say; ``None``: they do not lie here."""
    warnings: tuple[str, ...] = ()
    """What Terraform warned of, such as a ``check`` that fails."""

    @classmethod
    def of(
        cls,
        document: Mapping[str, Any],
        *,
        providers: Mapping[str, str] | None = None,
        directory: Path | None = None,
        warnings: Sequence[str] = (),
        workspace: str = DEFAULT_WORKSPACE,
    ) -> "Plan":
        """The plan in ``terraform show -json``; ``providers`` are the versions in use, by source address.

        ``warnings`` are what Terraform said beside it, ``workspace`` is whose state it is for.

        Raises:
            UsageError: the document is of a format that this version does not know.
        """
        if str(document.get("format_version", "")).split(".")[0] != "1":
            raise UsageError(
                f"the plan has format {document.get('format_version')!r}, and 1.x is known",
                hint="use an older Terraform, or a newer mlops-config-action",
            )
        configuration = document.get("configuration") or {}
        modules = Modules(configuration)
        found = _changes(document.get("resource_changes") or ())
        changes = tuple(replace(each, awaited=_awaited(each, modules)) for each in found)
        outputs = tuple(_outputs(document.get("output_changes") or {}))
        # Terraform also lists what differs in a mark alone, such as a value that is sensitive by its schema,
        # and what has another address in the modules.
        drift = tuple(
            each
            for each in _changes(document.get("resource_drift") or ())
            if each.action is not Action.MOVE and (each.action is not Action.UPDATE or each.differences)
        )
        plain, hidden = (_variables(document, sensitive=which) for which in (False, True))
        secrets = _secrets(hidden, (*changes, *outputs, *drift))
        changes, drift = _concealed(changes, secrets), _concealed(drift, secrets)
        outputs = _concealed(outputs, secrets)
        version = str(document.get("terraform_version", ""))
        chosen = dict(sorted((providers or {}).items()))
        sources = sources_digest(configuration, directory) if directory else None
        return cls(
            terraform_version=version,
            changes=changes,
            outputs=outputs,
            drift=drift,
            providers=chosen,
            digest=_digest(changes, outputs, plain, version, chosen, (workspace, sources)),
            configuration=configuration,
            directory=directory,
            workspace=workspace,
            sources=sources,
            variables={**plain, **hidden},
            given=sha256_of(rfc8785.dumps(_canonical(plain))),
            warnings=tuple(_blotted(each, secrets) for each in warnings),
        )

    @property
    def has_changes(self) -> bool:
        """Whether an apply would change anything, be it an output."""
        return bool(self.changes or self.outputs)

    @property
    def destructive(self) -> tuple[ResourceChange, ...]:
        """What deletes or replaces something that is there, so that it is missed."""
        return tuple(each for each in self.changes if each.is_destructive)

    def count(self, action: Action) -> int:
        """How many resources that happens to."""
        return sum(each.action is action for each in self.changes)

    def summary(self) -> str:
        """Such as ``3 to create, 1 to change, 0 to delete``; replacements and such where there are any."""
        told = summary(self.changes, self.outputs)
        if self.has_changes or not self.drift:
            return told
        return f"{told} by Terraform; {in_the_past(self.drift)} outside of it"


def summary(changes: Sequence[ResourceChange], outputs: Sequence[OutputChange] = ()) -> str:
    """The numbers in a line."""
    if not changes:
        if not outputs:
            return "nothing changes"
        return (
            f"no resource changes, {'1 output does' if len(outputs) == 1 else f'{len(outputs)} outputs do'}"
        )
    numbers = {action: sum(each.action is action for each in changes) for action in Action}
    always = ((Action.CREATE, "create"), (Action.UPDATE, "change"), (Action.DELETE, "delete"))
    parts = [f"{numbers[action]} to {word}" for action, word in always]
    rest = (Action.REPLACE, Action.IMPORT, Action.MOVE, Action.FORGET)
    return ", ".join([*parts, *(f"{numbers[action]} to {action}" for action in rest if numbers[action])])


def in_the_past(drift: Sequence[ResourceChange]) -> str:
    """What others did, such as ``1 changed, 1 deleted``."""
    words = {Action.CREATE: "created", Action.UPDATE: "changed", Action.DELETE: "deleted"}
    found = [words.get(each.action, f"{each.action}d") for each in drift]
    return ", ".join(f"{found.count(word)} {word}" for word in dict.fromkeys(found))


def _changes(documents: Sequence[Mapping[str, Any]]) -> Iterator[ResourceChange]:
    for each in sorted(documents, key=lambda each: (str(each["address"]), str(each.get("deposed", "")))):
        action = _action(each)
        if action is None or each.get("mode") == "data":
            continue
        change = each["change"]
        moved = each.get("previous_address")
        yield ResourceChange(
            address=f"{each['address']} ({each['deposed']})" if each.get("deposed") else str(each["address"]),
            type=str(each["type"]),
            provider=str(each.get("provider_name", "")),
            action=action,
            before=merged(change.get("before"), change.get("before_sensitive")),
            after=merged(change.get("after"), change.get("after_sensitive"), change.get("after_unknown")),
            module=str(each.get("module_address", "")),
            name=str(each.get("name", "")),
            index=each.get("index"),
            replace_paths=tuple(sorted((tuple(path) for path in change.get("replace_paths") or ()), key=str)),
            reason=each.get("action_reason"),
            moved_from=moved if moved != each["address"] else None,
            import_id=(change.get("importing") or {}).get("id"),
            created_first=tuple(change["actions"]) == ("create", "delete"),
        )


def _awaited(change: ResourceChange, modules: Modules) -> tuple[tuple[str | int, ...], ...]:
    if change.action is not Action.CREATE:
        return ()
    unknown = (each.path for each in change.differences if each.new is Mark.UNKNOWN)
    return tuple(path for path in unknown if modules.sets(change, path))


def _action(document: Mapping[str, Any]) -> Action | None:
    """``None`` for what stays as it is, and for what is only read."""
    change = document["change"]
    actions = tuple(change["actions"])
    if actions in _ACTIONS:
        return _ACTIONS[actions]
    if change.get("importing"):
        return Action.IMPORT
    if document.get("previous_address") not in (None, document["address"]):
        return Action.MOVE
    return None


def _outputs(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[OutputChange]:
    for name, change in sorted(documents.items()):
        action = _ACTIONS.get(tuple(change["actions"]))
        if action is not None:
            before = merged(change.get("before"), change.get("before_sensitive"))
            after = merged(change.get("after"), change.get("after_sensitive"), change.get("after_unknown"))
            yield OutputChange(name, action, before, after)


def _variables(document: Mapping[str, Any], *, sensitive: bool) -> dict[str, Any]:
    """The root's variables that are sensitive, or those that are not."""
    declared = ((document.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    return {
        name: each.get("value")
        for name, each in (document.get("variables") or {}).items()
        if bool((declared.get(name) or {}).get("sensitive")) is sensitive
    }


def _secrets(hidden: Mapping[str, Any], changes: Sequence[ResourceChange | OutputChange]) -> frozenset[str]:
    """The texts that must not be shown, wherever they stand; short ones would hide what is none."""
    found = [*secrets_in(Concealed(hidden))]
    for each in changes:
        found += [*secrets_in(each.before), *secrets_in(each.after)]
    return frozenset(text for text in found if len(text) >= LEAST_SECRET)


_Changed = TypeVar("_Changed", ResourceChange, OutputChange)


def _concealed(changes: tuple[_Changed, ...], secrets: frozenset[str]) -> tuple[_Changed, ...]:
    return tuple(
        replace(each, before=without(each.before, secrets), after=without(each.after, secrets))
        for each in changes
    )


def _blotted(text: str, secrets: frozenset[str]) -> str:
    for each in sorted(secrets, key=len, reverse=True):
        text = text.replace(each, str(Concealed(None)))
    return text


def _digest(
    changes: Sequence[ResourceChange],
    outputs: Sequence[OutputChange],
    variables: Mapping[str, Any],
    version: str,
    providers: Mapping[str, str],
    where: tuple[str, str | None],
) -> str:
    """``sha256:…`` over what a reader of the plan is shown, as RFC 8785 canonical JSON, and over the modules.

    A resource counts with its action and each value that differs, not with values that stay: those may be
    changed by the cloud itself between two plans. No times and no order count. Of secrets only that they
    differ counts, never a value: a digest is public.
    """
    meaning = {
        "format": DIGEST_FORMAT,
        "terraform": version.split(".")[:2],
        "providers": dict(providers),
        "workspace": where[0],
        "modules": where[1],
        "variables": _canonical(variables),
        "changes": [_change_meaning(each) for each in changes],
        "outputs": [
            [each.name, each.action.value, _canonical(each.before), _canonical(each.after)]
            for each in outputs
        ],
    }
    return sha256_of(rfc8785.dumps(meaning))


def _change_meaning(change: ResourceChange) -> dict[str, Any]:
    return {
        "address": change.address,
        "type": change.type,
        "provider": change.provider,
        "action": change.action.value,
        "values": [
            [list(map(str, each.path)), _canonical(each.old), _canonical(each.new)]
            for each in change.differences
        ],
        "replace_paths": [list(map(str, path)) for path in change.replace_paths],
        "reason": change.reason,
        "moved_from": change.moved_from,
        "import_id": change.import_id,
        "created_first": change.created_first,
    }


def _canonical(value: Any) -> Any:
    """JSON in which no mark can be taken for a value: what is no scalar is a list with its kind first."""
    if isinstance(value, Concealed):
        return ["sensitive"]
    if isinstance(value, Enum):
        return ["unknown" if value is Mark.UNKNOWN else "absent"]
    if isinstance(value, Mapping):
        return ["object", {key: _canonical(each) for key, each in value.items()}]
    if isinstance(value, list | tuple):
        return ["list", *map(_canonical, value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _BIGGEST_EXACT:
        return ["number", str(value)]
    return value
