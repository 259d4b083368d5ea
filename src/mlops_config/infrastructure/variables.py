"""What Terraform is told of a release: one typed document, from its record and its four files."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.contract.rules.walk import nodes
from mlops_config.digests import DIGEST_PATTERN
from mlops_config.findings import ConfigPath, format_path
from mlops_config.infrastructure.alert_variables import (
    alert_sources,
    alert_values,
    recording_values,
)
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.validation import EnvironmentConfigs
    from mlops_config.release.record import ReleaseRecord

FILE_NAME = "release.auto.tfvars.json"
"""Terraform reads every file of a root module whose name ends so."""

_SECRET = "secret://"  # noqa: S105 - how a reference begins, no secret
_IN_SECONDS = timedelta(days=1)

DIGEST = rf"^{DIGEST_PATTERN}$"
COMMIT = r"^[0-9a-f]{40}([0-9a-f]{24})?$"
IMAGE = rf"^[a-z0-9][a-zA-Z0-9._:/-]*@{DIGEST_PATTERN}$"

READS: tuple[tuple[Kind, ConfigPath], ...] = (
    (Kind.TRAINING, ("data", "source", "uri")),
    (Kind.INFERENCE, ("batch", "input_uri")),
    (Kind.MONITORING, ("performance", "labels_uri")),
    (Kind.MONITORING, ("reference", "uri")),
)
WRITES: tuple[tuple[Kind, ConfigPath], ...] = (
    (Kind.INFERENCE, ("batch", "output_uri")),
    (Kind.INFERENCE, ("data_capture", "destination_uri")),
    (Kind.MONITORING, ("report", "destination_uri")),
)
RETENTION: tuple[tuple[Kind, ConfigPath], ...] = (
    (Kind.INFERENCE, ("data_capture", "retention")),
    (Kind.MONITORING, ("report", "retention")),
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ReleaseFacts(_Frozen):
    """Which release it is."""

    environment: str = Field(description="The environment it is for.")
    name: str = Field(description="Its version, or its commit where it has none.")
    version: str | None = Field(description="From the release tag.")
    commit: Annotated[str, Field(pattern=COMMIT)] | None = Field(description="Full commit; null outside git.")
    config_digest: Annotated[str, Field(pattern=DIGEST)] = Field(description="Digest of the four files.")
    image: Annotated[str, Field(pattern=IMAGE)] | None = Field(
        description="The environment's image by digest; null while no registry holds it."
    )


class AlertValues(_Frozen):
    """One alerting rule."""

    name: str = Field(description="Its name; two rules of one staleness alert share it.")
    expr: str = Field(description="PromQL over the recording rules.")
    query: str = Field(description="The same PromQL with every recording rule written out.")
    for_: str = Field(alias="for", description="How long it has to hold, such as 5m or 0s.")
    severity: Literal["page", "ticket"] = Field(description="Who is told.")
    labels: Mapping[str, str] = Field(description="Labels of the alert, the severity among them.")
    summary: str = Field(description="One line; a Prometheus template.")
    description: str = Field(description="A sentence; a Prometheus template, with $value in it.")
    runbook_url: str | None = Field(description="What to do about it.")


class ConfigValues(_Frozen):
    """What the four files say about infrastructure; maps go by configuration key where there is one."""

    project: str = Field(description="Project, the prefix of what is stored.")
    model_name: str = Field(description="The model within the project.")
    owner: str = Field(description="Who answers for it.")
    labels: Mapping[str, str] = Field(description="Labels for cloud resources.")
    target: Literal["local", "aws", "gcp"] = Field(description="Where the model serves.")
    region: str | None = Field(description="Region or location of the deployer; null on local.")
    account_id: str | None = Field(description="AWS account of the deployer.")
    project_id: str | None = Field(description="Google Cloud project of the deployer.")
    endpoint: str | None = Field(description="Name of the endpoint; null where predictions come in batches.")
    namespace: str = Field(description="First part of every metric's name.")
    reads: Mapping[str, str] = Field(description="What jobs read, URI by configuration key.")
    writes: Mapping[str, str] = Field(description="What jobs write, URI by configuration key.")
    retention_days: Mapping[str, int] = Field(description="Days after which it may go, by configuration key.")
    secrets: tuple[str, ...] = Field(description="Names of the secrets that the files refer to.")
    recording_rules: Mapping[str, str] = Field(description="PromQL by the name that is recorded.")
    alerts: Mapping[str, AlertValues] = Field(description="Alerting rules by name.")


class ReleaseVariables(_Frozen):
    """The release as Terraform's variables."""

    mlops_config_path: str = Field(
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/)+$",
        description="Folder of the environment's four files in the repository.",
    )
    release: ReleaseFacts = Field(description="The release that the infrastructure is for.")
    config: ConfigValues = Field(description="What the release's four files say about infrastructure.")

    _sources: Mapping[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, record: "ReleaseRecord", configs: "EnvironmentConfigs") -> "ReleaseVariables":
        """The variables of a release, or of a draft of one, and of its four valid files.

        Raises:
            UsageError: an alert watches what is not compared, or a label of the file is one of our own.
        """
        source = record.source
        made = cls(
            mlops_config_path=f"{PurePosixPath(record.files[0].source).parent}/",
            release=ReleaseFacts(
                environment=record.environment,
                name=record.name,
                version=record.version,
                commit=source.commit,
                config_digest=record.config_digest,
                image=record.image.by_digest if record.image else None,
            ),
            config=_config_values(configs),
        )
        made._sources = dict(_sources(configs))
        return made

    def to_json(self) -> bytes:
        """The variables as Terraform reads them: the same release gives the same bytes."""
        document = self.model_dump(mode="json", by_alias=True)
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    def document(self) -> dict[str, Any]:
        """The variables for programs."""
        return self.model_dump(mode="json", by_alias=True)

    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """The configuration keys that each variable comes from, by the variable's path.

        ``config.alerts["fare-drift"].expr`` comes from ``monitoring.alerts[5]`` and ``monitoring.drift``:
        each is a key, or the beginning of keys. Empty for variables that were read from a file.
        """
        return self._sources


