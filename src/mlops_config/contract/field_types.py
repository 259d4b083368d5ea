"""The types of single values and of sequences that all four files are made of.

Everything here becomes pydantic-core schema that is pure data (patterns, bounds, chains of built-in types),
but for cron expressions, time zones and durations as text: these call functions of
:mod:`mlops_config.contract.scalar_checks`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mlops_config.contract.scalar_checks import check_cron, check_timezone, format_duration

_TIME = "T(?:N{6}H(?:N{6}M)?(?:N{6}S)?|N{6}M(?:N{6}S)?|N{6}S)"
DURATION_PATTERN = f"^P(?:N{{4}}W|N{{5}}D(?:{_TIME})?|{_TIME})$".replace("N{", "[0-9]{1,")
INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?Z$"


@dataclass(frozen=True, slots=True)
class Iso8601Duration:
    """Reads ISO 8601 text (``PT1H``, ``P7D``, ``P2W``) as a ``timedelta``, within inclusive bounds.

    Years and months are refused: they have no fixed length. Numbers and ``1:00:00`` are refused too.
    """

    ge: timedelta = timedelta(0)
    le: timedelta = timedelta(days=3650)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=DURATION_PATTERN, strict=True),
                core_schema.timedelta_schema(strict=False, ge=self.ge, le=self.le),
            ],
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "format": "duration", "examples": ["PT1H", "P7D"]}


@dataclass(frozen=True, slots=True)
class Iso8601Instant:
    """Reads ISO 8601 text in UTC (``2026-12-20T00:00:00Z``) as an aware ``datetime``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema(
            [
                core_schema.str_schema(pattern=INSTANT_PATTERN, strict=True),
                core_schema.datetime_schema(strict=False, tz_constraint="aware"),
            ]
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "format": "date-time", "examples": ["2026-12-20T00:00:00Z"]}


@dataclass(frozen=True, slots=True)
class Items:
    """Reads a YAML sequence as an immutable tuple; every item has the tuple's (one) item type.

    A list schema counts the sequence as written; a tuple schema would count only its valid items, and so
    report a sequence with one bad item as too short as well.
    """

    min_length: int | None = None
    max_length: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if schema["type"] != "tuple":
            raise TypeError(f"Items describes tuples, not {source}")
        return core_schema.chain_schema(
            [
                core_schema.list_schema(
                    schema["items_schema"][0],
                    min_length=self.min_length,
                    max_length=self.max_length,
                    strict=True,
                ),
                core_schema.tuple_schema([core_schema.any_schema()], variadic_item_index=0, strict=False),
            ]
        )


def text(pattern: str, *, max_length: int | None = None, examples: tuple[str, ...] = ()) -> Any:
    """A string that matches ``pattern``, which is anchored and in the syntax Rust and ECMAScript share."""
    return Field(pattern=pattern, max_length=max_length, examples=list(examples) or None)


Duration = Annotated[timedelta, Iso8601Duration()]
PositiveDuration = Annotated[timedelta, Iso8601Duration(ge=timedelta(seconds=1))]
Instant = Annotated[datetime, Iso8601Instant()]

Cron = Annotated[
    str,
    text(
        r"^[0-9A-Z*,/#-]+(?: [0-9A-Z*,/#-]+){4}$",
        max_length=100,
        examples=("0 6 * * *", "*/30 * * * MON-FRI"),
    ),
    AfterValidator(check_cron),
]
Timezone = Annotated[
    str,
    text(
        r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}$",
        max_length=64,
        examples=("UTC", "Europe/Berlin"),
    ),
    AfterValidator(check_timezone),
]
TimeOfDay = Annotated[str, text(r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", examples=("05:30",))]

Name = Annotated[str, text(r"^[a-z][a-z0-9-]{0,39}[a-z0-9]$", examples=("diabetes-progression",))]
"""2 to 41 of ``a-z 0-9 -``; starts with a letter. No final hyphen: SageMaker refuses it in every name."""

Column = Annotated[str, text(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$", examples=("body_mass_index",))]
MetricsNamespace = Annotated[str, text(r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$", examples=("mlops",))]
EndpointName = Annotated[
    str,
    text(r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", max_length=63, examples=("progression-prod",)),
]
RegisteredModelName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
        max_length=63,
        examples=("diabetes-progression-prod",),
    ),
]
"""SageMaker's EntityName, which model package groups have; MLflow and Vertex AI allow more."""
ModelAlias = Annotated[str, text(r"^[a-z][a-z0-9_-]{0,62}$", examples=("champion",))]
Owner = Annotated[
    str,
    text(
        r"^@?[A-Za-z0-9][A-Za-z0-9._+/-]*(?:@[A-Za-z0-9][A-Za-z0-9.-]*)?$",
        max_length=254,
        examples=("ml-team@example.com", "@org/ml-team"),
    ),
]
LabelKey = Annotated[str, text(r"^[a-z][a-z0-9_-]{0,62}$", examples=("tier",))]
LabelValue = Annotated[str, text(r"^[a-z0-9_-]{0,63}$", examples=("2",))]
PrometheusLabel = Annotated[str, text(r"^[a-zA-Z][a-zA-Z0-9_]{0,62}$", examples=("team",))]
ShortText = Annotated[str, Field(min_length=1, max_length=256)]
"""Free text for people: a reason, a tag's value."""

_SEGMENT = r"[A-Za-z0-9_=%+@,()!*'&$~:-][A-Za-z0-9._=%+@,()!*'&$~:-]*"
_S3 = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_GCS = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_FILE = r"file://\.?"
URI_PATTERN = rf"^(?:{_S3}|{_GCS}|{_FILE})(?:/{_SEGMENT})+/?$"
Uri = Annotated[
    str,
    text(
        URI_PATTERN,
        max_length=1024,
        examples=("s3://acme-ml-prod/diabetes/train/", "file://./data/diabetes.csv"),
    ),
]
"""``s3://`` and ``gs://`` with a key, ``file:///absolute`` or ``file://./relative to the repository``.

No segment starts with a dot, so a URI cannot climb out of its prefix. 1024 is SageMaker's S3Uri.
"""
CaptureUri = Annotated[
    str, text(URI_PATTERN, max_length=512, examples=("s3://acme-ml-prod/diabetes/capture/",))
]
"""As :data:`Uri`; 512 is SageMaker's DestinationS3Uri."""
HttpsUrl = Annotated[
    str,
    text(
        r"^https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s]*)?$",
        max_length=2048,
        examples=("https://wiki.example.com/runbooks/drift",),
    ),
]
_SECRET = "secret://[A-Za-z0-9][A-Za-z0-9_./-]{0,126}"  # noqa: S105 - the pattern of a reference, no secret
SecretRef = Annotated[str, text(rf"^{_SECRET}$", examples=("secret://slack-ml-alerts",))]
"""Names a secret; the value is looked up when a job runs and never stands in a file."""
RoleRef = Annotated[
    str,
    text(
        rf"^(?:{_SECRET}|arn:aws[a-z-]*:iam::[0-9]{{12}}:role/[A-Za-z0-9_+=,.@/-]+)$",
        max_length=2048,
        examples=("secret://sagemaker-role",),
    ),
]
ServiceAccountRef = Annotated[
    str,
    text(
        rf"^(?:{_SECRET}|[a-z][a-z0-9-]{{4,28}}[a-z0-9]@[a-z][a-z0-9-]{{4,28}}[a-z0-9]"
        r"\.iam\.gserviceaccount\.com)$",
        examples=("secret://vertex-service-account",),
    ),
]

Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""NumPy's legacy seeding, which scikit-learn uses, takes 32 bits."""
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
