"""Times whole processes, and functions, in turns: a change of the machine's load hits every row alike."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds, in seconds. ``user`` is CPU time in user mode, children included."""

    wall: float
    user: float
    wall_low: float
    wall_high: float
    rounds: int


def time_processes(
    commands: Mapping[str, Sequence[Sequence[str]]], *, rounds: int, cwd: Path, quiet: bool = False
) -> dict[str, Timing]:
    """Label → timing of its processes, run one after the other; one round is every label once.

    A first round, not counted, fills the page cache. ``quiet`` drops standard error as well.
    Raises CalledProcessError when a process does not end with 0.
    """
    errors = subprocess.DEVNULL if quiet else None
    samples: dict[str, list[tuple[float, float]]] = {label: [] for label in commands}
    for number in range(rounds + 1):
        for label, processes in commands.items():
            before, started = children_seconds(), time.perf_counter()
            for process in processes:
                subprocess.run(process, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=errors)
            wall = time.perf_counter() - started
            if number:
                samples[label].append((wall, children_seconds() - before))
    return {label: summarize(taken) for label, taken in samples.items()}


def children_seconds() -> float:
    """CPU seconds in user mode of the processes that have ended so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def time_functions(functions: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Timing]:
    """Label → timing of one call in this process; a round is every label once, the first is not counted."""
    samples: dict[str, list[tuple[float, float]]] = {label: [] for label in functions}
    for number in range(rounds + 1):
        for label, function in functions.items():
            before, started = time.process_time(), time.perf_counter()
            function()
            wall, user = time.perf_counter() - started, time.process_time() - before
            if number:
                samples[label].append((wall, user))
    return {label: summarize(taken) for label, taken in samples.items()}


def summarize(samples: Sequence[tuple[float, float]]) -> Timing:
    """Medians and the range of (wall, user) pairs."""
    walls = [wall for wall, _ in samples]
    return Timing(
        wall=statistics.median(walls),
        user=statistics.median(user for _, user in samples),
        wall_low=min(walls),
        wall_high=max(walls),
        rounds=len(samples),
    )


def table(timings: Mapping[str, Timing], *, baseline: str, unit: float = 1.0, unit_name: str = "s") -> str:
    """A Markdown table; the ratio is wall time against the baseline's."""
    lines = [
        f"| what | wall, median ({unit_name}) | lowest to highest | CPU ({unit_name}) | to baseline |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for label, timing in timings.items():
        wall, low, high, user = (
            f"{value * unit:.3f}" for value in (timing.wall, timing.wall_low, timing.wall_high, timing.user)
        )
        ratio = "1 (baseline)" if label == baseline else f"{timing.wall / timings[baseline].wall:.2f}"
        lines.append(f"| {label} | {wall} | {low} to {high} | {user} | {ratio} |")
    return "\n".join(lines)
