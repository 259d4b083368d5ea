"""The validator of each kind: the contract's own models, or those a team puts in their place."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlops_config.errors import UsageError
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from pydantic import BaseModel


class Validator(Protocol):
    """What turns plain data into a model, in pydantic-core's own signature."""

    def validate_python(self, data: Any, /) -> Any:
        """The model. Raises ``pydantic_core.ValidationError``."""


def models_for(contracts: str | None, root: Path) -> "Mapping[Kind, type[BaseModel]]":
    """The model of each kind. ``contracts`` names a module below ``root`` that holds a team's own.

    The module has a mapping ``MODELS`` from kinds to pydantic models; kinds it leaves out keep ours. It is
    imported, so its code runs: the settings file that names it must be trusted as code is.

    Raises:
        UsageError: the module cannot be imported, or is not such a module.
    """
    from mlops_config.contract.models import MODELS

    if contracts is None:
        return MODELS
    own = _own_models(contracts, root)
    return {kind: own.get(kind, MODELS[kind]) for kind in Kind}


def validator_of(model: "type[BaseModel]") -> Validator:
    """The compiled validator of a model."""
    return model.__pydantic_validator__


def _own_models(contracts: str, root: Path) -> "dict[Kind, type[BaseModel]]":
    from pydantic import BaseModel

    module = _import_from(contracts, root)
    given = getattr(module, "MODELS", None)
    if not isinstance(given, Mapping):
        raise UsageError(
            f"the contracts module {contracts} has no mapping MODELS",
            hint='write MODELS = {"training": YourTrainingConfig} in it',
        )
    kinds = {kind.value: kind for kind in Kind}
    models: dict[Kind, type[BaseModel]] = {}
    for kind, model in given.items():
        if kind not in kinds:
            raise UsageError(
                f"MODELS in the contracts module {contracts} names {kind!r}, which is no kind",
                hint=f"kinds are {', '.join(kinds)}",
            )
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise UsageError(
                f"MODELS[{str(kind)!r}] in the contracts module {contracts} is not a pydantic model"
            )
        models[kinds[kind]] = model
    return models


def _import_from(name: str, root: Path) -> Any:
    from importlib import import_module, invalidate_caches

    folder = str(root.resolve())
    sys.path.insert(0, folder)
    invalidate_caches()
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = "" if error.name is None or name.startswith(error.name) else f": it needs {error.name}"
        raise UsageError(
            f"the contracts module {name} cannot be imported from {root}{missing}",
            hint="contracts in mlops-config.yaml is a dotted name as in `import package.module`",
        ) from error
    except Exception as error:
        raise UsageError(
            f"the contracts module {name} fails while it is imported: {type(error).__name__}: {error}",
        ) from error
    finally:
        sys.path.remove(folder)
