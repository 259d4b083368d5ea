"""How fast our reader turns the bytes of 1,000 files into data, against parsers that keep no places.

Ours finds, in the same pass, every value's line and column, duplicate keys and scalars parsers disagree on.
"""

import sys
from itertools import cycle, islice
from pathlib import Path

import peers
import yaml
from timing import table, time_functions

from mlops_config.contract.reading.yaml_reader import read_document

ROOT = Path(__file__).resolve().parent.parent
FILES = 1000
BASELINE = "`yaml.load(…, CSafeLoader)`: no places, YAML 1.1"


def measure(rounds: int = 7) -> str:
    """The Markdown section with the table."""
    examples = [path.read_bytes() for path in sorted((ROOT / "configs").glob("*/*_config.yaml"))]
    files = list(islice(cycle(examples), FILES))
    site_packages = next((peers.environment() / "lib").glob("python*/site-packages"))
    sys.path.append(str(site_packages))
    from ruamel.yaml import YAML  # type: ignore[import-not-found]  # lies in the environment of the peers

    functions = {
        BASELINE: lambda: [yaml.load(data, yaml.CSafeLoader) for data in files],
        "**our reader**: every place, YAML 1.2 core": lambda: [
            read_document(data, "a.yaml") for data in files
        ],
        "ruamel.yaml, safe": lambda: [YAML(typ="safe", pure=True).load(data) for data in files],
        "ruamel.yaml, round trip: keeps places": lambda: [
            YAML(typ="rt", pure=True).load(data) for data in files
        ],
    }
    timings = time_functions(functions, rounds=rounds)
    size = sum(map(len, files)) / FILES
    return (
        "## Reading YAML\n\n"
        f"{FILES:,} files held in memory, {size:,.0f} bytes each on average; no schema. "
        "Times are for one file. ruamel.yaml reads in Python, as a plain installation leaves it; the "
        "C parser that can be added to it refuses a colon inside `[…]`, and so some of these files.\n\n"
        f"{table(timings, baseline=BASELINE, unit=1e6 / FILES, unit_name='µs')}\n\n"
        f"Median of {rounds} rounds in turns, in one process.\n"
    )


if __name__ == "__main__":
    print(measure())
