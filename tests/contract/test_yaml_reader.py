"""The YAML reader: data, and a finding with its place for everything that is refused."""

import pytest
import yaml

from mlops_config.contract.reading.yaml_reader import MAX_BYTES, MAX_DEPTH, UNREAD, Document, read_document
from mlops_config.findings import Finding, Severity


def read(text: str | bytes) -> Document:
    return read_document(text.encode() if isinstance(text, str) else text, "a.yaml")


def only(document: Document) -> Finding:
    assert len(document.findings) == 1, document.findings
    return document.findings[0]


def at(finding: Finding) -> tuple[int, int]:
    assert finding.place is not None
    assert finding.place.file == "a.yaml"
    return finding.place.line, finding.place.column


def test_plain_data_comes_out_as_it_is_written() -> None:
    document = read("a: 1\nb: [x, 2.5, true, null, ~]\nc:\n  - {d: 'e'}\n  - |\n    f\n    g\n")
    assert document.data == {"a": 1, "b": ["x", 2.5, True, None, None], "c": [{"d": "e"}, "f\ng\n"]}
    assert document.findings == ()
    assert document.is_sound


@pytest.mark.parametrize("start", ["", "\ufeff", "---\n", "%YAML 1.2\n---\n", "# comment\n\n"])
def test_what_may_stand_before_the_data_changes_nothing(start: str) -> None:
    document = read(f"{start}a: 1\n")
    assert (document.data, document.findings) == ({"a": 1}, ())


def test_windows_line_ends_are_line_ends() -> None:
    document = read("a: 1\r\nb: x\r\n")
    assert document.data == {"a": 1, "b": "x"}
    assert document.positions.value(("b",)) == document.positions.nearest(("b",))
    assert document.findings == ()


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "Y02", (1, 1)),
        ("# nothing\n", "Y02", (1, 1)),
        ("---\n", "Y02", (1, 1)),
        ("- a\n", "Y03", (1, 1)),
        ("just words\n", "Y03", (1, 1)),
        ("a:b\n", "Y03", (1, 1)),
        ("a: 1\n---\nb: 2\n", "Y04", (2, 1)),
        ("a: 1\nb: 2\na: 3\n", "Y05", (3, 1)),
        ("a: {b: 1, b: 2}\n", "Y05", (1, 11)),
        ("a: &here 1\n", "Y06", (1, 4)),
        ("a: *there\n", "Y06", (1, 4)),
        ("&key a: 1\n", "Y06", (1, 1)),
        ("a: !!str 1\n", "Y08", (1, 4)),
        ("a: !mine {b: 1}\n", "Y08", (1, 4)),
        ("a: !!python/object/apply:os.system [ls]\n", "Y08", (1, 4)),
        (b"a: x\nb: caf\xe9\n", "Y09", (2, 7)),
        (b"a: \xc3\xa9\xc3\xa9\xff\n", "Y09", (1, 6)),
        ("a: 1\n".encode("utf-16"), "Y09", (1, 1)),
        (b"\x7fELF\x02\x01\x00\x00", "Y09", (1, 7)),
        ("a: b\x07\n", "Y10", (1, 5)),
        ("a: b\u2028\n", "Y10", (1, 5)),
        ("a: b\x85\n", "Y10", (1, 5)),
        ('a: "\\0"\n', "Y10", (1, 4)),
        ('a: "x\\e[31m"\n', "Y10", (1, 4)),
        ("a: admin\u202e\n", "Y11", (1, 9)),
        ("# \u2066\na: 1\n", "Y11", (1, 3)),
        ("a:\n\tb: 1\n", "Y12", (2, 1)),
        ("a:\t1\n", "Y12", (1, 3)),
        ("a: 1\t\n", "Y12", (1, 5)),
        ("1: a\n", "Y15", (1, 1)),
        ("true: a\n", "Y15", (1, 1)),
        ("{'a': 1, 2: 3}\n", "Y15", (1, 10)),
        ("? [a]\n: b\n", "Y15", (1, 3)),
        ("a: {{ value }}\n", "Y15", (1, 5)),
        ("a: .nan\n", "Y16", (1, 4)),
        ("a: -.inf\n", "Y16", (1, 4)),
        ("a: 123e456\n", "Y16", (1, 4)),
        (f"a: {2**53}\n", "Y16", (1, 4)),
        ("%YAML 1.1\n---\na: 1\n", "Y17", (1, 1)),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "Y17", (1, 1)),
    ],
)
def test_everything_refused_is_an_error_at_its_place(
    text: str | bytes, code: str, place: tuple[int, int]
) -> None:
    finding = only(read(text))
    assert (finding.code, finding.severity, at(finding)) == (code, Severity.ERROR, place)
    assert not read(text).is_sound


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: [1, 2\nb: 3\n", (1, 4), "[ is never closed"),
        ("a: {b: 1\nc: 2\n", (1, 4), "{ is never closed"),
        ("a: 'b\n\nc: d\n", (1, 4), "quote is never closed"),
        ("a: 'it's'\n", (1, 8), "after the end of the value"),
        ("a: b: c\n", (1, 5), "a colon starts a value"),
        ("a: 1\n b: 2\n", (2, 3), "a colon starts a value"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "line up with the keys above"),
        ("a:\n  - b\n - c\n", (3, 2), "line up with the keys above"),
        ("a: 1\nsome words\nb: 2\n", (2, 1), "neither a key"),
        ("a: 1\n: b\n", (2, 1), "no key stands before"),
        ("a: [", (1, 5), "the file ends"),
        ("a: [b,\n", (1, 7), "the file ends"),
        ("a: @b\n", (1, 4), "no value can start with @"),
        ("a: %b\n", (1, 4), "no value can start with %"),
        ("a: - b\n", (1, 4), "a list item cannot start here"),
        ("a: ? b\n", (1, 4), "a key cannot start here"),
        ('a: "\\q"\n', (1, 5), "backslash"),
        ("a: |x\n b\n", (1, 5), "something else on it"),
        ("a: &\n", (1, 5), "& starts an anchor"),
        ("a: b\n...\nc: d\n", (3, 1), "follows the document's end"),
        ("a: 1\n<<<<<<< ours\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n", (2, 1), "merge conflict"),
    ],
)
def test_a_syntax_error_is_worded_and_placed_where_it_must_be_mended(
    text: str, place: tuple[int, int], words: str
) -> None:
    finding = only(read(text))
    assert finding.code == "Y01"
    assert at(finding) == place
    assert words in finding.message
    assert finding.hint


