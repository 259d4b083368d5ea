"""A model package as an MLflow model: the package's own files, and what MLflow needs beside them.

So ``mlflow.sklearn.load_model``, ``mlflow.pyfunc.load_model`` and ``mlflow models serve`` read the same
``model.skops`` as our own server, and none of them needs pickle.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.skops_file import untrusted_by_skops
from mlops_config.runtime.model.storage import DESCRIPTION, MODEL, example_frame, write_files

MLFLOW_TYPES: Mapping[str, str] = {
    "integral": "long",
    "fractional": "double",
    "string": "string",
    "boolean": "boolean",
    "timestamp": "datetime",
}
"""MLflow's type of a column, by the contract's."""
_OUTPUT_TYPES: Mapping[type, str] = {bool: "boolean", int: "long", float: "double", str: "string"}


def write_mlflow_model(
    package: ModelPackage, files: Mapping[str, bytes], folder: Path, *, run_id: str, model_id: str
) -> None:
    """Writes an MLflow model into ``folder``, which must not exist; ``files`` are the package's.

    Raises:
        ServiceError: the disk is full or refuses.
    """
    import mlflow.sklearn
    from mlflow.models import Model

    description = json.loads(files[DESCRIPTION])
    model = Model(run_id=run_id, model_id=model_id, model_uuid=model_id)
    example = example_frame(package)
    mlflow.sklearn.save_model(
        package.pipeline,
        str(folder),
        mlflow_model=model,
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=list(untrusted_by_skops(files[MODEL])),
        signature=signature(package.schema, description["expected"]),
        input_example=None if example.empty else example,
        pip_requirements=_requirements(description["versions"]),
    )
    # The same model, in bytes that package.json names.
    write_files(files, folder)
    model.model_size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    model.save(str(folder / "MLmodel"))


def signature(schema: TableSchema, predictions: list[Any]) -> Any:
    """MLflow's ``ModelSignature``: the features, and what ``predictions`` are, where there are any."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = Schema(
        [
            ColSpec(MLFLOW_TYPES[feature.type], feature.name, required=feature.required)
            for feature in schema.features
        ]
    )
    types = {type(prediction) for prediction in predictions}
    if len(types) != 1 or (only := types.pop()) not in _OUTPUT_TYPES:
        return ModelSignature(inputs=inputs)
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec(_OUTPUT_TYPES[only])]))


def _requirements(versions: Mapping[str, str]) -> list[str]:
    from importlib.metadata import version

    needed = {name: found for name, found in versions.items() if name != "python"}
    needed |= {name: version(name) for name in ("mlflow", "pandas")}
    return [f"{name}=={found}" for name, found in sorted(needed.items())]
