"""Scores a batch through Spark: each unit is a row of a frame, and its task reads, predicts and writes it.

The tasks run the very function that scores on one machine, so both engines write the same files. Executors
read the input and write the output themselves: both have to lie where all of them reach it.
"""

import json
import os
import pickle
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.errors import MlopsConfigError, ServiceError
from mlops_config.runtime.data.problems import missing_extra
from mlops_config.runtime.inference.scoring import Batch, Scored, score
from mlops_config.runtime.inference.units import Unit
from mlops_config.runtime.model.package import ModelPackage

if TYPE_CHECKING:
    import pandas as pd


class ServiceInTaskError(Exception):
    """A service failed in a task. Says message and hint as JSON: Spark passes on the text alone."""


_IN_TASK = re.compile(rf"\b{ServiceInTaskError.__name__}: (\{{.*\}})")


def score_with_spark(units: Sequence[Unit], batch: Batch, package: ModelPackage) -> Iterator[Scored]:
    """The units' outcomes, in their order; the session is Spark's own (``SPARK_*``, ``spark-defaults.conf``).

    Raises:
        UsageError: pyspark is not installed.
        ServiceError: a store stays away, for all tries that Spark gives a task; then no other unit is begun.
        MlopsConfigError: what else a unit failed with, of several the first; the others are done.
        Exception: what else failed in a task, as Spark tells it.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing_extra("pyspark", doing="scoring with Spark", extra="jobs,spark") from error
    from mlops_config.runtime.model.storage import package_files

    session = SparkSession.builder.appName("mlops-config inference").getOrCreate()
    context = session.sparkContext
    if (context.master or "").startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        # By default tasks run in the first python3 on the PATH, which does not have our packages.
        context.pythonExec = sys.executable
    # Driver and executors are the same program: what is pickled here never leaves the job.
    rows = [(place, pickle.dumps((unit, batch))) for place, unit in enumerate(units)]
    frame = session.createDataFrame(rows, "place long, work binary").repartitionByRange(len(rows), "place")
    files = package_files(package)

    def work(frames: "Iterator[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        import pandas as pd

        model = _unpacked(files)
        for each in frames:
            done = [
                (place, pickle.dumps(_score_one(data, model)))
                for place, data in zip(each["place"], each["work"], strict=True)
            ]
            yield pd.DataFrame(done, columns=["place", "scored"])

    try:
        found = frame.mapInPandas(work, "place long, scored binary").collect()
    except Exception as error:
        told = _IN_TASK.search(str(error))
        if told is None:
            raise
        raise ServiceError(**json.loads(told[1])) from error
    for row in sorted(found, key=lambda one: int(one["place"])):
        outcome = pickle.loads(row["scored"])  # noqa: S301 written by our own task
        if isinstance(outcome, MlopsConfigError):
            raise outcome
        yield outcome


def _score_one(data: bytes, package: ModelPackage) -> Scored | MlopsConfigError:
    unit, batch = pickle.loads(data)  # noqa: S301 written by our own driver
    try:
        return score(unit, batch, package)
    except ServiceError as error:
        # Spark's tries are right for an outage, and so is its end: else each unit would wait for the store.
        raise ServiceInTaskError(json.dumps({"message": error.message, "hint": error.hint})) from None
    except MlopsConfigError as error:
        # Raised here, Spark would try a broken file four times, and bury the sentence in its own traces.
        return error


def _unpacked(files: dict[str, bytes]) -> ModelPackage:
    """The package from its files, checked as everywhere; no estimator is pickled."""
    import tempfile

    from mlops_config.runtime.model.storage import read_package, write_files

    with tempfile.TemporaryDirectory(prefix="mlops-config-model-") as folder:
        write_files(files, Path(folder))
        return read_package(Path(folder))
