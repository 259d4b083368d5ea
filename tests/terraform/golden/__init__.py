"""Plans of the six roots for the example's releases, as people review them: ``<environment>-<cloud>.json``.

``python -m tests.terraform.golden --write`` makes them anew. A plan is what Terraform makes in an empty
account: every resource with its values. What only the cloud will know is marked, JSON within text is
unfolded, what is null or empty is left out, and so are hashes of files, which change whenever a DAG does.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables
from tests.infrastructure import releases
from tests.services.terraform import Workspace
from tests.terraform import standin
from tests.terraform.test_environments_on_google_cloud import variables as google_variables

FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = ("dev", "staging", "prod")
CLOUDS = ("aws", "gcp")
ROOTS = tuple(f"{environment}-{cloud}" for cloud in CLOUDS for environment in ENVIRONMENTS)
ACCOUNTS: Mapping[str, str] = {"dev": "777788889999", "staging": "111122223333", "prod": "444455556666"}
"""Of the example on AWS."""
UNKNOWN = "(known after apply)"
_HASHES = frozenset({"etag", "source_hash", "source_md5hash", "detect_md5hash"})
_TWICE = frozenset({"tags_all", "effective_labels", "terraform_labels"})
"""Said by ``tags`` and ``labels``."""
_MAKES_LINES = 200
"""Characters; a longer text of several lines is a list of them."""

Document = dict[str, Any]


def release(name: str) -> ReleaseVariables:
    """The example's release for a root such as ``dev-aws``."""
    environment, cloud = name.split("-")
    if cloud == "gcp":
        return google_variables(environment)
    image = releases.image(environment)
    own = image.repository.replace(ACCOUNTS["prod"], ACCOUNTS[environment])
    return releases.variables(environment, image=image.model_copy(update={"repository": own}))


class Plans:
    """A staged ``terraform/`` in which each root has its release; a root is planned when it is asked for."""

    def __init__(self, folder: Path, program: Path, mirror: standin.Environment) -> None:
        self.tree = standin.stage(standin.ROOT / "terraform", folder / "terraform")
        self._program, self._mirror = program, mirror.with_cloud(folder / "cloud")
        self._done: dict[str, Document] = {}

    def of(self, name: str) -> Document:
        """The normal form of a root's plan."""
        if name not in self._done:
            root = self.workspace(name)
            (root.folder / FILE_NAME).write_bytes(release(name).to_json())
            root.done("init", "-input=false")
            root.done("plan", "-input=false", "-out=tfplan")
            self._done[name] = normal(json.loads(root.done("show", "-json", "tfplan")), self.tree.parent)
        return self._done[name]

    def workspace(self, name: str) -> Workspace:
        """Terraform in a root."""
        return Workspace(self.tree / "environments" / "/".join(name.split("-")), self._program, self._mirror)


def normal(plan: Mapping[str, Any], checkout: Path) -> Document:
    """What ``terraform show -json`` has of a plan, with paths below ``checkout`` made relative to it."""
    resources = {
        change["address"]: _listed(_merged(change["change"]["after"], change["change"]["after_unknown"]))
        for change in plan["resource_changes"]
        if change["mode"] == "managed"
    }
    outputs = {
        name: _merged(change.get("after"), change["after_unknown"])
        for name, change in plan["output_changes"].items()
    }
    found: Document = _plain({"outputs": outputs, "resources": resources}, str(checkout))
    return found


def _listed(values: Document) -> Document:
    """With the names of what is wholly unknown on one line."""
    unknown = sorted(
        name for name, value in values.items() if value == UNKNOWN and name not in _HASHES | _TWICE
    )
    known = {name: value for name, value in values.items() if value != UNKNOWN}
    return known | ({UNKNOWN: ", ".join(unknown)} if unknown else {})


def _merged(after: Any, unknown: Any) -> Any:
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, dict) and isinstance(after, dict | None):
        names = (after or {}).keys() | unknown.keys()
        return {name: _merged((after or {}).get(name), unknown.get(name)) for name in names}
    if isinstance(unknown, list) and isinstance(after, list | None):
        longest = max(len(after or ()), len(unknown))
        return [_merged(_at(after or (), index), _at(unknown, index)) for index in range(longest)]
    return after


def _at(values: Any, index: int) -> Any:
    return values[index] if index < len(values) else None


def _plain(value: Any, checkout: str) -> Any:
    if isinstance(value, dict):
        inner = {
            name: _plain(value[name], checkout) for name in sorted(value) if name not in _HASHES | _TWICE
        }
        return {name: each for name, each in inner.items() if each not in (None, {}, [])}
    if isinstance(value, list):
        return [_plain(each, checkout) for each in value]
    if not isinstance(value, str):
        return value
    text = re.sub(rf"{re.escape(checkout)}|(\.\./)+\.\.(?=/)", "…", value)
    if text[:1] in ("{", "["):
        try:
            return {"JSON": _plain(json.loads(text), checkout)}
        except ValueError:
            return text
    return text.splitlines() if "\n" in text and len(text) > _MAKES_LINES else text


def text_of(document: Document) -> str:
    """A normal form as its file has it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value that holds no others, with the names that lead to it; places in a list are ``[0]``."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from leaves(each, (*path, f"[{index}]"))
    else:
        yield path, value


def differences(expected: Document, found: Document) -> list[str]:
    """Each value that is another, on a line of its own; none when they are equal."""
    before, after = dict(leaves(expected)), dict(leaves(found))
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            lines.append(f"- {_written(path)}: {_shown(before[path])}")
        elif path not in before:
            lines.append(f"+ {_written(path)}: {_shown(after[path])}")
        elif before[path] != after[path]:
            lines.append(f"~ {_written(path)}: {_shown(before[path])} -> {_shown(after[path])}")
    return lines


def _written(path: tuple[str, ...]) -> str:
    return " ".join(path)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
