"""Distances and tests between the counts of a reference and those of a window; formulas in docs/drift.md.

All take rows by bin, category or cell: whole numbers, in the same order for both, with at least one row on
each side. Values that are no counts yet become some by :func:`counted`, which loses nothing.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Shares = NDArray[np.float64]

EMPTY_SHARE = 1e-4
"""Stands for the share of a bin that is empty on one side, in the PSI. Source: Evidently."""
CONSTANT_UNIT = 1e-3
"""The Wasserstein distance's unit where the reference is a constant. Source: Evidently."""
FEWEST_EXPECTED = 5
"""Rows that the chi-square approximation needs in every cell. Source: W. G. Cochran, "Some methods for
strengthening the common chi-square tests", Biometrics 10 (4), 1954."""
MOST_EXACT = 10_000
"""Rows of the larger sample up to which scipy computes the Kolmogorov-Smirnov p-value exactly."""


class Test(NamedTuple):
    """A test's outcome."""

    statistic: float
    p_value: float


class Counted(NamedTuple):
    """Two samples as counts over every value that is in one of them."""

    points: "NDArray[np.float64]"
    reference: "NDArray[np.int64]"
    window: "NDArray[np.int64]"


def counted(reference: "ArrayLike", window: "ArrayLike") -> Counted:
    """Two samples of finite numbers as counts over their distinct values, increasing."""
    import numpy as np

    of_reference, of_window = np.asarray(reference, dtype=float), np.asarray(window, dtype=float)
    points, places = np.unique(np.concatenate([of_reference, of_window]), return_inverse=True)
    split = len(of_reference)
    return Counted(
        points,
        np.bincount(places[:split], minlength=len(points)),
        np.bincount(places[split:], minlength=len(points)),
    )


def psi(reference: Sequence[int], window: Sequence[int], *, empty_rows: float | None = None) -> float:
    """Population stability index, from 0 and unbounded: the sum of (q - p)·ln(q / p) over shares p and q.

    A share of 0 is taken for :data:`EMPTY_SHARE` where the other one is not 0; or, if they are given, for
    that of ``empty_rows``.
    """
    import numpy as np

    p, q = _shares(reference, window)
    held = (p > 0) | (q > 0)
    least = [EMPTY_SHARE if empty_rows is None else empty_rows / sum(each) for each in (reference, window)]
    p, q = (np.where(share > 0, share, empty)[held] for share, empty in zip((p, q), least, strict=True))
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(reference: Sequence[int], window: Sequence[int]) -> float:
    """Jensen-Shannon distance with base 2, from 0 to 1: the root of the divergence, in bits."""
    import numpy as np

    p, q = _shares(reference, window)
    mean = (p + q) / 2
    divergence = (_relative_entropy(p, mean) + _relative_entropy(q, mean)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def l_infinity(reference: Sequence[int], window: Sequence[int]) -> float:
    """The largest change of any share, from 0 to 1."""
    import numpy as np

    p, q = _shares(reference, window)
    return float(np.max(np.abs(p - q)))


def chi_square(reference: Sequence[int], window: Sequence[int]) -> Test:
    """Pearson's test that both were drawn from one distribution (homogeneity; two samples).

    It is ``scipy.stats.chi2_contingency`` without Yates' correction. Evidently tests the window against the
    reference's shares as if they were known exactly, which alarms too often with a small reference; with a
    large one both agree. Categories in which neither has a row are left out; with fewer than two left there
    is nothing to test, and the p-value is 1.
    """
    import numpy as np
    from scipy.stats import chi2

    table = np.array([reference, window], dtype=float)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return Test(0.0, 1.0)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return Test(statistic, float(chi2.sf(statistic, table.shape[1] - 1)))


def pooled(reference: Sequence[int], window: Sequence[int]) -> tuple[list[int], list[int]]:
    """The counts with the rarest categories added together, until :func:`chi_square` may be trusted.

    The two with the fewest rows become one for as long as one of them has less than
    :data:`FEWEST_EXPECTED` rows expected on either side, and there are more than two.
    """
    pairs = sorted(zip(reference, window, strict=True), key=sum)
    share = min(sum(reference), sum(window)) / (sum(reference) + sum(window))
    while len(pairs) > 2 and sum(pairs[0]) * share < FEWEST_EXPECTED:
        (first, other), (second, others) = pairs[:2]
        pairs = sorted([(first + second, other + others), *pairs[2:]], key=sum)
    return [count for count, _ in pairs], [count for _, count in pairs]


def ks(reference: Sequence[int], window: Sequence[int]) -> Test:
    """Two-sample Kolmogorov-Smirnov test, two-sided, over counts of increasing values.

    The p-value is the one of ``scipy.stats.ks_2samp``: exact while neither sample has more than
    :data:`MOST_EXACT` rows, asymptotic beyond.
    """
    import numpy as np
    from scipy.stats import kstwo

    p, q = np.cumsum(reference), np.cumsum(window)
    rows, others = int(p[-1]), int(q[-1])
    statistic = float(np.max(np.abs(p / rows - q / others)))
    if max(rows, others) <= MOST_EXACT:
        return _exact_ks(reference, window)
    effective = np.round(rows * others / (rows + others))
    return Test(statistic, float(np.clip(kstwo.sf(statistic, effective), 0, 1)))


def _exact_ks(reference: Sequence[int], window: Sequence[int]) -> Test:
    import numpy as np
    from scipy.stats import ks_2samp

    places = np.arange(len(reference))
    with warnings.catch_warnings():
        # scipy warns when it has to fall back on the asymptotic p-value, which is what it then gives.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful", RuntimeWarning)
        found = ks_2samp(np.repeat(places, reference), np.repeat(places, window))
    return Test(float(found.statistic), float(found.pvalue))


def wasserstein(
    reference: Sequence[int], window: Sequence[int], points: Sequence[float], std: float
) -> float:
    """First Wasserstein distance in standard deviations of the reference, from 0 and unbounded.

    ``points`` are where the counted rows lie, in the values' own unit, not decreasing; ``std`` is the
    reference's standard deviation, 0 for a constant, whose unit is then :data:`CONSTANT_UNIT`.
    """
    import numpy as np

    p, q = (np.cumsum(share)[:-1] for share in _shares(reference, window))
    place = np.asarray(points, dtype=float) / (std or CONSTANT_UNIT)
    return float(np.sum(np.abs(p - q) * np.diff(place)))


def _shares(*counts: Sequence[int]) -> "tuple[Shares, ...]":
    import numpy as np

    return tuple(np.asarray(each, dtype=float) / np.sum(each) for each in counts)


def _relative_entropy(p: "Shares", q: "Shares") -> float:
    import numpy as np

    held = p > 0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))
