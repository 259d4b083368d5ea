"""What a stored model holds besides scikit-learn's own types; model files name these, so they stay."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

if TYPE_CHECKING:
    import pandas as pd

_DAY_SECONDS = 86_400.0


def moments_as_numbers(frame: "pd.DataFrame") -> np.ndarray[Any, Any]:
    """Each timestamp as days since 1970, hour of the day with its fraction, and day of the week (Monday 0).

    All in UTC; NaN where there is no value. Three columns for each column of ``frame``.
    """
    parts = [part for name in frame.columns for part in _parts(frame[name])]
    return np.column_stack(parts)


def _parts(moments: "pd.Series[Any]") -> tuple[Any, Any, Any]:
    import pandas as pd

    utc = pd.to_datetime(moments, utc=True)
    seconds = (utc - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy("float64")
    days = np.floor(seconds / _DAY_SECONDS)
    return seconds / _DAY_SECONDS, (seconds - days * _DAY_SECONDS) / 3600, (days + 3) % 7


class CodedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that takes only whole numbers from 0 as classes, made to take any."""

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, X: Any, y: Any) -> "CodedClasses":  # noqa: N803 - scikit-learn's names
        """Fits a copy of the classifier to the classes' positions."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.classifier_ = clone(self.classifier).fit(X, codes)
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The class of each row."""
        return self.classes_[np.asarray(self.classifier_.predict(X), dtype=np.intp)]

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """The probability of each class, in the order of ``classes_``."""
        return self.classifier_.predict_proba(X)