def _config_values(configs: "EnvironmentConfigs") -> ConfigValues:
    training, inference = configs.training, configs.inference
    about, deployer = training.metadata, inference.deployer
    return ConfigValues(
        project=about.project,
        model_name=about.model_name,
        owner=about.owner,
        labels=_sorted(about.labels),
        target=deployer.target,
        region=getattr(deployer, "region", None) or getattr(deployer, "location", None),
        account_id=getattr(deployer, "account_id", None),
        project_id=getattr(deployer, "project", None),
        endpoint=endpoint_name(inference) if inference.endpoint is not None else None,
        namespace=configs.monitoring.metrics.namespace,
        reads=_found(configs, READS),
        writes=_found(configs, WRITES),
        retention_days={key: _days(value) for key, value in _found(configs, RETENTION).items()},
        secrets=tuple(sorted({name for _, name in _secrets(configs)})),
        recording_rules=_sorted(recording_values(configs)),
        alerts={
            name: AlertValues.model_validate(values | {"labels": _sorted(values["labels"])})
            for name, values in sorted(alert_values(configs).items())
        },
    )


def _sorted(values: Any) -> dict[str, Any]:
    return {name: values[name] for name in sorted(values)}


def _days(value: timedelta) -> int:
    """Whole days that are no shorter than the duration: nothing goes before its time."""
    return math.ceil(value / _IN_SECONDS)


def _found(configs: "EnvironmentConfigs", keys: tuple[tuple[Kind, ConfigPath], ...]) -> dict[str, Any]:
    """The values that are there, by their configuration keys."""
    found = {}
    for kind, path in keys:
        value = configs.model(kind)
        for step in path:
            value = getattr(value, str(step), None)
        if value is not None:
            found[f"{kind.value}.{format_path(path)}"] = value
    return _sorted(found)


def _secrets(configs: "EnvironmentConfigs") -> Iterator[tuple[str, str]]:
    """Every reference to a secret: its configuration key, and the secret's name."""
    for kind in Kind:
        for path, value in nodes(configs.model(kind)):
            if isinstance(value, str) and value.startswith(_SECRET):
                yield f"{kind.value}.{format_path(path)}", value.removeprefix(_SECRET)


def _sources(configs: "EnvironmentConfigs") -> Iterator[tuple[str, tuple[str, ...]]]:
    deployer = "inference.deployer"
    plain = {
        "project": "training.metadata.project",
        "model_name": "training.metadata.model_name",
        "owner": "training.metadata.owner",
        "labels": "training.metadata.labels",
        "target": f"{deployer}.target",
        "account_id": f"{deployer}.account_id",
        "project_id": f"{deployer}.project",
        "namespace": "monitoring.metrics.namespace",
    }
    yield from ((f"config.{name}", (key,)) for name, key in plain.items())
    yield "config.region", (f"{deployer}.region", f"{deployer}.location")
    yield "config.endpoint", ("inference.endpoint.name", "inference.mode", "inference.metadata")
    for name, paths in (("reads", READS), ("writes", WRITES), ("retention_days", RETENTION)):
        for key in _found(configs, paths):
            yield f'config.{name}["{key}"]', (key,)
    yield "config.secrets", tuple(key for key, _ in _secrets(configs))
    shared = ("monitoring.metrics", "monitoring.metadata")
    for record in recording_values(configs):
        yield f'config.recording_rules["{record}"]', (*shared, "inference.mode")
    for alert, keys in alert_sources(configs).items():
        at = f'config.alerts["{alert}"]'
        first = keys[:1] if keys and keys[0].startswith("monitoring.alerts[") else ()
        for field in ("expr", "query"):
            yield f"{at}.{field}", (*keys, *shared)
        yield f"{at}.for", keys
        yield f"{at}.description", keys
        yield f"{at}.labels", (*first, *shared)
        for field in ("name", "severity", "summary", "runbook_url"):
            yield f"{at}.{field}", first
