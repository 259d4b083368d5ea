"""The validator of each kind: the contract's own models, or those a team puts in their place."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlops_config.contract.compiled import load_validators
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from pydantic import BaseModel


class Validator(Protocol):
    """What turns plain data into a model, in pydantic-core's own signature."""

    def validate_python(self, data: Any, /) -> Any:
        """The model. Raises ``pydantic_core.ValidationError``."""


class Validators:
    """The validator of each kind, and the model classes for what needs them.

    ``contracts`` names a module below ``root`` that holds a team's own: a mapping ``MODELS`` from kinds to
    pydantic models; kinds it leaves out keep ours. It is imported, so its code runs: the settings file that
    names it must be trusted as code is.

    With ``light``, the validators of our own models come from stored schemas, which saves building the
    classes; what they make has a model's attributes and nothing else of it.

    Raises:
        UsageError: the contracts module cannot be imported, or is not such a module.
    """

    def __init__(self, contracts: str | None, root: Path, *, light: bool) -> None:
        self._own = _own_models(contracts, root) if contracts else {}
        self._stored = load_validators() if light and not contracts else None

    def validator(self, kind: Kind) -> Validator:
        """The compiled validator of a kind."""
        return self._stored[kind] if self._stored else self.model(kind).__pydantic_validator__

    def model(self, kind: Kind) -> "type[BaseModel]":
        """The model class of a kind."""
        if kind in self._own:
            return self._own[kind]
        from mlops_config.contract.models.by_kind import MODELS

        return MODELS[kind]


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
        if error.name is not None and not f"{name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"the contracts module {name} cannot be imported from {root}: it needs {error.name}",
                hint=f"install {error.name} where this command runs",
            ) from error
        raise UsageError(
            f"the contracts module {name} cannot be imported from {root}",
            hint="contracts in mlops-config.yaml is a dotted name as in `import package.module`",
        ) from error
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"the contracts module {name} fails while it is imported: {type(error).__name__}: {error}",
            hint=_where(error, folder),
        ) from error
    finally:
        sys.path.remove(folder)


def _where(error: BaseException, folder: str) -> str | None:
    """The line below ``folder`` that failed last; a syntax error names its own."""
    from traceback import extract_tb

    own = [frame for frame in extract_tb(error.__traceback__) if frame.filename.startswith(folder + os.sep)]
    return f"look at {own[-1].filename}, line {own[-1].lineno}" if own else None
