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
        return {
            **handler(schema),
            "title": "duration",
            "format": "duration",
            "$comment": f"{format_duration(self.ge)} to {format_duration(self.le)}",
            "examples": ["PT1H", "P7D"],
        }


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
        return {
            **handler(schema),
            "title": "instant",
            "format": "date-time",
            "examples": ["2026-12-20T00:00:00Z"],
        }


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


def text(title: str, pattern: str, *examples: str, max_length: int | None = None) -> Any:
    """A string that matches ``pattern``, which is anchored and in the syntax Rust and ECMAScript share.

    ``title`` names the type for people: editors and the reference show it.
    """
    return Field(title=title, pattern=pattern, max_length=max_length, examples=list(examples))


Duration = Annotated[timedelta, Iso8601Duration()]
PositiveDuration = Annotated[timedelta, Iso8601Duration(ge=timedelta(seconds=1))]
Instant = Annotated[datetime, Iso8601Instant()]

Cron = Annotated[
    str,
    text(
        "cron expression",
        r"^[0-9A-Z*,/#-]+(?: [0-9A-Z*,/#-]+){4}$",
        "0 6 * * *",
        "*/30 * * * MON-FRI",
        max_length=100,
    ),
    AfterValidator(check_cron),
]
Timezone = Annotated[
    str,
    text(
        "time zone",
        r"^[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*){0,2}$",
        "UTC",
        "Europe/Berlin",
        max_length=64,
    ),
    AfterValidator(check_timezone),
]
TimeOfDay = Annotated[str, text("time of day", r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", "05:30")]

Name = Annotated[str, text("name", r"^[a-z][a-z0-9-]{0,39}[a-z0-9]$", "trip-fare")]
"""2 to 41 of ``a-z 0-9 -``; starts with a letter. No final hyphen: SageMaker refuses it in every name."""
Column = Annotated[str, text("column", r"^[A-Za-z_][A-Za-z0-9_]{0,127}$", "distance_km")]
MetricsNamespace = Annotated[str, text("metric name prefix", r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$", "fares")]
EndpointName = Annotated[
    str, text("endpoint name", r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", "trip-fare-prod")
]
RegisteredModelName = Annotated[
    str, text("registered model name", r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", "trip-fare-prod")
]
"""SageMaker's EntityName, which model package groups have; MLflow and Vertex AI allow more."""
ModelAlias = Annotated[str, text("alias", r"^[a-z][a-z0-9_-]{0,62}$", "champion")]
Owner = Annotated[
    str,
    text(
        "e-mail address or team handle",
        r"^@?[A-Za-z0-9][A-Za-z0-9._+/-]*(?:@[A-Za-z0-9][A-Za-z0-9.-]*)?$",
        "fares@example.com",
        "@acme/fares",
        max_length=254,
    ),
]
LabelKey = Annotated[str, text("label key", r"^[a-z][a-z0-9_-]{0,62}$", "tier")]
LabelValue = Annotated[str, text("label value", r"^[a-z0-9_-]{0,63}$", "2")]
PrometheusLabel = Annotated[str, text("Prometheus label", r"^[a-zA-Z][a-zA-Z0-9_]{0,62}$", "team")]
ShortText = Annotated[str, Field(title="text", min_length=1, max_length=256)]
"""Free text for people: a reason, a tag's value."""

_SEGMENT = r"[A-Za-z0-9_=%+@,()!*'&$~:-][A-Za-z0-9._=%+@,()!*'&$~:-]*"
_S3 = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_GCS = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_FILE = r"file://\.?"
URI_PATTERN = rf"^(?:{_S3}|{_GCS}|{_FILE})(?:/{_SEGMENT})+/?$"
Uri = Annotated[
    str, text("URI", URI_PATTERN, "s3://acme-prod/trips/curated/", "file://./data/trips.csv", max_length=1024)
]
"""``s3://`` and ``gs://`` with a key, ``file:///absolute`` or ``file://./relative to the repository``.

No segment starts with a dot, so a URI cannot climb out of its prefix. 1024 is SageMaker's S3Uri.
"""
CaptureUri = Annotated[str, text("URI", URI_PATTERN, "s3://acme-prod/fares/capture/", max_length=512)]
"""As :data:`Uri`; 512 is SageMaker's DestinationS3Uri."""
HttpsUrl = Annotated[
    str,
    text(
        "https address",
        r"^https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s]*)?$",
        "https://runbooks.example.com/fares/drift",
        max_length=2048,
    ),
]
_SECRET = "secret://[A-Za-z0-9][A-Za-z0-9_./-]{0,126}"  # noqa: S105 - the pattern of a reference, no secret
SecretRef = Annotated[str, text("secret reference", rf"^{_SECRET}$", "secret://chat-fares")]
"""Names a secret; the value is looked up when a job runs and never stands in a file."""
RoleRef = Annotated[
    str,
    text(
        "role ARN or secret reference",
        rf"^(?:{_SECRET}|arn:aws[a-z-]*:iam::[0-9]{{12}}:role/[A-Za-z0-9_+=,.@/-]+)$",
        "secret://sagemaker-role",
        max_length=2048,
    ),
]
ServiceAccountRef = Annotated[
    str,
    text(
        "service account or secret reference",
        rf"^(?:{_SECRET}|[a-z][a-z0-9-]{{4,28}}[a-z0-9]@[a-z][a-z0-9-]{{4,28}}[a-z0-9]"
        r"\.iam\.gserviceaccount\.com)$",
        "secret://vertex-service-account",
    ),
]

Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""NumPy's legacy seeding, which scikit-learn uses, takes 32 bits."""
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
