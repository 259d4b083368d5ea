"""Writes ``docs/contract/<kind>.md``, the reference of every field, from the models; ``--check`` compares."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_config.contract.models.schema import json_schema
from mlops_config.kinds import Kind

ROOT = Path(__file__).resolve().parent.parent
UNITS = {
    "_gib": "GiB",
    "_mib": "MiB",
    "_ms": "ms",
    "_percent": "%",
    "_fraction": "0 to 1",
    "_usd_per_month": "USD a month",
    "_usd": "USD",
}
FORMS = {
    "duration": "ISO 8601: weeks, or days, hours, minutes and seconds; no years or months",
    "date-time": "ISO 8601, UTC, with the Z",
}
LARGEST_COUNT = 2**31 - 1
"""The bound of what has no bound of its own; not worth a reader's time."""
HEADER = ("Field", "Type", "Default", "Allowed", "Meaning", "Source")
Schema = dict[str, Any]


@dataclass
class Page:
    """One page in the making: its lines, the types of text met, and where mappings were shown first."""

    definitions: dict[str, Schema]
    lines: list[str] = field(default_factory=list)
    texts: dict[str, Schema] = field(default_factory=dict)
    shown: dict[tuple[str, ...], str] = field(default_factory=dict)

    def resolve(self, schema: Schema) -> Schema:
        """``schema`` itself, or what its ``$ref`` names, with the words it adds."""
        if "$ref" not in schema:
            return schema
        target = self.definitions[_target(schema)]
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}

    def variants(self, schema: Schema) -> list[Schema]:
        """What a value may be, apart from null."""
        options = schema.get("anyOf") or schema.get("oneOf") or [schema]
        resolved = [self.resolve(option) for option in options if option.get("type") != "null"]
        return [
            inner
            for option in resolved
            for inner in (self.variants(option) if _is_union(option) else [option])
        ]

    def objects(self, schema: Schema) -> list[Schema]:
        """The mappings with declared keys that a value, an item of it, or a value of its keys may be."""
        found: list[Schema] = []
        options = schema.get("anyOf") or schema.get("oneOf") or [schema]
        targets = [self.definitions[_target(option)] if "$ref" in option else option for option in options]
        for variant in targets:
            if _is_union(variant):
                found.extend(self.objects(variant))
            if "properties" in variant:
                found.append(variant)
            for inner in (variant.get("items"), variant.get("additionalProperties")):
                if isinstance(inner, dict):
                    found.extend(self.objects(inner))
        return found

    def section(self, path: str, body: Schema, depth: int, note: str = "") -> None:
        """The table of one mapping, then those of the mappings in it."""
        heading = f"`{path}`{note}" if path else "The file"
        self.lines += ["", f"{'#' * min(depth, 5)} {heading}", "", _sentence(body.get("description", "")), ""]
        self.lines += [_row(HEADER), _row(["---"] * len(HEADER))]
        required = set(body.get("required", ()))
        for name, value in body["properties"].items():
            self.lines.append(_row(self.cells(name, value, required=name in required)))
        for name, value in body["properties"].items():
            self.inner_sections(_join(path, name, self.resolve(value)), self.objects(value), depth + 1, note)

    def inner_sections(self, path: str, variants: list[Schema], depth: int, note: str) -> None:
        """The sections of what a field may be; one line where they stand further up already."""
        shown = self.shown.get(_names(variants)) if variants else None
        if shown is not None:
            self.lines += ["", f"{'#' * min(depth, 5)} `{path}`{note}", "", f"As {shown} above."]
            return
        if variants:
            self.shown[_names(variants)] = f"`{path}`{note}"
        for each in variants:
            tag = _tag(each) if len(variants) > 1 else None
            self.section(path, each, depth, note + (f", {tag[0]} `{tag[1]}`" if tag else ""))

    def cells(self, name: str, value: Schema, *, required: bool) -> Iterator[str]:
        """One field's row."""
        resolved = self.resolve(value)
        meaning, _, source = resolved.get("description", "").partition(" Source: ")
        options = self.variants(resolved)
        nullable = any(option.get("type") == "null" for option in resolved.get("anyOf", ()))
        kinds = list(dict.fromkeys(self.type_name(option) for option in options))
        unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
        yield f"`{name}`"
        yield " or ".join(kinds) + (f", {unit}" if unit else "") + (", or null" if nullable else "")
        default = _code(resolved.get("default"))
        if isinstance(resolved.get("default"), dict) and self.objects(value):
            default = _default_mapping(resolved["default"], self.objects(value))
        yield "**required**" if required else default
        yield "; ".join(dict.fromkeys(filter(None, map(self.allowed, options))))
        yield _sentence(meaning)
        yield _sentence(source)

    def type_name(self, schema: Schema) -> str:
        """The type in a word or two."""
        if schema.get("type") == "array":
            items = dict.fromkeys(self.type_name(option) for option in self.variants(schema["items"]))
            return f"list of {' or '.join(items)}"
        if "properties" in schema:
            return "mapping"
        if schema.get("type") == "object":
            values = dict.fromkeys(
                self.type_name(option) for option in self.variants(schema["additionalProperties"])
            )
            return f"mapping to {' or '.join(values)}"
        if "const" in schema or "enum" in schema:
            return "choice"
        if "pattern" in schema or "format" in schema:
            self.texts.setdefault(schema["title"], schema)
            return f"[{schema['title']}](#types-of-text)"
        return {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}[
            schema["type"]
        ]

    def allowed(self, schema: Schema) -> str:
        """The values allowed, where the type does not say it already."""
        if "const" in schema:
            return _code(schema["const"])
        if "enum" in schema:
            return ", ".join(map(_code, schema["enum"]))
        if schema.get("format") == "duration":
            return _code(schema["$comment"])
        if schema.get("type") == "array":
            size = _range(schema.get("minItems"), schema.get("maxItems"), " items")
            of = self.allowed(schema["items"]) if "enum" in schema["items"] else ""
            return ": ".join(filter(None, (size, of)))
        if schema.get("type") == "object" and "properties" not in schema:
            return _range(schema.get("minProperties"), schema.get("maxProperties"), " keys")
        if schema.get("type") in ("integer", "number"):
            return _bounds(schema)
        return ""

    def types_of_text(self) -> None:
        """The table of the named types of text the page refers to."""
        self.lines += ["", "## Types of text", "", _row(("Type", "Form", "Longest", "Example"))]
        self.lines.append(_row(["---"] * 4))
        for title in sorted(self.texts):
            schema = self.texts[title]
            examples = ", ".join(map(_code, schema.get("examples", ())))
            form = FORMS.get(schema.get("format", "")) or _code(schema["pattern"])
            self.lines.append(_row((title, form, str(schema.get("maxLength", "")), examples)))


