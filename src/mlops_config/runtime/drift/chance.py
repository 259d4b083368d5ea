"""How large a distance gets by chance alone, for the rows that were really there.

The contract's rule X07 asks the same of the configuration, with the rows it allows; here a window is small,
or a reference, and the measure is known with its distribution.
"""

from collections.abc import Sequence
from math import isfinite, pi, sqrt

from mlops_config.contract.rules.noise import BinnedMeasure, noise_floor

NORMAL_QUANTILE = 3.090232306167813
"""The standard normal variable stays below it with the probability that the contract calls NOISE_LEVEL."""


def binned(measure: BinnedMeasure, reference: Sequence[int], window: Sequence[int]) -> float:
    """The value that ``measure`` stays below in 99.9 % of the windows without drift; 0 with a single bin."""
    bins = sum(count + other > 0 for count, other in zip(reference, window, strict=True))
    return noise_floor(measure, bins, sum(reference), sum(window)) if bins > 1 else 0.0


def wasserstein(
    reference: Sequence[int], window: Sequence[int], points: Sequence[float], std: float
) -> float:
    """A value that the Wasserstein distance, in units of ``std``, stays below in 99.9 % of such windows.

    Without drift the distance of samples of N and M rows is distributed as √(1/N + 1/M)·∫|B(F(x))|dx with a
    Brownian bridge B (E. del Barrio, E. Giné, C. Matrán, Annals of Probability 27 (2), 1999). Its median is
    at most its mean, √(2/π)·∫√(F(1 - F))dx; and as the distance is the largest difference of means of any
    function with slope at most 1, whose standard deviations are at most that of the values, it exceeds the
    median by more than z of these with the probability of a standard normal variable exceeding z, at most
    (the Gaussian isoperimetric inequality). F is the distribution of both together. Not for values without a
    variance, whose sample means nothing.
    """
    if not std:
        return 0.0
    both = [count + other for count, other in zip(reference, window, strict=True)]
    rows, below, spread = sum(both), 0, 0.0
    mean = sum(count * point for count, point in zip(both, points, strict=True)) / rows
    squares = sum(count * (point - mean) ** 2 for count, point in zip(both, points, strict=True))
    for count, low, high in zip(both, points, points[1:], strict=False):
        below += count
        share = below / rows
        spread += sqrt(share * (1 - share)) * (high - low)
    of_bridge = sqrt(2 / pi) * spread + NORMAL_QUANTILE * sqrt(squares / rows)
    floor = sqrt(1 / sum(reference) + 1 / sum(window)) * of_bridge / std
    return floor if isfinite(floor) else 0.0
