"""Plain scalars: the YAML 1.2 core schema to the letter, and a warning where PyYAML reads something else."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mlops_config.contract.reading.scalars import MAX_INTEGER, Scalar, read_plain
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.findings import Severity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None), ("nULL", "nULL"),
        ("true", True), ("True", True), ("TRUE", True), ("tRUE", "tRUE"), ("false", False),
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("Off", "Off"), ("y", "y"), ("n", "n"),
        ("0", 0), ("-0", 0), ("+12", 12), ("-19", -19), ("0777", 777), ("09", 9), ("00", 0),
        ("0o14", 12), ("0o8", "0o8"), ("-0o7", "-0o7"), ("0x3A", 58), ("0xg", "0xg"), ("+0x1", "+0x1"),
        ("1_000", "1_000"), ("0b11", "0b11"), ("1:30", "1:30"), ("12:30:45", "12:30:45"),
        ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("-.5", -0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0),
        ("1e-4", 0.0001), ("1.5e3", 1500.0), ("1.e2", 100.0), (".e2", ".e2"), (".", "."), ("1e", "1e"),
        ("3.10", 3.1), ("2026-10-01", "2026-10-01"), ("-", "-"), ("+", "+"), ("=", "="),
        (str(MAX_INTEGER), MAX_INTEGER), (str(-MAX_INTEGER), -MAX_INTEGER),
    ],
)  # fmt: skip
def test_the_core_schema_decides_the_value(text: str, value: Scalar) -> None:
    read, _ = read_plain(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "replacement"),
    [
        ("no", "Y20", '"no"'),
        ("On", "Y20", '"On"'),
        ("1e-4", "Y21", "1.0e-4"),
        ("1e5", "Y21", "1.0e+5"),
        ("1.5E3", "Y21", "1.5e+3"),
        ("-.5", "Y21", "-0.5"),
        ("0o17", "Y21", "15"),
        ("0123456", "Y21", '"0123456"'),
        ("0777", "Y21", '"0777"'),
        ("12:30:45", "Y22", '"12:30:45"'),
        ("1_000", "Y22", '"1_000"'),
        ("0b11", "Y22", '"0b11"'),
        ("2026-10-01", "Y22", '"2026-10-01"'),
        ("2026-10-01T05:30:00Z", "Y22", '"2026-10-01T05:30:00Z"'),
        ("2026-99-99", "Y22", '"2026-99-99"'),
        ("=", "Y22", '"="'),
    ],
)
def test_what_pyyaml_reads_otherwise_is_a_warning_with_a_spelling_all_agree_on(
    text: str, code: str, replacement: str
) -> None:
    document = read_document(f"a: {text}\n".encode(), "a.yaml")
    (finding,) = document.findings
    assert (finding.code, finding.severity, finding.replacement) == (code, Severity.WARNING, replacement)
    assert "PyYAML" in finding.message
    assert document.is_sound


def test_the_message_says_what_each_reads() -> None:
    _, trap = read_plain("0123456")
    assert trap is not None
    assert "123456" in trap.message
    assert "42798" in trap.message


@pytest.mark.parametrize(
    "text",
    [
        "0", "7", "-3", "400", "1000000", "0.05", "-2.5", "1.0", "100.", ".5", "+1", "1.0e-4", "2.5e+10",
        "0x1F", "true", "False", "null", "~", "name", "n", "y", "none", "s3://bucket/key", "P7D", "PT1H",
        "ml.m5.xlarge", "0 6 * * *", "team@example.com", "v1.2.0", "1.2.0", "3.x", "never", "offline",
        "node", "yesterday",
    ],
)  # fmt: skip
def test_ordinary_scalars_raise_no_warning(text: str) -> None:
    assert read_document(f"a: {text}\n".encode(), "a.yaml").findings == ()


@pytest.mark.parametrize("key", ["version", "python_version", "release", "image_tag", "tag"])
def test_a_version_that_loses_its_zero_is_a_warning(key: str) -> None:
    (finding,) = read_document(f"{key}: 3.10\n".encode(), "a.yaml").findings
    assert (finding.code, finding.replacement) == ("Y23", '"3.10"')


@pytest.mark.parametrize("line", ["price_usd: 2.50", "threshold: 0.10", "version: '3.10'", "version: 3.11"])
def test_other_numbers_may_end_in_zero(line: str) -> None:
    assert read_document(f"{line}\n".encode(), "a.yaml").findings == ()


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NaN", "1e999", "123e456", "9" * 40, "0x" + "f" * 20])
def test_numbers_that_cannot_be_kept_are_refused(text: str) -> None:
    (finding,) = read_document(f"a: {text}\n".encode(), "a.yaml").findings
    assert finding.code == "Y16"


def test_a_number_of_a_quarter_megabyte_is_refused_without_converting_it() -> None:
    (finding,) = read_document(b"a: " + b"9" * 250_000, "a.yaml").findings
    assert finding.code == "Y16"
    assert len(finding.message) < 300


def number_like() -> st.SearchStrategy[str]:
    return st.text("0123456789+-._:eExobTZnfyN ~=<", min_size=1, max_size=14).filter(
        lambda text: text.strip() == text and ": " not in text and not text.startswith("- ")
    )


@given(number_like())
@example("1e-4")
@example("-.5")
@example("1_0.5e+3")
@example("001.5")
def test_what_raises_no_warning_pyyaml_reads_alike(text: str) -> None:
    value, trap = read_plain(text)
    if trap is None:
        loader: Any = yaml.SafeLoader("")
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        theirs = loader.construct_object(yaml.ScalarNode(tag, text))
        assert (type(value), value) == (type(theirs), theirs)


@given(number_like())
@example("1E5")
@example("-01e5")
@example("+.5e1")
@example("0o17")
def test_the_spelling_offered_is_read_alike_by_both(text: str) -> None:
    value, trap = read_plain(text)
    if trap is None or trap.replacement is None:
        return
    spelled = trap.replacement
    if spelled.startswith('"'):
        assert yaml.safe_load(spelled) == text
        return
    ours, another_trap = read_plain(spelled)
    assert another_trap is None
    assert (ours, yaml.safe_load(spelled)) == (value, value)
