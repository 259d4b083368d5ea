"""The estimator as a skops file: which types it may hold, bytes that depend on the model alone, no pickle."""

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.model.tree_bounds import check_trees

TRUSTED_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "mlops_config.runtime.model.transforming.CodedClasses",
        "mlops_config.runtime.model.transforming.moments_as_numbers",
        "numpy.dtype",
        # The next two skops leaves to its user: scikit-learn follows their indices unchecked. We check them.
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Types a model file may hold besides those skops itself trusts (scikit-learn's estimators, numpy's arrays).

Found by storing every estimator of :mod:`mlops_config.contract.registry`; a test stores them all again.
"""

_SCHEMA = "schema.json"
_WITHOUT_IDENTITY = frozenset({"JsonNode", "TypeNode"})
_EXTRAS = {"lightgbm": "lightgbm", "xgboost": "xgboost"}


def to_skops(pipeline: Any) -> bytes:
    """The pipeline as a skops file; equal pipelines give equal bytes, in any process.

    Raises:
        UsageError: it holds something that could not be loaded again: a type that is not on the list of
            trusted types, a lambda, a local class.
    """
    import skops.io

    try:
        data = _canonical(skops.io.dumps(pipeline))
        unknown = unknown_types(data)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the model cannot be stored without pickle: {error}",
            hint="use estimators and transformers that skops can store; a lambda or a local class is none",
        ) from error
    if unknown:
        raise UsageError(
            f"the model holds types that are not on the list of trusted types: {', '.join(unknown)}",
            hint="only types on the list are loaded again, so the model could not be served",
        )
    return data


def from_skops(data: bytes, *, origin: str) -> Any:
    """The pipeline in a skops file that was written by :func:`to_skops`.

    Loading by another version of scikit-learn than the one that stored it gives no warning here: the caller
    knows both versions and whether the predictions are the same.

    Raises:
        IntegrityError: the file is broken, holds an untrusted type, or a tree that leads outside of itself.
        UsageError: the library the estimator comes from is not installed.
    """
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    allowed = _allowed()
    try:
        _refuse_compressed(data, origin)
        unknown = unknown_types(data)
        if unknown:
            raise IntegrityError(
                f"{origin} holds types that are not trusted: {', '.join(unknown)}",
                hint="it was not written by a training job of this version; nothing of it was loaded",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            pipeline = skops.io.loads(data, trusted=sorted(allowed))
        check_trees(pipeline, origin=origin)
    except ImportError as error:
        raise _missing_library(error, origin) from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{origin} is no model file that can be read: {error}") from error
    return pipeline


def unknown_types(data: bytes) -> tuple[str, ...]:
    """The types in a skops file that neither skops nor we trust; nothing of the file is executed."""
    return tuple(sorted(set(untrusted_by_skops(data)) - _allowed()))


def untrusted_by_skops(data: bytes) -> tuple[str, ...]:
    """The types in a skops file that its reader must name to load it: MLflow keeps that list with a model."""
    import skops.io

    return tuple(skops.io.get_untrusted_types(data=data))


def _allowed() -> frozenset[str]:
    """The list, and what installed distributions declare for a team's own estimators."""
    from mlops_config.runtime.model.estimators import trusted_types

    return TRUSTED_TYPES | frozenset(trusted_types())


def _missing_library(error: ImportError, origin: str) -> UsageError:
    library = (error.name or "").split(".")[0]
    extra = _EXTRAS.get(library)
    return UsageError(
        f"{origin} holds a model of {library or 'a library'}, which is not installed here: {error}",
        hint=f"pip install 'mlops-config-action[jobs,{extra}]'" if extra else None,
    )


def _refuse_compressed(data: bytes, origin: str) -> None:
    """Members are stored as they are, so that a small file cannot unfold into a memory full of zeros."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise IntegrityError(f"{origin} holds the compressed member {member.filename!r}")


def _canonical(data: bytes) -> bytes:
    """The same file with names made from contents, where skops uses memory addresses, UUIDs and the time."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
        schema = json.loads(archive.read(_SCHEMA))
    names = {name: _content_name(name, content) for name, content in contents.items()}
    _rename(schema, names, {})
    members = {names[name]: content for name, content in contents.items()}
    members[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _content_name(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()[:32]}.{name.rpartition('.')[2]}"


def _rename(node: Any, names: Mapping[str, str], numbers: dict[int, int]) -> None:
    """Names files by content, and numbers objects in the order in which they come.

    An object keeps a number where it can matter that it is shared; two equal strings may be one or two.
    """
    if isinstance(node, list):
        for each in node:
            _rename(each, names, numbers)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("__loader__"), str):
        identity = node.pop("__id__", None)
        if identity is not None and node["__loader__"] not in _WITHOUT_IDENTITY:
            node["__id__"] = numbers.setdefault(identity, len(numbers) + 1)
        if node.get("file") in names:
            node["file"] = names[node["file"]]
    for value in node.values():
        _rename(value, names, numbers)
