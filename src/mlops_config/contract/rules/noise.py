"""How large a drift measure gets by chance alone, so that a threshold can be held against it.

Let a reference sample of N rows and a current sample of M rows come from one distribution, counted in B
bins with probabilities π. The observed shares p (reference) and q (current) are independent, multinomial,
so p - q has mean 0 and covariance (1/N + 1/M)·(diag(π) - ππᵀ), and for growing samples

    T = Σ (p - q)² / π  /  (1/N + 1/M)

is distributed as chi-square with B - 1 degrees of freedom (Pearson's statistic for two samples). Expanding
each measure in p - q around π to the second order ties it to T:

* population stability index, Σ (p - q)·ln(p/q): its expansion is Σ (p - q)² / π, so PSI ≈ (1/N + 1/M)·T.
  The same result with proof: B. Yurdakul, J. Naranjo, "Statistical properties of the population stability
  index", Journal of Risk Model Validation 14 (4), 2020.
* Jensen-Shannon divergence in nats, ½·KL(p‖m) + ½·KL(q‖m) with m = (p + q)/2: its expansion is
  ⅛·Σ (p - q)² / π, so JSD ≈ ⅛·(1/N + 1/M)·T; in bits that is divided by ln 2; the distance is its root.
* largest difference of a share, max |p - q|: one share's difference is normal with a variance of at most
  ¼·(1/N + 1/M), and by Bonferroni's inequality all B of them stay below the two-sided quantile of level
  1 - (1 - level)/B. This is an upper bound, not an expansion.

Kolmogorov-Smirnov and chi-square thresholds are p-values, which take the sample size into account already.
The Wasserstein distance under no drift depends on the shape of the distribution and has no such bound.
"""

import math
from functools import lru_cache
from typing import Literal

NOISE_LEVEL = 0.999
"""Share of windows without drift in which a measure stays below its threshold: one false alarm in 1000."""

MOST_ROWS = 1_000_000_000
"""The largest ``min_samples`` the contract allows."""

BinnedMeasure = Literal["psi", "jensen_shannon", "l_infinity"]


def noise_floor(measure: BinnedMeasure, bins: int, reference_rows: int, current_rows: int) -> float:
    """The value ``measure`` stays below in 99.9 % of the windows without drift, for these sample sizes.

    ``jensen_shannon`` is the distance with base 2, between 0 and 1.
    """
    return _floor(measure, bins, 1 / reference_rows + 1 / current_rows)


def rows_needed(
    measure: BinnedMeasure, bins: int, reference_rows: int | None, threshold: float
) -> int | None:
    """The fewest current rows for which ``threshold`` lies above the noise floor.

    ``reference_rows`` is ``None`` when the reference is a window as large as the current one. Returns
    ``None`` when no number of rows up to a thousand million is enough: the reference itself is too small, or
    the threshold.
    """
    variance = _largest_variance(measure, bins, threshold)
    of_current = variance / 2 if reference_rows is None else variance - 1 / reference_rows
    if of_current <= 1 / MOST_ROWS:
        return None
    rows = math.ceil(1 / of_current)
    while _floor(measure, bins, 1 / rows + 1 / (reference_rows or rows)) >= threshold:
        rows += 1  # the quotient above is rounded, and "above" excludes equality
    return rows


def _floor(measure: BinnedMeasure, bins: int, variance: float) -> float:
    if measure == "l_infinity":
        level = 1 - (1 - NOISE_LEVEL) / bins
        return math.sqrt(chi_square_quantile(level, 1) * variance / 4)
    statistic = chi_square_quantile(NOISE_LEVEL, bins - 1) * variance
    return statistic if measure == "psi" else math.sqrt(statistic / 8 / math.log(2))


def _largest_variance(measure: BinnedMeasure, bins: int, threshold: float) -> float:
    """The largest 1/N + 1/M whose noise floor is at most ``threshold``."""
    at_one = _floor(measure, bins, 1.0)
    ratio = threshold / at_one
    return ratio if measure == "psi" else ratio * ratio


@lru_cache(maxsize=1024)
def chi_square_quantile(level: float, degrees: int) -> float:
    """The value a chi-square variable of ``degrees`` degrees of freedom stays below at ``level``.

    Found by Newton's method on the upper tail, kept inside a bracket by bisection. Relative error below 1e-9.

    Raises:
        ValueError: ``level`` is not between 0 and 1, or ``degrees`` is below 1.
    """
    if not 0 < level < 1 or degrees < 1:
        raise ValueError(f"no chi-square quantile for level {level} and {degrees} degrees of freedom")
    shape, tail = degrees / 2, 1 - level
    low, high = 0.0, max(1.0, float(degrees))
    while _upper_gamma(shape, high / 2) > tail:
        low, high = high, 2 * high
    value = (low + high) / 2
    for _ in range(200):
        excess = _upper_gamma(shape, value / 2) - tail
        low, high = (value, high) if excess > 0 else (low, value)
        density = math.exp((shape - 1) * math.log(value / 2) - value / 2 - math.lgamma(shape)) / 2
        step = value + excess / density if density else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - value) <= 1e-13 * value:
            return following
        value = following
    return value


def _upper_gamma(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(shape, x), x > 0.

    By its power series below shape + 1 and by Legendre's continued fraction above (Abramowitz and Stegun,
    Handbook of Mathematical Functions, 6.5.29 and 6.5.31), the latter evaluated by Lentz's method.
    """
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        following = shape
        while abs(term) > 1e-17 * total:
            following += 1
            term *= x / following
            total += term
        return 1 - total * scale
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    fraction = d
    for n in range(1, 10_000):
        a = -n * (n - shape)
        b += 2
        d = 1 / ((a * d + b) or tiny)
        c = (b + a / c) or tiny
        fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return scale * fraction