def test_every_finding_has_a_hint() -> None:
    broken = "a: &x 1\nb: *x\nc: {<<: *x}\na: 2\n3: !t x\nd: .inf\ne: no\n? [f]\n: g\n"
    document = read(broken)
    assert {each.code for each in document.findings} == {"Y05", "Y06", "Y07", "Y08", "Y15", "Y16", "Y20"}
    assert all(each.hint for each in document.findings)


def test_a_merge_key_is_refused_and_its_mapping_known_to_lack_keys() -> None:
    document = read("base: &base {x: 1}\na:\n  <<: *base\n  y: 2\n")
    merge = next(each for each in document.findings if each.code == "Y07")
    assert at(merge) == (3, 3)
    assert document.data["a"] == {"y": 2}
    assert document.merged == ({"y": 2},)


def test_a_quoted_merge_key_is_a_key_like_others() -> None:
    assert read('"<<": 1\n').data == {"<<": 1}


def test_a_duplicate_names_the_first_place() -> None:
    finding = only(read("a: 1\nb: 2\na: 3\n"))
    assert finding.related[0].place.line == 1


def test_the_first_of_two_values_is_kept() -> None:
    assert read("a: 1\na: 2\n").data == {"a": 1}


def test_an_alias_leaves_a_mark_and_no_value() -> None:
    document = read("a: &x [1]\nb: *x\n")
    assert document.data["b"] is UNREAD
    alias = document.findings[1]
    assert alias.path == ("b",)
    assert alias.related[0].place.line == 1


