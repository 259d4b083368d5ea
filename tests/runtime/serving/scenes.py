"""A small model of the example project, and a way to ask the server's application without a network."""

import asyncio
import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig, TrainingConfig
from mlops_config.contract.models.tables import TableSchema
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.serving.app import create_app
from mlops_config.runtime.serving.asgi import App
from tests.contract.documents import changed, document, model_of

VERSION = 3
DIGEST = "sha256:" + "ab" * 32
JOB = "0123456789abcdef"
COMMIT = "c" * 40
ROW: Mapping[str, Any] = {
    "distance_km": 4.41,
    "expected_minutes": 3.9,
    "pickup_hour": 0,
    "weekday": 3,
    "passengers": 1,
    "pickup_zone": "centre",
    "raining": False,
}
NUMBERS = ("distance_km", "expected_minutes", "pickup_hour", "weekday", "passengers")
LEVELS = ("pickup_zone", "raining")


def config(kind: Kind, *changes: tuple[ConfigPath, Any]) -> Any:
    """The dev example's model of a kind, each value put at its path."""
    data = document("dev", kind)
    for path, value in changes:
        data = changed(data, path, value)
    return model_of(data)


def inference(*changes: tuple[ConfigPath, Any]) -> InferenceConfig:
    found: InferenceConfig = config(Kind.INFERENCE, *changes)
    return found


def monitoring(*changes: tuple[ConfigPath, Any]) -> MonitoringConfig:
    found: MonitoringConfig = config(Kind.MONITORING, *changes)
    return found


def table_schema(*changes: tuple[ConfigPath, Any]) -> TableSchema:
    """The example's columns; a path begins below ``schema``."""
    training: TrainingConfig = config(Kind.TRAINING, *((("schema", *path), value) for path, value in changes))
    return training.schema_


def trips(rows: int = 300, seed: int = 5) -> pd.DataFrame:
    """Rows that keep the schema, in the types of checked rows, and their fares."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "distance_km": random.uniform(0.1, 150, rows),
            "expected_minutes": random.uniform(0.5, 600, rows),
            "pickup_hour": random.integers(0, 24, rows),
            "weekday": random.integers(0, 7, rows),
            "passengers": random.integers(1, 7, rows),
            "pickup_zone": pd.Series(
                random.choice(["airport", "centre", "north", "south", "west"], rows), dtype="str"
            ),
            "raining": random.choice([True, False], rows),
        }
    )
    noise = random.normal(0, 1, rows)
    return frame.assign(fare_eur=3 + frame.distance_km * 2 + frame.pickup_hour + noise)


def preprocessing() -> ColumnTransformer:
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", numbers, list(NUMBERS)), ("levels", levels, list(LEVELS))])


def package_of(estimator: Any, schema: TableSchema | None = None, *, target: Any = None) -> ModelPackage:
    """A package with the estimator fitted on 300 trips."""
    rows = trips()
    features = rows[list(ROW)]
    pipeline = Pipeline([("prepare", preprocessing()), ("estimate", estimator)])
    pipeline.fit(features, rows.fare_eur if target is None else target)
    return ModelPackage(
        pipeline=pipeline,
        schema=schema or table_schema(),
        profile=Profile(rows=len(rows)),
        tags={"mlops.commit": "d" * 40, "mlops.config_digest": "sha256:" + "cd" * 32},
        example={name: [ROW[name], *features[name].head(4).tolist()] for name in ROW},
    )


@cache
def package() -> ModelPackage:
    """A ridge regression of the fare."""
    return package_of(Ridge())


def app(**given: Any) -> App:
    """The application with the example's configuration, but for what is given."""
    options = {
        "inference": inference(),
        "monitoring": monitoring(),
        "model_version": VERSION,
        "config_digest": DIGEST,
        "job_id": JOB,
        "commit": COMMIT,
    }
    model = given.pop("package", None) or package()
    return create_app(model, **{**options, **given})


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks an application, request by request or several at once."""

    def __init__(self, application: App, runner: asyncio.Runner) -> None:
        self.app = application
        self._runner = runner

    def get(self, path: str, method: str = "GET") -> Reply:
        return self._runner.run(exchange(self.app, path, method=method))

    def post(
        self, path: str, body: bytes | Any, content_type: str | None = "application/json", **headers: str
    ) -> Reply:
        return self._runner.run(exchange(self.app, path, body, content_type=content_type, headers=headers))

    def post_all(self, path: str, bodies: Sequence[Any]) -> list[Reply]:
        """All at once, as concurrent callers would."""

        async def together() -> list[Reply]:
            return list(await asyncio.gather(*(exchange(self.app, path, body) for body in bodies)))

        return self._runner.run(together())


async def exchange(
    application: App,
    path: str,
    body: bytes | Any = b"",
    *,
    method: str = "POST",
    content_type: str | None = "application/json",
    headers: Mapping[str, str] | None = None,
    parts: Sequence[bytes] | None = None,
) -> Reply:
    """One request and its answer; ``parts`` are the body as it arrives piece by piece."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    pieces = list(parts) if parts is not None else [data]
    sent = {key.replace("_", "-"): value for key, value in (headers or {}).items()}
    if content_type is not None and method == "POST":
        sent["content-type"] = content_type
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
    }
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    await application(scope, receive, send)
    start, end = messages
    found = {key.decode(): value.decode() for key, value in start["headers"]}
    return Reply(start["status"], found, end["body"])


@contextmanager
def asked(application: App) -> Iterator[Client]:
    """The application started, and stopped afterwards."""
    with asyncio.Runner() as runner:
        runner.run(application.start())
        try:
            yield Client(application, runner)
        finally:
            runner.run(application.stop())
