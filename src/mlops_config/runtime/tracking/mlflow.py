"""Runs, model versions and aliases in MLflow: an SQLite file on this machine, or a server."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.errors import IntegrityError, UsageError, of_os_error
from mlops_config.files import make_output_folder
from mlops_config.retrying import Retries
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.storage import (
    copy_package,
    digest_of,
    package_digest,
    package_files,
    read_package,
)
from mlops_config.runtime.tracking.connection import RETRIES, Connection
from mlops_config.runtime.tracking.interface import ModelRegistry, ModelVersion, Run
from mlops_config.runtime.tracking.recording import recording
from mlops_config.runtime.tracking.sqlite import PREFIX

PACKAGE_DIGEST = "mlops.package_digest"
"""Tag of a version: the digest of its package."""
GATES = "mlops.gates"
"""Tag of a run: ``passed`` or ``refused``."""


def from_environment(root: Path) -> "MlflowRegistry":
    """The registry that ``MLFLOW_TRACKING_URI`` names, else an SQLite file in ``<root>/.mlops-config``.

    Raises:
        UsageError: the address is of a kind that MLflow or we do not keep models at.
        ServiceError: the folder cannot be made.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        return MlflowRegistry(uri)
    try:
        folder = make_output_folder(root.absolute() / ".mlops-config")
    except OSError as error:
        raise of_os_error(error) from error
    return MlflowRegistry(f"{PREFIX}{folder / 'mlflow.db'}")


