"""Chooses the cells and bins of a numeric column from the values of the reference."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

MOST_CELLS = 1_000
"""Cells between the least and the largest value of the reference."""
FEWEST_CELLS = 100
"""Cells of each column where there are very many columns."""
CELLS_IN_ALL = 200_000
"""Over all columns, before :data:`FEWEST_CELLS` holds: a profile stays in the megabytes."""
_TAIL = range(-3, 13)
"""Beyond the reference's values, cells end at 2 to these powers times its standard deviation."""


@dataclass(frozen=True, slots=True)
class Binning:
    """What the reference fixes for a numeric column; see ``NumericColumn`` for the fields."""

    grid: tuple[float, ...] = ()
    edges: tuple[int, ...] = ()
    exact: bool = False
    mean: float | None = None
    std: float | None = None


def cells_per_column(columns: int) -> int:
    """How many cells each of so many numeric columns gets."""
    return min(MOST_CELLS, max(FEWEST_CELLS, CELLS_IN_ALL // max(columns, 1)))


def choose(values: "Values", *, bins: int, quantiles: bool, cells: int) -> Binning:
    """The binning of finite ``values``, in any order.

    Without more than ``cells`` different values each is a point of the grid, and counts lose nothing.
    Otherwise the points are quantiles: each cell holds about 1 / ``cells`` of the rows, and fewer and fewer
    towards both ends. Beyond the least and the largest value follow cells of doubling width, so that a
    window's values out there stay apart.
    """
    import numpy as np

    if not len(values):
        return Binning()
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(np.mean(values)), float(np.std(values))
    ordered = np.sort(values) + 0.0  # -0.0 becomes 0.0
    distinct = np.unique(ordered)
    exact = len(distinct) <= cells
    points = distinct if exact else np.concatenate([_quantiles(ordered, cells), _tails(ordered, cells)])
    least, largest = ordered[0], ordered[-1]
    unit = std if 0 < std < np.inf else abs(largest) or 1.0
    with np.errstate(over="ignore"):
        steps = unit * np.exp2(np.array(_TAIL, dtype=np.float64))
        below = np.nextafter(least, -np.inf)
        tails = np.concatenate([least - steps, [below], largest + steps])
    inner = _inner_edges(ordered, distinct, bins, quantiles)
    grid = np.unique(np.concatenate([points, tails, inner]))
    grid = grid[np.isfinite(grid)]
    return Binning(
        grid=tuple(grid.tolist()),
        edges=tuple(np.searchsorted(grid, inner).tolist()),
        exact=exact,
        mean=mean if np.isfinite(mean) else None,
        std=std if np.isfinite(std) else None,
    )


def _quantiles(ordered: "Values", parts: int) -> "Values":
    """The different values among the ``ordered`` that end each of ``parts`` equal shares of the rows."""
    import numpy as np

    ranks = np.ceil(np.arange(1, parts + 1) * len(ordered) / parts).astype(np.int64) - 1
    return np.unique(ordered[ranks])


def _tails(ordered: "Values", parts: int) -> "Values":
    """Values that halve the first and the last of ``parts`` equal shares again and again.

    A share at the end of a long tail is wide: where its rows lie matters, though they are few.
    """
    import numpy as np

    rows = len(ordered)
    steps = np.exp2(-np.arange(1, 64)) * rows / parts
    ranks = np.unique(np.floor(steps[steps >= 1]).astype(np.int64))
    return np.concatenate([ordered[ranks - 1], ordered[rows - 1 - ranks]])


def _inner_edges(ordered: "Values", distinct: "Values", bins: int, quantiles: bool) -> "Values":
    """The upper ends of all bins but the last, which is open.

    A constant gets bins of its own below and above it: otherwise nothing could leave it.
    """
    import numpy as np

    if len(distinct) == 1:
        edges = np.array([np.nextafter(distinct[0], -np.inf), distinct[0]])
    elif len(distinct) <= bins:
        edges = distinct[:-1]
    elif quantiles:
        edges = _quantiles(ordered, bins)
        edges = edges[edges < ordered[-1]]
        if not len(edges):  # nearly all rows hold the largest value
            edges = distinct[-2:-1]
    else:
        shares = np.arange(1, bins) / bins
        edges = np.unique(ordered[0] * (1 - shares) + ordered[-1] * shares)
        edges = edges[edges < ordered[-1]]
    finite: Values = edges[np.isfinite(edges)]
    return finite
