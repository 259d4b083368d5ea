"""Cuts a batch's input into units of work: a file, or some row groups of a large one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.data.problems import DataError

if TYPE_CHECKING:
    import pandas as pd

UNIT_ROWS = 1_000_000
"""A Parquet file with more is worked on in several units, each of whole row groups."""
NUMBERS_A_FILE = 10_000_000_000
"""Rows are numbered from this many times the file's place; no file has as many."""

_SUFFIX = re.compile(r"\.(?:parquet|parq|pq|csv|jsonl|ndjson|json)(?:\.gz)?$", re.IGNORECASE)
_NO_NAME = re.compile(r"[^A-Za-z0-9._=-]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows that are predicted and written together."""

    name: str
    """Of its output, without suffix: ``part-`` and the input file's name."""
    part: Dataset
    first_number: int
    """Of its first row; a row's number is that of its place in the input, refused or not."""
    row_groups: tuple[int, ...] | None = None
    """``None``: the whole file."""

    def frame(self) -> "pd.DataFrame":
        """The rows, numbered from 0.

        Raises:
            DataError: the file is broken.
            ServiceError: it cannot be read.
        """
        if self.row_groups is None:
            return self.part.frame()
        import pyarrow as pa

        from mlops_config.runtime.data.frames import to_frame

        dataset = self.part.arrow()
        fragment = next(iter(dataset.get_fragments()))
        try:
            table = fragment.subset(row_group_ids=list(self.row_groups)).to_table(schema=dataset.schema)
        except (pa.ArrowInvalid, OSError) as error:
            raise self.part.unreadable(self.part.files[0], error) from error
        return to_frame(table)


def units_of(dataset: Dataset, *, unit_rows: int = UNIT_ROWS) -> list[Unit]:
    """The units of all files, in the order of the files; the same files give the same units.

    Raises:
        DataError: a file is broken, or two files would have outputs of one name.
        ServiceError: a file cannot be read.
    """
    found: dict[str, Unit] = {}
    for place, part in enumerate(dataset.parts()):
        for unit in _of_part(part, place, unit_rows):
            if unit.name in found:
                raise DataError(
                    f"two files of {dataset.uri} would be written as {unit.name}",
                    hint="give one of them another name",
                )
            found[unit.name] = unit
    return list(found.values())


def _of_part(part: Dataset, place: int, unit_rows: int) -> Iterator[Unit]:
    name = "part-" + _NO_NAME.sub("_", _SUFFIX.sub("", part.files[0].name.replace("/", "-")))
    first = place * NUMBERS_A_FILE + 1
    groups = _row_groups(part)
    if sum(groups) <= unit_rows:
        yield Unit(name, part, first)
        return
    chosen: list[int] = []
    rows = start = number = 0
    for group, count in enumerate(groups):
        chosen.append(group)
        rows += count
        if rows >= unit_rows or group == len(groups) - 1:
            yield Unit(f"{name}-{number:05}", part, first + start, tuple(chosen))
            start, number, rows, chosen = start + rows, number + 1, 0, []


def _row_groups(part: Dataset) -> list[int]:
    """Rows of each row group; none where the format has no such thing."""
    if part.format != "parquet":
        return []
    import pyarrow as pa
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(part.files[0].path, filesystem=part.filesystem)
    except (pa.ArrowInvalid, OSError) as error:
        raise part.unreadable(part.files[0], error) from error
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