def test_findings_of_a_file_come_together() -> None:
    document = read(b"a: caf\xe9\nb: no\nb: 1\nc: !x y\n")
    assert [each.code for each in document.findings] == ["Y09", "Y20", "Y05", "Y08"]


def test_findings_know_the_path_of_their_value() -> None:
    document = read("a:\n  - b: no\n")
    assert only(document).path == ("a", 0, "b")


def test_many_findings_of_one_kind_are_counted() -> None:
    document = read("".join(f"k{number}: no\n" for number in range(50)))
    assert len(document.findings) == 20
    assert "30 more" in document.findings[-1].message


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    text = b"a: 1\n#"
    assert read(text + b"x" * (MAX_BYTES - len(text))).data == {"a": 1}
    assert only(read(text + b"x" * (MAX_BYTES - len(text) + 1))).code == "Y13"


@pytest.mark.parametrize("open_and_close", [("[", "]"), ("{a: ", "}")])
def test_nesting_is_read_to_the_limit_and_no_deeper(open_and_close: tuple[str, str]) -> None:
    left, right = open_and_close
    deepest = MAX_DEPTH - 1
    assert read(f"a: {left * deepest}{right * deepest}\n").findings == ()
    finding = only(read(f"a: {left * (deepest + 1)}{right * (deepest + 1)}\n"))
    assert finding.code == "Y14"


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_a_quarter_megabyte_of_nesting_is_refused_at_once(unit: str) -> None:
    document = read(unit * (MAX_BYTES // len(unit)))
    assert not document.is_sound


def test_a_bomb_of_aliases_is_refused_and_nothing_is_expanded() -> None:
    lines = ["a0: &a0 [lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    document = read("\n".join(lines) + "\n")
    assert {each.code for each in document.findings} == {"Y06"}
    assert document.data["a29"] == [UNREAD] * 9


def test_tabs_in_values_and_comments_are_nobodys_business() -> None:
    text = "a: 'x\ty'\nb: |\n  c\td\n# e\tf\ng: 1 # h\ti\n"
    assert read(text).findings == ()


def test_stray_tabs_are_one_finding_that_counts_lines() -> None:
    finding = only(read("a:\t1\nb: 2\nc:\t3\n"))
    assert at(finding) == (1, 3)
    assert "2 lines" in finding.message


def test_invisible_characters_do_not_move_columns() -> None:
    document = read("a: x\u200b\nb: [\u2060no]\n")
    assert [(each.code, at(each)) for each in document.findings] == [
        ("Y11", (1, 5)),
        ("Y11", (2, 5)),
        ("Y20", (2, 6)),
    ]


def test_names_in_other_scripts_are_plain_text() -> None:
    document = read("имя: 名前\nnom: café 🎉\n")
    assert document.data == {"имя": "名前", "nom": "café 🎉"}
    assert document.findings == ()


DOCUMENTS = [
    "a: 1\nb: [x, {c: 'd', e: \"f\\n\"}]\ng:\n  - h: |\n      i\n      j\n    k: >-\n      l\n  - m\n",
    "a: no\nb: 0123\na: 3\nc: &x 1\nd: *x\ne: !t f\n<<: {g: 1}\n4: h\n",
    "a:\n  b:\n   c:\n      - d\n      -\n        e: 'multi\n          line'\n",
    "k: [1, 2\n",
    "a: b: c\n",
    "\tx: 1\n",
    "ключ: 'значение' # комментарий\n🎉: [é, 'ß']\n",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_without_libyaml_the_same_comes_out(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = read(text)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = read(text)
    assert slow.data == fast.data or "*x" in text
    assert [(each.code, at(each)) for each in slow.findings] == [
        (each.code, at(each)) for each in fast.findings
    ]
    assert slow.positions.scalar_spans() == fast.positions.scalar_spans()


def test_the_text_at_a_place_can_be_had_back() -> None:
    document = read("a: 'x y'\nb:\n  - [1, 2]\n")
    for path, text in ((("a",), "'x y'"), (("b", 0), "[1, 2]"), (("b", 0, 1), "2")):
        place = document.positions.value(path)
        assert place is not None
        assert document.slice(place) == text
