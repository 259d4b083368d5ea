"""Hands a model version to the deployer, its package where the provider can read it."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.bundle.archive import read_folder
from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.deploy import open_deployer
from mlops_config.deploy.interface import Deployment, EndpointStatus, Revision, State
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.ledger.entries import Draft, Event
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.tracking.interface import ModelVersion

CONFIG_VARIABLE = "MLOPS_CONFIG_DIR"
PACKAGES_VARIABLE = "MLOPS_PACKAGES"
"""Where model packages are put for a cloud's model server, such as ``s3://bucket/models``."""
_SCHEMES = {"aws": "s3://", "gcp": "gs://"}


def deploy_version(
    context: JobContext,
    version: ModelVersion,
    smoke_rows: Sequence[Mapping[str, Any]],
    progress: Callable[[str], None],
    *,
    wait: bool = True,
) -> EndpointStatus:
    """The endpoint, serving the version; without ``wait`` perhaps on its way to that, and asked again.

    Raises:
        DeployFailedError: the version did not come up or failed its smoke test; what served before serves.
        UsageError: a cloud's server needs an image, and none is known.
    """
    inference = context.configs.inference
    folder = model_folder(context, version)
    package = context.registry.fetch(version, folder)
    deployment = Deployment(
        project=context.bundle.project,
        environment=context.environment,
        endpoint=endpoint_name(inference),
        revision=Revision(
            model_name=version.name,
            model_version=version.version,
            config_digest=context.config_digest,
            image=_image(context),
            package_uri=_package_uri(context, folder),
        ),
        inference=inference,
        smoke_test=context.configs.retrain.redeploy.smoke_test,
        smoke_rows=smoke_rows or _example(package.example),
        variables=_variables(context),
        monitoring=context.configs.monitoring,
    )
    return open_deployer(inference, root=context.root).deploy(deployment, progress, wait=wait)


def serves(context: JobContext, version: ModelVersion) -> bool:
    """Whether the endpoint gives all its traffic to the version under this very configuration and image.

    Raises:
        ServiceError: the provider stays away.
    """
    inference = context.configs.inference
    found = open_deployer(inference, root=context.root).status(endpoint_name(inference))
    name = Revision(version.name, version.version, context.config_digest, image=None, package_uri="").name
    if found is None or found.state is not State.IN_SERVICE or found.traffic != {name: 100}:
        return False
    if inference.deployer.target == "local":
        return True
    # A revision's name does not tell its image; the ledger does.
    deployed = (entry for entry in reversed(context.ledger.entries()) if entry.event is Event.DEPLOYED)
    last = next((entry for entry in deployed if entry.outcome == "succeeded"), None)
    return last is not None and last.image_digest == context.provenance.image_digest


def undeploy(context: JobContext) -> tuple[str, bool]:
    """Removes the environment's endpoint; its name, and whether there was one."""
    inference, name = context.configs.inference, endpoint_name(context.configs.inference)
    deployer = open_deployer(inference, root=context.root)
    if deployer.status(name) is None:
        return name, False
    deployer.delete(name, lambda line: context.console.say(f"undeploy: {line}"))
    context.ledger.append(
        Draft(
            event=Event.UNDEPLOYED,
            time=datetime.now(UTC),
            job_id=context.job_id,
            **context.subject(),
            uri=name,
        )
    )
    return name, True


def model_folder(context: JobContext, version: ModelVersion) -> Path:
    """Where this machine keeps a version's package."""
    return context.scratch.parent / "models" / version.name / str(version.version)


def _image(context: JobContext) -> str | None:
    if context.configs.inference.deployer.target == "local":
        return None
    if context.provenance.image is None:
        raise UsageError(
            f"on {context.configs.inference.deployer.target} the model server starts from an image, and none"
            " is known",
            hint="release with --push and deploy that release, or set MLOPS_IMAGE=repository@sha256:…",
        )
    return context.provenance.image


def _package_uri(context: JobContext, folder: Path) -> str:
    """Where the provider reads the package: this machine a folder, a cloud one of its own buckets."""
    target = context.configs.inference.deployer.target
    if target == "local":
        return folder.resolve().as_uri()
    from mlops_config.deploy.packages import publish_package

    scheme = _SCHEMES[target]
    place = os.environ.get(PACKAGES_VARIABLE) or f"{context.ledger.store.uri}/{context.bundle.project}/models"
    if not place.startswith(scheme):
        raise UsageError(
            f"{target} reads model packages from {scheme}…, and none is named",
            hint=f"set {PACKAGES_VARIABLE}={scheme}bucket/prefix, or keep the ledger in such a store",
        )
    return publish_package(folder, place)


def _example(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def served_configuration(context: JobContext) -> Path:
    """A folder with the bundle for a server on this machine: the checkout may change while it serves."""
    folder = context.scratch.parent / "configs" / context.config_digest.removeprefix("sha256:")
    if folder.is_dir() and read_folder(folder).digest == context.config_digest:
        return folder.resolve()
    make_output_folder(context.scratch.parent)
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        whole = Path(scratch, "bundle")
        for name, data in context.bundle.contents().items():
            write_atomically(whole / name, data)
        with suppress(OSError):
            # Another process may have put the same files there meanwhile.
            whole.rename(folder)
    if read_folder(folder).digest != context.config_digest:
        raise IntegrityError(f"{folder} is not the bundle {context.config_digest}", hint="remove that folder")
    return folder.resolve()


def _variables(context: JobContext) -> dict[str, str]:
    is_local = context.configs.inference.deployer.target == "local"
    given = {
        CONFIG_VARIABLE: str(served_configuration(context)) if is_local else None,
        "MLOPS_ENVIRONMENT": context.environment,
        "MLOPS_CONFIG_DIGEST": context.config_digest,
        "MLOPS_COMMIT": context.provenance.commit,
        "MLOPS_RELEASE": context.provenance.release,
        "MLOPS_IMAGE_DIGEST": context.provenance.image_digest,
    }
    return {name: value for name, value in given.items() if value}
