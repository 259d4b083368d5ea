"""Writes the variables of each root module; ``--check`` compares.

``release.tf`` is made from the model of the release's variables. ``variables.tf``, which says where an
environment lies and how large it is, is the same for each environment on a cloud: it is kept once, in
``tools/terraform_variables``.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from mlops_config.infrastructure.variables import (
    COMMIT,
    DIGEST,
    IMAGE,
    ConfigValues,
    ReleaseFacts,
    ReleaseVariables,
)

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "terraform" / "environments"
RELEASE_FILE, SETTINGS_FILE = "release.tf", "variables.tf"
SETTINGS = Path(__file__).resolve().parent / "terraform_variables"
"""A file for each cloud, as it is written."""
MADE_FROM = """\
# In mlops-config-action tools/generate_terraform_variables.py makes this from
# tools/terraform_variables/{name}. A copy in a repository of yours may say more.
"""
HEADING = """\
# The release that the infrastructure is for: `mlops-config deploy` writes it as release.auto.tfvars.json.
# In mlops-config-action tools/generate_terraform_variables.py makes this from the model of these variables.
# Do not edit.
"""
_PLAIN = {str: "string", int: "number", float: "number", bool: "bool"}


def files() -> dict[Path, str]:
    """The files of every root module that is there, by their paths."""
    roots = sorted(each.parent for each in ENVIRONMENTS.glob("*/*/main.tf"))
    releases = {root / RELEASE_FILE: written(root.parent.name) for root in roots}
    return releases | {root / SETTINGS_FILE: settings(root.name) for root in roots}


def settings(cloud: str) -> str:
    """What can be said of an environment on a cloud, under the file's own first comment."""
    source = SETTINGS / f"{cloud}.tf"
    comment, _, rest = source.read_text(encoding="utf-8").partition("\n\n")
    return f"{comment}\n{MADE_FROM.format(name=source.name)}\n{rest}"


def written(environment: str) -> str:
    """The release's variables for an environment's root modules."""
    blocks = [
        _variable(name, field.annotation, field.description or "", checks)
        for (name, field), checks in zip(
            ReleaseVariables.model_fields.items(), _checks(environment), strict=True
        )
    ]
    return "\n".join([HEADING, *blocks])


def _checks(environment: str) -> Iterator[list[tuple[str, str]]]:
    """Each variable's conditions with what is said when they do not hold, in the order of the model."""
    yield [
        (
            f'can(regex("^([A-Za-z0-9][A-Za-z0-9._-]*/)*{environment}/$", var.mlops_config_path))',
            f"mlops_config_path must be the folder of the {environment} files, like configs/{environment}/.",
        )
    ]
    yield [
        _filled("release", ReleaseFacts),
        (
            f'var.release.environment == "{environment}"',
            f"This is {environment}: the release must be one of {environment}.",
        ),
        (
            f'can(regex("{DIGEST}", var.release.config_digest))',
            "release.config_digest must be sha256: and 64 hex digits.",
        ),
        (
            f'var.release.commit == null || can(regex("{COMMIT}", var.release.commit))',
            "release.commit must be a full commit of 40 or 64 hex digits, or null.",
        ),
        (
            f'var.release.image == null || can(regex("{IMAGE}", var.release.image))',
            "release.image must name the image by digest, repository@sha256:…, or be null.",
        ),
    ]
    yield [
        _filled("config", ConfigValues),
        (
            'contains(["local", "aws", "gcp"], var.config.target)',
            "config.target must be local, aws or gcp.",
        ),
        (
            "alltrue([for alert in values(var.config.alerts) :"
            ' contains(["page", "ticket"], alert.severity)])',
            "The severity of an alert must be page or ticket.",
        ),
        (
            "alltrue([for alert in values(var.config.alerts) :"
            f' lookup(alert.labels, "environment", "") == "{environment}"])',
            f"This is {environment}: every alert must be one of {environment}.",
        ),
        (
            "alltrue([for days in values(var.config.retention_days) : days >= 1])",
            "What is kept must be kept for a day at least.",
        ),
    ]


def _filled(variable: str, model: type[BaseModel]) -> tuple[str, str]:
    """Terraform lets every attribute of an object be null; what is not optional must not be."""
    names = [
        name for name, field in model.model_fields.items() if type(None) not in get_args(field.annotation)
    ]
    listed = "\n".join(f"      var.{variable}.{name} != null," for name in names)
    free = ", ".join(name for name in model.model_fields if name not in names)
    return f"alltrue([\n{listed}\n    ])", f"Of {variable} only {free} may be null."


def _variable(name: str, type_: Any, description: str, checks: Sequence[tuple[str, str]]) -> str:
    lines = [
        f'variable "{name}" {{',
        f'  description = "{description}"',
        f"  type        = {_type(type_, '  ')}" if _is_plain(type_) else f"  type = {_type(type_, '  ')}",
        "  nullable    = false" if _is_plain(type_) else "  nullable = false",
    ]
    for condition, message in checks:
        lines += [
            "",
            "  validation {",
            # Terraform aligns no value of several lines.
            f"    condition = {condition}" if "\n" in condition else f"    condition     = {condition}",
            f'    error_message = "{message}"',
            "  }",
        ]
    return "\n".join([*lines, "}", ""])


def _is_plain(type_: Any) -> bool:
    return type_ in _PLAIN


def _type(type_: Any, indent: str) -> str:
    """The type as Terraform writes it; what may be null is optional, since null is what it then is."""
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ in _PLAIN:
        return _PLAIN[type_]
    if origin is Annotated:
        return _type(arguments[0], indent)
    if origin is Literal:
        return "string"
    if origin in (Union, UnionType):
        (given,) = (each for each in arguments if each is not type(None))
        return f"optional({_type(given, indent)})"
    if origin is tuple:
        return f"list({_type(arguments[0], indent)})"
    if origin is not None and issubclass(origin, Mapping):
        return f"map({_type(arguments[1], indent)})"
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return _object(type_, indent)
    raise TypeError(f"Terraform has no type for {type_!r}")


def _object(model: type[BaseModel], indent: str) -> str:
    """An object type, each attribute under its description."""
    lines = ["object({"]
    below = f"{indent}  "
    for name, field in model.model_fields.items():
        lines.append(f"{below}# {field.description}")
        lines.append(f"{below}{field.alias or name} = {_type(field.annotation, below)}")
    return "\n".join([*lines, f"{indent}}})"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or compares the files; 1 where one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args(arguments).check:
        for path, content in files().items():
            path.write_text(content, encoding="utf-8", newline="\n")
        return 0
    stale = [
        path
        for path, content in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    for path in stale:
        print(
            f"{path.relative_to(ROOT)} is out of date: run python tools/generate_terraform_variables.py",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
