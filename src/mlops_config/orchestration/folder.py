"""Airflow's DAG folder, on a disk or in a bucket: deployments, the bundles they name, and the DAG files.

Below the folder::

    training_dag.py …                                        the DAG files
    mlops/<project>/<model>/<environment>/deployment.json    what runs, changed by compare-and-swap
    mlops/<project>/<model>/<environment>/bundles/<hex>/     five files each, write-once, manifest last

The bundle is written before the deployment that names it, so a reader never sees one without the other. Old
bundles stay: a run that began before goes on with its own, and a rollback finds the one it goes back to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.orchestration.deployment import Deployment, key_of
from mlops_config.store.interface import ObjectExistsError, Published
from mlops_config.store.objects import ObjectStore

DEPLOYMENTS = "mlops"
"""Folder of the deployments beside the DAG files, where ``MLOPS_DEPLOYMENTS`` does not say otherwise."""
IGNORE = ".airflowignore"
"""Names the folders in which Airflow looks for no DAGs: bundles of many releases would be a long walk."""
DEPLOYMENTS_DAG = "deployments_dag.py"
"""The DAG file that shows which deployments have no DAGs, and why."""
COPY_SECONDS = 180.0
"""A managed Airflow reads no bucket: it has copied what is there by then."""
KINDS = "a folder, s3://bucket/prefix or gs://bucket/prefix"


class DeploymentMovedError(ServiceError):
    """Somebody else deployed since the deployment was read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the folder has of an environment, and the token for this very state of it."""

    deployment: Deployment | None
    token: str | None
    """``None``: there is no deployment yet."""


class DagFolder:
    """A DAG folder. Every method raises :class:`ServiceError` where the disk or the bucket refuses."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.uri = store.uri
        self.copied_within = 0.0 if store.uri.startswith("file:") else COPY_SECONDS
        """Seconds after which Airflow sees what was written, at the latest."""

    def standing(self, project: str, model_name: str, environment: str) -> Standing:
        """What runs there now.

        Raises:
            IntegrityError: the file is no deployment, or of something else.
        """
        key = self._key(project, model_name, environment)
        found = self._store.get(key)
        if found is None:
            return Standing(None, None)
        address = self._store.address(key)
        try:
            deployment = Deployment.from_json(found.data, address)
        except ValueError as error:
            raise IntegrityError(str(error), hint=f"look at {address}; removing it starts anew") from error
        named = (deployment.project, deployment.model_name, deployment.environment)
        if named != (project, model_name, environment):
            raise IntegrityError(f"{address} is the deployment of {'/'.join(named)}")
        return Standing(deployment, found.token)

    def write(self, deployment: Deployment, bundle: Bundle, expected: Standing) -> Published:
        """Puts the bundle there, then the deployment if the one there is still ``expected``.

        Raises:
            DeploymentMovedError: it is not; what is there stays.
            IntegrityError: the bundle is another than the deployment names, or a file of it is there with
                other content.
        """
        if bundle.digest != deployment.config_digest:
            raise IntegrityError(
                f"release {deployment.release} is of {deployment.config_digest},"
                f" this bundle is {bundle.digest}"
            )
        key = self._key(deployment.project, deployment.model_name, deployment.environment)
        folder = key.rpartition("/")[0]
        for name, data in bundle.contents().items():
            self._store.put_if_absent(f"{folder}/{deployment.bundle_folder}/{name}", data)
        address = self._store.address(key)
        if expected.deployment == deployment:
            return Published(address, created=False)
        if self._store.compare_and_swap(key, deployment.to_json(), expected.token) is None:
            raise self._moved(deployment, expected)
        return Published(address, created=True)

    def write_dags(self, files: Mapping[str, bytes]) -> dict[str, bool]:
        """Puts the DAG files there that are missing; by name, whether the file is now what was given.

        A file that is there stays as it is: it may be somebody's own.
        """
        same = {}
        for name, data in files.items():
            try:
                self._store.put_if_absent(name, data)
                same[name] = True
            except ObjectExistsError:
                same[name] = False
        return same

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that are no files directly in the folder."""
        return [name for name in names if self._store.get(name) is None]

    @staticmethod
    def _key(project: str, model_name: str, environment: str) -> str:
        return f"{DEPLOYMENTS}/{key_of(project, model_name, environment)}"

    def _moved(self, deployment: Deployment, expected: Standing) -> DeploymentMovedError:
        now = self.standing(deployment.project, deployment.model_name, deployment.environment).deployment
        before = f"release {expected.deployment.release}" if expected.deployment else "nothing"
        after = f"release {now.release}" if now else "nothing"
        return DeploymentMovedError(
            f"{deployment.environment} was given {after} by someone else while release {deployment.release}"
            f" was being deployed ({self.uri} had {before} before)",
            hint="look at that release; run the command again if yours should take its place",
        )


def open_folder(uri: str) -> DagFolder:
    """The DAG folder at a path or URI; nothing is read or written yet.

    Raises:
        UsageError: it is of no kind that this package writes to.
    """
    from mlops_config.store import open_store

    if "://" not in uri:
        path = Path(uri).resolve()
        if not path.is_dir():
            raise UsageError(
                f"there is no DAG folder {path}",
                hint="name Airflow's own (airflow config get-value core dags_folder), or make it",
            )
        uri = path.as_uri()
    if uri.partition("://")[0] == "oci":
        raise UsageError(f"Airflow reads no DAGs from {uri}", hint=f"name {KINDS}")
    store = open_store(uri)
    if not isinstance(store, ObjectStore):
        raise UsageError(f"Airflow reads no DAGs from {uri}", hint=f"name {KINDS}")
    return DagFolder(store)


@cache
def dag_files() -> Mapping[str, bytes]:
    """What a DAG folder needs once, by name: our DAG files, and what keeps Airflow out of the deployments.

    The files are those of the installed package, or of its checkout.
    """
    here = Path(__file__).resolve().parents[1] / "airflow" / "dag_files"
    folder = here if here.is_dir() else Path(__file__).resolve().parents[3] / "dags"
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*_dag.py"))}
    return {IGNORE: f"{DEPLOYMENTS}/\n".encode(), **files}
