"""pydantic's errors as findings: on the right key or value, in plain words, with the way to mend them."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.models.field_types import Duration, Items
from mlops_config.contract.reading.yaml_reader import Document, read_document
from mlops_config.contract.schema_findings import findings_of
from mlops_config.findings import Finding
from mlops_config.kinds import Kind


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Cat(Strict):
    type: Literal["cat"]
    lives: int = 9


class Place(Strict):
    type: Literal["uri"]
    uri: str = Field(examples=["s3://bucket/key"])
    format: Literal["csv", "parquet"] = "csv"


def is_even(value: int) -> int:
    if value % 2:
        raise ValueError("Must be even")
    return value


class Optimizer(Strict):
    learning_rate: float = Field(default=0.1, gt=0, description="Step size. Source: the paper.")
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.9


class Limits(Strict):
    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def in_order(self) -> "Limits":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Model(Strict):
    name: Annotated[str, Field(pattern="^[a-z]+$", max_length=8, examples=["fares"])] = "x"
    count: Annotated[int, Field(ge=1, le=10)] = 1
    rows: int = 1
    release: str = "1"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    enabled: bool = True
    color: Literal["red", "green"] = "red"
    tags: Annotated[tuple[str, ...], Items(min_length=1, max_length=2)] = ("a",)
    labels: dict[Annotated[str, Field(pattern="^[a-z.]+$", examples=["tier"])], str] = Field(
        default_factory=dict
    )
    wait: Duration = timedelta(0)
    short: Annotated[timedelta | None, Field(default=None)] = None
    pet: Annotated[Cat | Place, Field(discriminator="type")] | None = None
    pets: tuple[Annotated[Cat | Place, Field(discriminator="type")], ...] | None = Field(
        default=None, strict=False
    )
    level: bool | int | str = 1
    even: Annotated[int, AfterValidator(is_even)] = 2
    limits: Limits | None = None
    optimizer: Optimizer | None = None
    schema_: int | None = Field(default=None, alias="schema")


class Needy(Strict):
    owner: str = Field(description="Who answers for it.", examples=["team@example.com"])
    inner: Limits = Field(default_factory=Limits)
    nested: Optimizer | None = None


def check(text: str, model: type[BaseModel] = Model) -> tuple[list[Finding], Document]:
    document = read_document(text.encode(), "a.yaml")
    with pytest.raises(ValidationError) as caught:
        model.__pydantic_validator__.validate_python(document.data)
    return findings_of(caught.value, document, model), document


def one(text: str, model: type[BaseModel] = Model) -> tuple[Finding, str | None]:
    """The only finding, and the text it points at."""
    findings, document = check(text, model)
    assert len(findings) == 1, findings
    assert findings[0].place is not None
    return findings[0], document.slice(findings[0].place)


@pytest.mark.parametrize(
    ("text", "code", "words", "pointed"),
    [
        ("count: 11", "S04", "`count` is 11; it must be at most 10", "11"),
        ("count: 0", "S04", "`count` is 0; it must be at least 1", "0"),
        ("fraction: 1.2", "S04", "`fraction` is 1.2; it must be below 1", "1.2"),
        ("fraction: 0.0", "S04", "`fraction` is 0.0; it must be above 0", "0.0"),
        ("count: x", "S03", "`count` is 'x'; it must be a whole number", "x"),
        ("count: 1.5", "S03", "`count` is 1.5; it must be a whole number", "1.5"),
        ("count: true", "S03", "`count` is true; it must be a whole number", "true"),
        ("count:", "S03", "`count` is empty; it must be a whole number", "count"),
        ("count: [1]", "S03", "`count` is a list; it must be a whole number", "[1]"),
        ("enabled: {}", "S03", "`enabled` is an empty mapping; it must be true or false", "{}"),
        ("name: 5", "S03", "`name` is 5; it must be text such as fares", "5"),
        ("name: FARES", "S06", "`name` is 'FARES'; it must be text such as fares", "FARES"),
        ("name: abcdefghi", "S04", "`name` is 'abcdefghi'; it must be at most 8 characters long",
         "abcdefghi"),
        ("color: blue", "S05", "`color` is 'blue'; it must be one of red, green", "blue"),
        ("tags: []", "S04", "`tags` is empty; it must be at least 1 item long", "[]"),
        ("tags: [a, b, c]", "S04", "`tags` is 3 long; it must be at most 2 items long", "[a, b, c]"),
        ("tags: [a, 2]", "S03", "`tags[1]` is 2; it must be text", "2"),
        ("tags: a", "S03", "`tags` is 'a'; it must be a list", "a"),
        ("labels: {a: 1}", "S03", "`labels.a` is 1; it must be text", "1"),
        ("labels: {A.b: c}", "S06", "the key 'A.b' in `labels` must be text such as tier", "A.b"),
        ("labels: {a.b: [c]}", "S03", "`labels['a.b']` is a list; it must be text", "[c]"),
        ("wait: 3600", "S03", "`wait` is 3600; it must be an ISO 8601 duration such as PT1H or P7D", "3600"),
        ("wait: P9999D", "S04", "`wait` is P9999D; it must be at most 3650 days", "P9999D"),
        ("level: [1]", "S03", "`level` is a list; it must be true or false, a whole number or text", "[1]"),
        ("even: 3", "S06", "`even` is 3: must be even", "3"),
        ("limits: {low: 2, high: 1}", "S07", "`limits`: low is above high", "{low: 2, high: 1}"),
        ("pet: {lives: 3}", "S01", "`pet.type` is missing", "pet"),
        ("pet: {type: dog}", "S05", "`pet.type` is 'dog'; it must be one of cat, uri", "dog"),
        ("pet: cat", "S03", "`pet` is 'cat'; it must be a mapping of keys to values", "cat"),
        ("pet: {type: cat, lives: x}", "S03", "`pet.lives` is 'x'; it must be a whole number", "x"),
        ("pets: [{type: cat}, {type: cat, lives: x}]", "S03",
         "`pets[1].lives` is 'x'; it must be a whole number", "x"),
        ("pet: {type: uri, uri: a, format: xml}", "S05",
         "`pet.format` is 'xml'; it must be one of csv, parquet", "xml"),
        ("pet: {type: uri, uri: 1}", "S03", "`pet.uri` is 1; it must be text such as s3://bucket/key", "1"),
        ("schema: x", "S03", "`schema` is 'x'; it must be a whole number", "x"),
        ("colour: red", "S02", "the file has no key 'colour'", "colour"),
        ("limits: {middle: 1}", "S02", "`limits` has no key 'middle'", "middle"),
        ("limits:\n  low: x\n", "S03", "`limits.low` is 'x'; it must be a whole number", "x"),
        ("limits:\n  - 1\n", "S03", "`limits` is a list; it must be a mapping of keys to values", "limits"),
    ],
)  # fmt: skip
def test_an_error_is_worded_and_placed(text: str, code: str, words: str, pointed: str) -> None:
    finding, at = one(text)
    assert (finding.code, finding.message, at) == (code, words, pointed)


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        ('count: "7"', "7"),
        ('fraction: "0.5"', "0.5"),
        ('fraction: "5e-1"', "5.0e-1"),
        ("rows: 1_000", "1000"),
        ("count: 7.0", "7"),
        ("fraction: 20", "0.2"),
        ("enabled: no", "false"),
        ('enabled: "yes"', "true"),
        ("enabled: 1", "true"),
        ("release: 3.10", '"3.10"'),
        ("name: true", '"true"'),
        ("color: gren", "green"),
        ("pet: {type: catt}", "cat"),
        ("wait: 7d", "P7D"),
        ("wait: 30 min", "PT30M"),
        ("wait: 1h", "PT1H"),
        ("tags: a", "[a]"),
        ("colr: red", "color"),
        ("Count: 1", "count"),
        ("limits: {hihg: 1}", "high"),
    ],
)
def test_where_only_one_thing_can_be_meant_it_is_offered(text: str, replacement: str) -> None:
    finding, _ = one(text)
    assert finding.replacement == replacement
    assert finding.hint
    assert finding.place is not None
    assert finding.place.end_column is not None
    mended = text[: finding.place.column - 1] + replacement + text[finding.place.end_column - 1 :]
    document = read_document(mended.encode(), "a.yaml")
    Model.__pydantic_validator__.validate_python(document.data)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("count: 10 GiB", "write the number alone; its unit is in the key's name"),
        ("learning_rate: 0.1", "this key belongs under `optimizer`"),
        ("optimizer: {learning_rate: -1}", "Step size."),
        ("count: x", None),
    ],
)
def test_hints(text: str, hint: str | None) -> None:
    assert one(text)[0].hint == hint


def test_an_unlike_key_lists_the_keys_there_are() -> None:
    assert one("limits: {middle: 1}")[0].hint == "keys here are low, high"


def test_a_missing_key_says_what_to_write_and_why() -> None:
    finding, _ = one("inner: {}", Needy)
    assert (finding.code, finding.message) == ("S01", "`owner` is missing")
    assert finding.hint == "add `owner: team@example.com`. Who answers for it."


def test_a_misspelled_required_key_is_one_finding() -> None:
    finding, at = one("ownr: a", Needy)
    assert (finding.code, at, finding.replacement) == ("S02", "ownr", "owner")


def test_every_error_of_a_file_is_a_finding() -> None:
    findings, _ = check("count: 0\nenabled: 3\nlabels: {a: 1}\nx: 1\n")
    assert [each.code for each in findings] == ["S04", "S03", "S03", "S02"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\ncount: *x\n",
        "count: .inf\n",
        "a: &x cat\npet: {type: *x}\n",
        "a: &x a@b\n<<: {owner: *x}\n",
    ],
)
def test_what_the_reader_refused_is_not_reported_again(text: str) -> None:
    model = Needy if "owner" in text else Model
    findings, _ = check(text, model)
    assert all(each.message == "the file has no key 'a'" for each in findings)


def test_a_union_member_called_like_a_key_leads_nobody_astray() -> None:
    finding, at = one("pet: {type: uri, uri: a, more: 1}")
    assert (finding.path, at) == (("pet", "more"), "more")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("data", ["a: 1\n", "metadata: []\n", "kind: 3\nschema_version: x\nmetadata:\n"])
def test_any_mapping_gives_findings_and_nothing_else(kind: Kind, data: str) -> None:
    findings, _ = check(data, MODELS[kind])
    assert all(each.place is not None and each.code[0] == "S" for each in findings)


def test_errors_no_table_knows_keep_their_own_words() -> None:
    class Url(Strict):
        code: Annotated[str, Field(strict=True, min_length=2)]
        other: complex

    findings, _ = check("code: xx\nother: x\n", Url)
    assert [(each.code, "complex" in each.message) for each in findings] == [("S06", True)]


def test_paths_with_dots_stay_apart() -> None:
    finding, _ = one("labels: {a.b: 1}")
    assert finding.path == ("labels", "a.b")


def test_data_stays_as_it_was() -> None:
    text = "count: x\nlabels: {a: 1}\n"
    before: Any = read_document(text.encode(), "a.yaml").data
    _, document = check(text)
    assert document.data == before


def test_thousands_of_errors_are_counted_beyond_the_first_hundred() -> None:
    findings, _ = check("".join(f"key{number}: 1\n" for number in range(20_000)))
    assert len(findings) == 100
    assert findings[-1].message.endswith("(and 19900 more errors in the file)")