class MlflowRegistry(ModelRegistry):
    """Everything in one MLflow, which is imported and opened at the first call.

    Args:
        uri: ``sqlite:///<file>`` or the address of a server, ``http(s)://``.
        retries: How often and how long to try.
    """

    def __init__(self, uri: str, *, retries: Retries = RETRIES) -> None:
        self._mlflow = Connection(uri, retries)
        self.uri = self._mlflow.uri
        database = self._mlflow.database
        self._artifacts = database.parent / "mlartifacts" if database else None
        """Where models and documents go beside SQLite; a server knows for itself."""

    def record(self, run: Run, package: ModelPackage, *, registered_model_name: str) -> ModelVersion:
        """Records the run and registers its model as a new version. When it fails nothing is registered.

        A version of the very same package (model, profile, tags: so the same configuration, commit and data)
        is returned as it is, so a job that was stopped after this point converges when it runs again.

        Raises:
            UsageError: the model cannot be stored without pickle.
            ServiceError: MLflow failed; the run is marked FAILED if MLflow can still be reached.
            KeyboardInterrupt: as it came; the run is marked KILLED.
        """
        files = package_files(package)
        tags = {**run.tags, PACKAGE_DIGEST: digest_of(files)}
        earlier = self.with_tags(registered_model_name, {PACKAGE_DIGEST: digest_of(files)})
        if earlier:
            return earlier[0]
        with recording(self._mlflow, run, {**tags, GATES: "passed"}, artifacts=self._artifacts) as started:
            model = started.log_model(package, files)
            started.log(model_id=model.model_id)
            started.finish()
            made = started.register(registered_model_name, model)
        return _version(made, run.metrics)

    def record_refused(self, run: Run) -> str:
        tags = {**run.tags, GATES: "refused"}
        with recording(self._mlflow, run, tags, artifacts=self._artifacts) as started:
            started.log()
            started.finish()
        return started.run_id

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        doing = f"looking for {name}@{alias} in MLflow"
        found = self._mlflow.find(lambda client: client.get_model_version_by_alias(name, alias), doing=doing)
        return self._complete([found])[0] if found else None

    def by_version(self, name: str, version: int) -> ModelVersion | None:
        doing = f"looking for version {version} of {name} in MLflow"
        found = self._mlflow.find(lambda client: client.get_model_version(name, str(version)), doing=doing)
        return self._complete([found])[0] if found else None

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        return self.with_tags(name, {})

    def with_tags(self, name: str, tags: Mapping[str, str]) -> tuple[ModelVersion, ...]:
        """The versions that carry all of the tags, the newest first: such as those of one config digest.

        Raises:
            UsageError: a value holds a quote, which MLflow cannot search for.
            ServiceError: MLflow failed.
        """
        conditions = [f"name = '{_quoted(name)}'"]
        conditions += [f"tags.`{key}` = '{_quoted(value)}'" for key, value in tags.items()]

        def once(client: Any) -> list[Any]:
            found: list[Any] = []
            token = None
            while True:
                page = client.search_model_versions(" and ".join(conditions), page_token=token)
                found.extend(page)
                token = page.token
                if not token:
                    return found

        found = self._mlflow.call(once, doing=f"listing the versions of {name} in MLflow")
        aliases = self._aliases(name) if found else {}
        versions = (
            replace(version, aliases=aliases.get(version.version, ())) for version in self._complete(found)
        )
        return tuple(sorted(versions, key=lambda version: version.version, reverse=True))

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self._mlflow.call(
            lambda client: client.set_registered_model_alias(name, alias, str(version)),
            doing=f"setting the alias {alias} of {name} to version {version} in MLflow",
        )

    def drop_alias(self, name: str, alias: str) -> None:
        self._mlflow.find(
            lambda client: client.delete_registered_model_alias(name, alias),
            doing=f"removing the alias {alias} of {name} in MLflow",
        )

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        def once(client: Any) -> None:
            for key, value in tags.items():
                client.set_model_version_tag(name, str(version), key, value)

        self._mlflow.call(once, doing=f"tagging version {version} of {name} in MLflow")

    def fetch(self, version: ModelVersion, folder: Path) -> ModelPackage:
        """The version's package, its files written below ``folder`` and its digest checked.

        A folder that holds the package already is read as it is.

        Raises:
            IntegrityError: the version names no digest, or the files are not those it names.
            ServiceError: MLflow, or where it keeps the files, failed.
        """
        what = f"version {version.version} of {version.name}"
        digest = version.tags.get(PACKAGE_DIGEST)
        if digest is None:
            raise IntegrityError(
                f"{what} has no tag {PACKAGE_DIGEST}, so nothing says which model it has to be",
                hint="serve versions that the training job registered",
            )
        with suppress(IntegrityError):
            if package_digest(folder) == digest:
                return read_package(folder, digest=digest)
        self._mlflow.call(
            lambda client: self._download(client, version, folder), doing=f"fetching {what} from MLflow"
        )
        return read_package(folder, digest=digest)

    def _download(self, client: Any, version: ModelVersion, folder: Path) -> None:
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory(prefix="mlops-config-") as scratch:
            model = download_artifacts(
                artifact_uri=client.get_model_version_download_uri(version.name, str(version.version)),
                dst_path=scratch,
                tracking_uri=self._mlflow.address,
                registry_uri=self._mlflow.address,
            )
            copy_package(Path(model), folder)

    def _complete(self, found: list[Any]) -> list[ModelVersion]:
        """MLflow's versions as ours, with the metrics of their runs."""
        metrics: dict[str, Mapping[str, float]] = {"": {}}
        for run_id in {version.run_id for version in found if version.run_id}:
            metrics[run_id] = self._metrics(run_id)
        return [_version(version, metrics[version.run_id or ""]) for version in found]

    def _aliases(self, name: str) -> dict[int, tuple[str, ...]]:
        """By version: MLflow's search leaves them out."""
        model = self._mlflow.find(
            lambda client: client.get_registered_model(name), doing=f"reading the aliases of {name} in MLflow"
        )
        found: dict[int, tuple[str, ...]] = {}
        for alias, version in sorted(model.aliases.items() if model else ()):
            found[int(version)] = (*found.get(int(version), ()), alias)
        return found

    def _metrics(self, run_id: str) -> Mapping[str, float]:
        run = self._mlflow.find(lambda client: client.get_run(run_id), doing="reading a run in MLflow")
        return run.data.metrics if run else {}


def _version(found: Any, metrics: Mapping[str, float]) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        version=int(found.version),
        run_id=found.run_id or "",
        tags=dict(found.tags),
        aliases=tuple(sorted(found.aliases or ())),
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        metrics=dict(metrics),
    )


def _quoted(text: str) -> str:
    """The text for within the quotes of MLflow's search language, which knows no escape for a quote."""
    if "'" in text:
        raise UsageError(f"MLflow cannot search for {text!r}: it contains a quote")
    return text
