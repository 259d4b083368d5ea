"""The YAML reader against a reference, and against whatever bytes come along."""

import re
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlops_config.contract.reading.scalars import MAX_INTEGER
from mlops_config.contract.reading.yaml_reader import Document, read_document
from mlops_config.findings import ConfigPath, Place

PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class CoreSchemaLoader(PARSER):  # type: ignore[misc]  # one class or the other
    """PyYAML with a resolver written from the table of YAML 1.2.2, section 10.3.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own name and shape


CORE_TABLE = {
    "null": r"(?:null|Null|NULL|~|)$",
    "bool": r"(?:true|True|TRUE|false|False|FALSE)$",
    "int": r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
}


def construct_int(_: Any, node: Any) -> int:
    bases = {"0o": 8, "0x": 16}
    return int(node.value[2:], bases[node.value[:2]]) if node.value[:2] in bases else int(node.value)


for name, pattern in CORE_TABLE.items():
    CoreSchemaLoader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(pattern), None)
CoreSchemaLoader.add_constructor("tag:yaml.org,2002:int", construct_int)
CoreSchemaLoader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def read(text: str | bytes) -> Document:
    return read_document(text if isinstance(text, bytes) else text.encode(), "a.yaml")


def reference(text: str) -> Any:
    return yaml.load(text, CoreSchemaLoader)  # noqa: S506 - derived from the safe loader


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from 1.0 and from true."""
    return type(left) is type(right) and repr(left) == repr(right)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), max_size=12)
spellings = st.sampled_from(
    ["no", "1e-4", "0123", "1_000", "12:30", "~", "true", "0x1F", "0o17", "2026-10-01"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
    | spellings
)
keys = words | spellings
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(keys, trees, min_size=1, max_size=6),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.booleans(),
)
def test_what_pyyaml_writes_is_read_as_the_reference_reads_it(
    data: dict[str, Any], flow: bool | None, style: str | None, allow_unicode: bool
) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, default_style=style, allow_unicode=allow_unicode)
    document = read(text)
    if document.is_sound:
        assert same(document.data, reference(text))
    else:
        allowed = {"Y08", "Y10", "Y11", "Y12", "Y15"}  # tags PyYAML writes, odd characters, keys such as 0123
        assert {each.code for each in document.findings if each.severity == "error"} <= allowed


PIECES = (
    """a|b|k: |- |  |\n|\n  |: |[|]|{|}|, |'|"|#| #|&x |*x|!t |? |---\n|...\n|%|@|\t|~|1|.5|e|é|\\n|<<: """
)
yaml_soup = st.lists(st.sampled_from([*PIECES.split("|"), "|\n", ">\n"]), max_size=24).map("".join)


@given(yaml_soup)
@example("a: 'b\n  c'")
@example("k: |\n  a\n b")
@settings(max_examples=400)
def test_what_is_read_without_error_the_reference_reads_alike(text: str) -> None:
    document = read(text)
    if document.is_sound:
        assert same(document.data, reference(text))


@given(yaml_soup)
@settings(max_examples=300)
def test_what_the_reference_refuses_is_an_error(text: str) -> None:
    try:
        reference(text)
    except yaml.YAMLError:
        assert not read(text).is_sound


def check_places(document: Document) -> None:
    for finding in document.findings:
        for place in (finding.place, *(each.place for each in finding.related)):
            assert place is not None
            assert place.line >= 1
            assert place.column >= 1
            if document.text:
                lines = document.text.split("\n")
                assert place.line <= len(lines)
                assert place.column <= len(lines[place.line - 1]) + 1


@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea\x00:\x00")
@example(b"\x00")
@example(b"'")
@example(b"%")
@example(b"a: !")
@example(b"a: !!")
@example(b"!<>")
@example(b"a: \xf4\x90\x80\x80")
@settings(max_examples=400)
def test_no_bytes_raise(data: bytes) -> None:
    check_places(read(data))


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_no_text_raises(text: str) -> None:
    check_places(read(text.encode("utf-8", "surrogatepass")))


plain_words = st.text("abcdefghijklmnopqrstuvwxyzäßя名🎉", min_size=1, max_size=8).filter(
    lambda word: word not in ("true", "false", "null", "y", "n", "yes", "no", "on", "off")
)
literals = (
    plain_words
    | st.integers(-999, 999).map(str)
    | st.sampled_from(
        ["0.5", "true", "null", "[1, b]", "{c: d, e: [f]}", '"\\u00e9 \\t"', "'it''s'", '"# : -"', "~"]
    )
    | plain_words.map(lambda word: f"'{word}'")
    | plain_words.map(lambda word: f'"{word}"')
)
layouts = st.recursive(
    literals,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(plain_words, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


def write(layout: Any, path: ConfigPath, indent: str, expected: dict[ConfigPath, str]) -> str:
    """The layout in block style, with ``expected`` filled with the spelling of each literal by path."""
    lines = ""
    entries = layout.items() if isinstance(layout, dict) else enumerate(layout)
    for step, inner in entries:
        lead = f"{indent}{step}:" if isinstance(layout, dict) else f"{indent}-"
        if isinstance(inner, str):
            expected[(*path, step)] = inner
            lines += f"{lead} {inner}  # note: 'ü' [\n"
        else:
            lines += f"{lead}\n{write(inner, (*path, step), indent + '  ', expected)}"
    return lines


@given(st.dictionaries(plain_words, layouts, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_place_of_a_value_holds_exactly_its_spelling(layout: dict[str, Any]) -> None:
    expected: dict[ConfigPath, str] = {}
    document = read(write(layout, (), "", expected))
    assert document.findings == ()
    for path, spelling in expected.items():
        place = document.positions.value(path)
        assert place is not None
        assert document.slice(place) == spelling
        if isinstance(path[-1], str):
            key = document.positions.key(path)
            assert key is not None
            assert document.slice(key) == path[-1]


def test_places_count_code_points_from_one() -> None:
    document = read("🎉é: [名, x]\n")
    assert document.positions.value(("🎉é", 1)) == Place("a.yaml", 1, 9, 1, 10)
    assert document.positions.key(("🎉é",)) == Place("a.yaml", 1, 1, 1, 3)
