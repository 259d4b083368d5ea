"""Writes the example's data set: taxi trips of an invented city, and what each of them cost.

The same arguments give the same file on every machine and Python version: only ``random.Random.random`` is
drawn from, and every number is rounded before it is written. ``--shift`` plants drift for monitoring to find.

    python tools/make_dataset.py                                  # data/trips.csv, 20,000 trips
    python tools/make_dataset.py --shift 0.5 --start 2026-10-01   # a grown city: longer trips, farther out
"""

import argparse
import csv
import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "trip_id",
    "pickup_time",
    "distance_km",
    "expected_minutes",
    "pickup_hour",
    "weekday",
    "passengers",
    "pickup_zone",
    "raining",
    "fare_eur",
)
ZONES = ("airport", "centre", "north", "south", "west")
_ZONE_WEIGHTS = (0.12, 0.38, 0.2, 0.18, 0.12)
_SHIFTED_ZONE_WEIGHTS = (0.3, 0.1, 0.2, 0.2, 0.2)
_RUSH_HOURS = frozenset({7, 8, 9, 16, 17, 18})


def trips(rows: int, *, seed: int, start: datetime, shift: float = 0.0) -> Iterator[tuple[object, ...]]:
    """``rows`` trips in the order of their pickup, as values of :data:`COLUMNS`.

    ``shift`` from 0 to 1 moves trips towards the outskirts and makes them longer; 0 is no drift.
    """
    draw = random.Random(seed)  # noqa: S311 - data for an example, not a secret
    moment = start
    weights = [(1 - shift) * a + shift * b for a, b in zip(_ZONE_WEIGHTS, _SHIFTED_ZONE_WEIGHTS, strict=True)]
    for number in range(rows):
        moment += timedelta(seconds=round(-780 * math.log(1 - draw.random())))
        zone = _pick(ZONES, weights, draw)
        raining = draw.random() < 0.2
        passengers = 1 + min(5, int(-1.1 * math.log(1 - draw.random())))
        typical = 14.0 if zone == "airport" else 4.5
        distance = round(min(100.0, max(0.4, typical * (1 + 0.8 * shift) * math.exp(0.5 * _normal(draw)))), 2)
        speed = 22.0 if moment.hour in _RUSH_HOURS else 34.0
        minutes = round(max(1.0, 60 * distance / speed * (1.15 if raining else 1.0) + 2 * _normal(draw)), 1)
        fare = 3.9 + 1.75 * distance + 0.42 * minutes
        fare += 7.5 if zone == "airport" else 0.0
        fare *= 1.2 if moment.hour >= 22 or moment.hour < 6 else 1.0
        fare += 2.5 if passengers > 4 else 0.0
        fare = round(min(400.0, max(4.0, fare + 1.6 * _normal(draw))), 2)
        yield (
            f"T{seed % 1000:03d}-{number:07d}",
            moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            distance,
            minutes,
            moment.hour,
            moment.weekday(),
            passengers,
            zone,
            "true" if raining else "false",
            fare,
        )


def _pick(names: Sequence[str], weights: Sequence[float], draw: random.Random) -> str:
    point = draw.random() * sum(weights)
    for name, weight in zip(names, weights, strict=True):
        point -= weight
        if point < 0:
            return name
    return names[-1]


def _normal(draw: random.Random) -> float:
    """The sum of twelve uniforms, less six: close to a standard normal number."""
    return sum(draw.random() for _ in range(12)) - 6.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file the command line asks for; always 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="trips to write (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=20261, help="same seed, same trips (default: %(default)s)"
    )
    parser.add_argument(
        "--start",
        type=lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
        default=datetime(2026, 1, 1, tzinfo=UTC),
        help="day of the first trip (default: 2026-01-01)",
    )
    parser.add_argument("--shift", type=float, default=0.0, help="drift from 0 to 1 (default: none)")
    parser.add_argument(
        "--output", type=Path, default=Path("data/trips.csv"), help="file to write (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(trips(options.rows, seed=options.seed, start=options.start, shift=options.shift))
    print(f"{options.output}: {options.rows} trips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
