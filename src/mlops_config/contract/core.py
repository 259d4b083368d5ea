"""pydantic-core's extension by itself: the package around it takes longer to load than we take to run.

Nothing is replaced: whoever imports ``pydantic_core`` later gets the package, made of the same extension.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator, ValidationError, __version__

__all__ = ["SchemaValidator", "ValidationError", "__version__"]

_PACKAGE, _EXTENSION = "pydantic_core", "pydantic_core._pydantic_core"


def _load() -> Any:
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return import_module(_PACKAGE)
    stand_in = ModuleType(_PACKAGE)
    stand_in.__path__ = spec.submodule_search_locations
    sys.modules[_PACKAGE] = stand_in
    try:
        return import_module(_EXTENSION)
    except ImportError:
        del sys.modules[_PACKAGE]
        return import_module(_PACKAGE)
    finally:
        if sys.modules.get(_PACKAGE) is stand_in:
            del sys.modules[_PACKAGE]


if not TYPE_CHECKING:
    _core = _load()
    SchemaValidator, ValidationError = _core.SchemaValidator, _core.ValidationError
    __version__ = _core.__version__
