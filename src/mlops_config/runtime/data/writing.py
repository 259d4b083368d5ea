"""Writes a table as one file, all of it or nothing."""

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.runtime.data.locations import filesystem_of
from mlops_config.runtime.data.problems import of_file_error

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 65_536


def write_table(table: "pa.Table", uri: str, format: str, root: Path) -> None:  # noqa: A002 - the contract's word
    """Writes ``table`` to the file at ``uri``; a file that is there is replaced.

    The rows go to a name of their own first, which readers pass over, and get the final name when all of
    them are there: at no moment does the final name hold less than the whole. An object of more than 5 GB
    cannot be renamed within S3; write several.

    Args:
        table: The rows.
        uri: The file, at ``file://``, ``s3://`` or ``gs://``.
        format: ``parquet``, ``csv`` or ``jsonl``.
        root: What ``file://./…`` is relative to.

    Raises:
        ServiceError: the disk is full, or the place refuses or does not answer.
    """
    from pyarrow import fs

    filesystem, path = filesystem_of(uri, root)
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.{secrets.token_hex(8)}"
    try:
        if isinstance(filesystem, fs.LocalFileSystem):
            Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            with filesystem.open_output_stream(temporary) as stream:
                _WRITERS[format](table, stream)
            filesystem.move(temporary, path)
        except BaseException:
            _remove(filesystem, temporary)
            raise
    except OSError as error:
        raise of_file_error(error, f"writing {uri}") from error


def _remove(filesystem: Any, path: str) -> None:
    try:
        filesystem.delete_file(path)
    except OSError:  # it never came to be, or the place is gone: what failed first is what to tell
        return


def _write_parquet(table: "pa.Table", stream: Any) -> None:
    from pyarrow import parquet

    parquet.write_table(table, stream, compression="zstd")


def _write_csv(table: "pa.Table", stream: Any) -> None:
    from pyarrow import csv

    csv.write_csv(table, stream)


def _write_jsonl(table: "pa.Table", stream: Any) -> None:
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in _plain_rows(batch))
        stream.write("".join(f"{line}\n" for line in lines).encode())


def _plain_rows(batch: "pa.RecordBatch") -> Iterator[dict[str, Any]]:
    for row in batch.to_pylist():
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """The value as JSON has it: moments in ISO 8601, NaN and infinity as no value."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


_WRITERS = {"parquet": _write_parquet, "csv": _write_csv, "jsonl": _write_jsonl}