def page(kind: Kind) -> str:
    """The reference page of one kind."""
    schema = json_schema(kind)
    made = Page(schema["$defs"])
    made.section("", schema, 2)
    made.types_of_text()
    opening = [
        "<!-- Made by tools/generate_contract_docs.py from the models; edit those. -->",
        "",
        f"# The {kind} file",
        "",
        f"`configs/<environment>/<environment>_{kind}_config.yaml`."
        f" Its JSON Schema is [`schemas/{kind}.schema.json`](../../schemas/{kind}.schema.json);"
        " what all four files share is in [README.md](README.md).",
    ]
    return "\n".join([*opening, *made.lines]) + "\n"


def _target(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _is_union(schema: Schema) -> bool:
    return "anyOf" in schema or "oneOf" in schema


def _tag(schema: Schema) -> tuple[str, str] | None:
    """The key whose value tells one variant from the others, and that value."""
    for name, value in schema["properties"].items():
        if "const" in value:
            return name, value["const"]
        if "enum" in value and name in schema.get("required", ()):
            return name, "`, `".join(value["enum"])
    return None


def _names(variants: list[Schema]) -> tuple[str, ...]:
    return tuple(variant["title"] for variant in variants)


def _join(path: str, name: str, schema: Schema) -> str:
    joined = f"{path}.{name}" if path else name
    if schema.get("type") == "array":
        return joined + "[]"
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    if options[0].get("type") == "array":
        return joined + "[]"
    return f"{joined}.<key>" if schema.get("type") == "object" and "properties" not in schema else joined


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and low == high:
        return _number(low)
    parts = [
        f"from {_number(low)}" if low is not None else "",
        f"above {_number(above)}" if above is not None else "",
        f"to {_number(high)}" if high not in (None, LARGEST_COUNT) else "",
        f"below {_number(below)}" if below is not None else "",
    ]
    return " ".join(filter(None, parts))


def _range(low: int | None, high: int | None, noun: str) -> str:
    if low is None and high is None:
        return ""
    if low == high:
        return f"{low}{noun}"
    if low is None:
        return f"at most {high:,}{noun}"
    return f"at least {low}{noun}" if high is None else f"{low} to {high:,}{noun}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default_mapping(value: Schema, variants: list[Schema]) -> str:
    """Where a mapping's defaults are read: its own section, of the variant it is where there are several."""
    tag = _tag(variants[0]) if len(variants) > 1 else None
    if not value:
        return "`{}`"
    return f"`{{{tag[0]}: {value[tag[0]]}}}`, then as below" if tag else "as below"


def _code(value: Any) -> str:
    content = value if isinstance(value, str) else json.dumps(value)
    return f"`{content}`"


def _sentence(text: str) -> str:
    stripped = text.strip().replace("<", "\\<")
    return stripped if not stripped or stripped.endswith(".") else f"{stripped}."


def _row(cells: Sequence[str] | Iterator[str]) -> str:
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or compares the pages; 1 where one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(arguments).check
    code = 0
    for kind in Kind:
        path = ROOT / "docs" / "contract" / f"{kind}.md"
        content = page(kind)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            print(
                f"{path.relative_to(ROOT)} is out of date: run python tools/generate_contract_docs.py",
                file=sys.stderr,
            )
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
