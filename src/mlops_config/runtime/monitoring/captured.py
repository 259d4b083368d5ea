"""What was captured and predicted in a window: rows, who made them, and what is unreadable."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mlops_config.contract.models.inference import RECORD_COLUMNS, InferenceConfig
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.data.locations import filesystem_of
from mlops_config.runtime.data.problems import of_file_error
from mlops_config.runtime.monitoring.columns import instants
from mlops_config.runtime.monitoring.windows import Window

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

_DAY = timedelta(days=1)
_SUFFIXES = (".parquet", ".csv", ".jsonl")
_SUCCESS = "_SUCCESS.json"
_SCHEMA_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is not what its name says, such as half a parquet file."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class Captured:
    """The rows of a window and what is to be said about them."""

    rows: pa.Table
    """The known columns that any file has, as stored; ``event_time`` as UTC timestamps."""
    extra_columns: tuple[str, ...]
    """Columns nobody declared, sorted."""
    files: int
    """That hold rows of the window."""
    unreadable: tuple[Unreadable, ...]
    undated: int
    """Rows without a readable ``event_time``: of which window they are nobody can say."""
    unfinished: tuple[str, ...]
    """Batch runs without ``_SUCCESS.json``; their rows are not looked at."""
    fingerprint: str | None
    """``sha256:<64 hex>`` over names and sizes of the files; ``None`` without any."""

    def versions(self) -> dict[str, int]:
        """Rows by model version that made them, most first; ``"unknown"`` where it is not said."""
        if "model_version" not in self.rows.column_names:
            return {"unknown": self.rows.num_rows} if self.rows.num_rows else {}
        counts = self.rows["model_version"].value_counts().to_pylist()
        named = [
            ("unknown" if each["values"] is None else _text(each["values"]), each["counts"])
            for each in counts
        ]
        return dict(sorted(named, key=lambda each: (-each[1], each[0])))


@dataclass(frozen=True, slots=True)
class _File:
    filesystem: "FileSystem"
    path: str
    size: int
    uri: str


def read_captured(
    window: Window, training: TrainingConfig, inference: InferenceConfig, *, also: Sequence[str], root: Path
) -> Captured:
    """The window's rows from the captures and, in batch mode, from the predictions written.

    Only files that may hold rows of the window are opened: captures of its days and of one day around, batch
    files written no earlier than a day before it. ``also`` names columns wanted besides those declared.

    Raises:
        ServiceError: a file is there and cannot be fetched. A file that is broken is no error, but named.
    """
    schema = training.schema_
    declared = [*RECORD_COLUMNS, *(each.name for each in schema.features), schema.target.name]
    known = list(dict.fromkeys([*declared, *(each.name for each in schema.identifiers), *also]))
    known += [name for name in inference.record.extra_columns if name not in known]
    unfinished: list[str] = []
    tables: list[pa.Table] = []
    unreadable: list[Unreadable] = []
    used: list[_File] = []
    extra: set[str] = set()
    undated = 0
    for file in [*_captures(window, inference, root), *_batches(window, inference, root, unfinished)]:
        try:
            table = _read(file)
        except FileNotFoundError:
            continue  # deleted since it was listed: its retention is over
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            unreadable.append(Unreadable(file.uri, _first_line(error)))
            continue
        if "event_time" not in table.column_names:
            unreadable.append(Unreadable(file.uri, "it has no column event_time"))
            continue
        rows, without_time = _within(table, window)
        undated += without_time
        if rows.num_rows:
            extra |= {name for name in rows.column_names if name not in known}
            tables.append(rows.select([name for name in known if name in rows.column_names]))
            used.append(file)
    return Captured(
        rows=joined(tables, known),
        extra_columns=tuple(sorted(extra)),
        files=len(used),
        unreadable=tuple(unreadable),
        undated=undated,
        unfinished=tuple(unfinished),
        fingerprint=_fingerprint(used) if used else None,
    )


def read_table(uri: str, root: Path, columns: Iterable[str]) -> tuple[pa.Table, tuple[Unreadable, ...]]:
    """All rows below ``uri`` (a file or a folder), of the named columns, and what is unreadable.

    Raises:
        FileNotFoundError: nothing is there.
        ServiceError: a file is there and cannot be fetched.
    """
    wanted = list(columns)
    tables, unreadable = [], []
    found = list(_listed(uri, "", root)) or list(_single(uri, root))
    if not found:
        raise FileNotFoundError(uri)
    for file, _info in found:
        try:
            table = _read(file)
            tables.append(table.select([name for name in wanted if name in table.column_names]))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            unreadable.append(Unreadable(file.uri, _first_line(error)))
    return joined(tables, wanted), tuple(unreadable)


def _captures(window: Window, inference: InferenceConfig, root: Path) -> Iterator[_File]:
    capture = inference.data_capture
    if capture is None or not capture.enabled:
        return
    day = (
        window.start.date() - _DAY
    )  # a file is dated when it was begun, and its rows may be a little younger
    while day <= window.end.date() + _DAY:
        yield from (file for file, _ in _listed(capture.destination_uri, f"date={day.isoformat()}", root))
        day += _DAY


def _batches(
    window: Window, inference: InferenceConfig, root: Path, unfinished: list[str]
) -> Iterator[_File]:
    if inference.batch is None or inference.mode == "endpoint":
        return
    runs: dict[str, list[tuple[_File, FileInfo]]] = {}
    for file, info in _listed(inference.batch.output_uri, "", root, suffixes=(*_SUFFIXES, _SUCCESS)):
        run, _, name = file.path.rpartition("/")
        if name == _SUCCESS or (name.startswith("part-") and run.rpartition("/")[2].startswith("run=")):
            runs.setdefault(run, []).append((file, info))
    for run, files in sorted(runs.items()):
        # What was written a day before the window began holds no prediction made in it.
        parts = [file for file, info in files if not file.path.endswith(_SUCCESS) and _may_hold(info, window)]
        if parts and not any(file.path.endswith(_SUCCESS) for file, _ in files):
            unfinished.append(run.rpartition("/")[2])
        else:
            yield from parts


def _may_hold(info: "FileInfo", window: Window) -> bool:
    written: datetime | None = info.mtime
    return written is None or written.astimezone(UTC) >= window.start - _DAY


def _listed(
    uri: str, folder: str, root: Path, *, suffixes: tuple[str, ...] = _SUFFIXES
) -> Iterator[tuple[_File, "FileInfo"]]:
    """The files below a folder, by name; hidden ones and those being written are none."""
    from pyarrow.fs import FileSelector, FileType

    filesystem, base = filesystem_of(uri, root)
    path = f"{base.rstrip('/')}/{folder}".rstrip("/")
    try:
        found = filesystem.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    except NotADirectoryError:
        return
    except OSError as error:
        raise of_file_error(error, f"listing {uri}") from error
    for info in sorted(found, key=lambda info: str(info.path)):
        name = info.path.rpartition("/")[2]
        hidden = name.startswith((".", "_")) and name != _SUCCESS
        if info.type == FileType.File and name.endswith(suffixes) and not hidden:
            address = f"{uri.rstrip('/')}/{info.path.removeprefix(base.rstrip('/')).lstrip('/')}"
            yield _File(filesystem, info.path, info.size or 0, address), info


def _single(uri: str, root: Path) -> Iterator[tuple[_File, "FileInfo"]]:
    from pyarrow.fs import FileType

    filesystem, path = filesystem_of(uri, root)
    info = filesystem.get_file_info(path)
    if info.type == FileType.File:
        yield _File(filesystem, path, info.size or 0, uri), info


def _read(file: _File) -> pa.Table:
    """The whole file. It is fetched first and parsed then: so a network that fails is no broken file."""
    try:
        with file.filesystem.open_input_file(file.path) as source:
            data = source.read_buffer()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise of_file_error(error, f"reading {file.uri}") from error
    stream = pa.BufferReader(data)
    if file.path.endswith(".parquet"):
        import pyarrow.parquet as pq

        return pq.read_table(stream)
    return _read_csv(stream) if file.path.endswith(".csv") else _read_json_lines(stream)


def _read_csv(stream: IO[bytes] | Any) -> pa.Table:
    """All columns as text: what a value is, the training schema says and not how it looks."""
    from pyarrow import csv

    header = csv.open_csv(stream, read_options=csv.ReadOptions(block_size=_SCHEMA_BLOCK_BYTES)).schema.names
    stream.seek(0)
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    return csv.read_csv(
        stream, convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True)
    )


def _read_json_lines(stream: Any) -> pa.Table:
    from pyarrow import json

    return json.read_json(stream)


def _within(table: pa.Table, window: Window) -> tuple[pa.Table, int]:
    """The table's rows of the window, and how many rows have no time."""
    moments = instants(table["event_time"])
    inside = pc.and_(
        pc.greater_equal(moments, pa.scalar(window.start, moments.type)),
        pc.less(moments, pa.scalar(window.end, moments.type)),
    )
    place = table.column_names.index("event_time")
    return table.set_column(place, "event_time", moments).filter(inside), moments.null_count


