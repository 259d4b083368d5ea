"""What a job proves before it acts: that it reads the files it was given, and acts in its own environment."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlops_config.bundle.archive import read_folder
from mlops_config.bundle.bundle import MANIFEST_NAME, Bundle, config_digest
from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.contract.rules.places import written_places
from mlops_config.contract.rules.uris import names_environment
from mlops_config.errors import IntegrityError
from mlops_config.runtime.context import Configs, JobContext
from mlops_config.runtime.tracking.interface import ModelVersion

DIGEST_VARIABLE = "MLOPS_CONFIG_DIGEST"
ENVIRONMENT_VARIABLE = "MLOPS_ENVIRONMENT"


def is_baked(folder: Path) -> bool:
    """Whether the folder holds a bundle, as an image's ``/app/configs`` does, rather than sources."""
    return (folder / MANIFEST_NAME).is_file()


def read_baked(folder: Path) -> Bundle:
    """The bundle in an image, proven against its manifest and against what the deployment says.

    Raises:
        IntegrityError: a file is not what the manifest says, or the deployment names no digest or another.
    """
    bundle = read_folder(folder)
    if not os.environ.get(DIGEST_VARIABLE):
        raise IntegrityError(
            f"{folder} holds the {bundle.environment} bundle, but nothing says which it should be",
            hint=f"set {DIGEST_VARIABLE}, as the image and the deployment do; the files have {bundle.digest}",
        )
    require_digest(bundle, str(folder))
    return bundle


def require_digest(bundle: Bundle, origin: str) -> None:
    """Refuses files that the deployment does not expect.

    Raises:
        IntegrityError: ``MLOPS_CONFIG_DIGEST`` or ``MLOPS_ENVIRONMENT`` say something else.
    """
    environment = os.environ.get(ENVIRONMENT_VARIABLE)
    if environment and environment != bundle.environment:
        raise IntegrityError(
            f"this is the {environment} environment, but the configuration in {origin} is for"
            f" {bundle.environment}",
            hint="deploy the environment's own image",
        )
    require_bytes(((file.name, file.data) for file in bundle.files), origin)


def require_bytes(files: Iterable[tuple[str, bytes]], origin: str) -> None:
    """Refuses bytes that the deployment does not expect, before anybody asks what they mean.

    ``files`` are canonical names and contents.

    Raises:
        IntegrityError: ``MLOPS_CONFIG_DIGEST`` is another digest.
    """
    expected = os.environ.get(DIGEST_VARIABLE)
    if expected and expected != (found := config_digest(files)):
        raise IntegrityError(
            f"the configuration in {origin} is not the one that was deployed:"
            f" expected {expected}, found {found}",
            hint="find out who changed the files or the deployment; then release and deploy again",
        )


def require_wall(configs: Configs, environment: str, environments: Iterable[str]) -> None:
    """Refuses a configuration that would write to, or name, what is another environment's.

    Raises:
        IntegrityError: a place the jobs write to, or a name they act on, is another environment's.
    """
    others = [name for name in environments if name != environment]
    for what, value in _acted_on(configs):
        for other in others:
            if names_environment(value, other) and not names_environment(value, environment):
                raise IntegrityError(
                    f"the {environment} configuration would act on {other}: {what} is {value}",
                    hint=f"give {environment} a name or place of its own, and release again",
                )


def require_own_model(version: ModelVersion, context: JobContext) -> None:
    """Refuses a model that another environment trained.

    Raises:
        IntegrityError: the version's tags say so.
    """
    require_own(version.tags, f"{version.name} version {version.version}", context)


def require_own(tags: Mapping[str, str], what: str, context: JobContext) -> None:
    """Refuses what another environment made, as its tags say.

    Raises:
        IntegrityError: they name another environment.
    """
    made_in = tags.get("mlops.environment")
    if made_in not in (None, context.environment):
        raise IntegrityError(
            f"{what} was trained in {made_in}; {context.environment} does not serve it",
            hint=f"train it in {context.environment}: its data and its gates are others",
        )


def _acted_on(configs: Configs) -> Iterator[tuple[str, str]]:
    for place in written_places(configs.inference, configs.monitoring):
        yield f"the place of {place.role}", place.uri
    yield "the registered model", configs.training.tracking.registered_model_name
    yield "the served model", configs.inference.model.registered_model_name
    yield "the experiment", configs.training.tracking.experiment_name or ""
    if configs.inference.endpoint is not None:
        yield "the endpoint", endpoint_name(configs.inference)
