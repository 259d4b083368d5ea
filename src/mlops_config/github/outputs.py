"""A step's outputs: values handed to later steps through the ``GITHUB_OUTPUT`` file."""

import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.github.limits import OUTPUT_CHARACTERS, utf16_units


def output_lines(values: Mapping[str, str | bool | int]) -> str:
    """What the runner reads as the outputs: each value between two lines with a random delimiter.

    The delimiter is new for each value, so no value can hold it and set another output. Truth values become
    ``true`` and ``false``.

    Raises:
        UsageError: the values are larger than GitHub takes from a job.
        ValueError: a name is none an output may have.
    """
    lines = []
    size = 0
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
            raise ValueError(f"{name!r} cannot be the name of an output")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        size += utf16_units(text)
        delimiter = f"end-{secrets.token_hex(16)}"
        lines.append(f"{name}<<{delimiter}\n{text}\n{delimiter}\n")
    if size > OUTPUT_CHARACTERS:
        raise UsageError(
            f"the outputs hold {size} characters, and GitHub takes {OUTPUT_CHARACTERS} from a job",
            hint="The same is in the files of the output folder: upload them as an artifact.",
        )
    return "".join(lines)


def write_outputs(path: Path, values: Mapping[str, str | bool | int]) -> None:
    """Adds the outputs to the file that ``GITHUB_OUTPUT`` names.

    Raises:
        UsageError, ValueError: as :func:`output_lines`.
        OSError: the file cannot be written.
    """
    text = output_lines(values)
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.write(text)