def joined(tables: Sequence[pa.Table], order: Sequence[str]) -> pa.Table:
    """One table of all rows. Where files disagree on a column's type, the column becomes text."""
    names = [name for name in order if any(name in table.column_names for table in tables)]
    kinds = {
        name: _kind([table.field(name).type for table in tables if name in table.column_names])
        for name in names
    }
    schema = pa.schema([(name, kinds[name]) for name in names])
    aligned = [
        pa.table(
            [
                _as(table[name], kinds[name])
                if name in table.column_names
                else pa.nulls(table.num_rows, kinds[name])
                for name in names
            ],
            schema=schema,
        )
        for table in tables
    ]
    return pa.concat_tables(aligned) if aligned else schema.empty_table()


def _kind(kinds: Sequence[pa.DataType]) -> pa.DataType:
    plain = {kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds}
    if len(plain) == 1:
        return plain.pop()
    try:
        schemas = [pa.schema([("column", kind)]) for kind in sorted(plain, key=str)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowException:
        texts = [None if each is None else str(each) for each in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _fingerprint(files: Sequence[_File]) -> str:
    digest = hashlib.sha256()
    for line in sorted(f"{file.uri}\0{file.size}\n" for file in files):
        digest.update(line.encode())
    return f"sha256:{digest.hexdigest()}"


def _text(version: object) -> str:
    return str(int(version)) if isinstance(version, float) and version.is_integer() else str(version)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
