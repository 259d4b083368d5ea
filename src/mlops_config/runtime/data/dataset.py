"""A table in files: which files, what they hold, and a fingerprint that changes when any of them does."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.errors import MlopsConfigError
from mlops_config.runtime.data.locations import Found, files_at, filesystem_of
from mlops_config.runtime.data.problems import (
    DataError,
    first_line,
    missing_extra,
    of_file_error,
    store_code,
)
from mlops_config.runtime.data.reading import (
    arrow_types,
    csv_header,
    csv_options,
    read_csv,
    read_jsonl,
    read_jsonl_values,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa
    from pyarrow import dataset as arrow_dataset
    from pyarrow import fs

_AT_A_TIME = 8
"""Files asked for their metadata at a time; each takes a round trip in an object store."""
_CHUNK = 2**20


@dataclass(frozen=True)
class Dataset:
    """Rows in one or more files of one format. Files are listed once, when it is opened."""

    uri: str
    format: str
    files: tuple[Found, ...]
    """Sorted by name."""
    filesystem: "fs.FileSystem" = field(repr=False)
    schema: TableSchema | None = field(default=None, repr=False)
    """Gives the columns of CSV and JSON Lines their types; without it they are guessed."""

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:<64 hex>`` over each file's name, size and content.

        Of local files the content is read. Object stores know a digest of each object: S3's ETag, Google
        Cloud Storage's MD5 (of composed objects the ETag). So the same rows at another place have another
        fingerprint, and at the same place the same one for as long as nobody writes to any of the files.
        """
        lines = (
            f"{each.name}\0{each.size}\0{stamp}\n"
            for each, stamp in zip(self.files, self.stamps, strict=True)
        )
        return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"

    @cached_property
    def stamps(self) -> tuple[str, ...]:
        """What names each file's content: a SHA-256 of a local file, an object's ETag or MD5."""
        return tuple(self._each(self._stamp))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, those of partition folders (``date=2026-10-01``) last.

        Raises:
            DataError: a file is empty or broken, or has two columns of one name.
        """
        return tuple(self._arrow_schema.names)

    def frame(self, columns: Sequence[str] | None = None) -> "pandas.DataFrame":
        """All rows, in the order of the files.

        Columns of CSV and JSON Lines have the schema's types where every value fits; otherwise the values are
        left as they are written, for :func:`mlops_config.runtime.data.checking.check` to judge. Whole numbers
        and booleans with gaps come in pandas' nullable types, so none loses digits.

        Raises:
            DataError: a column is missing, or a file is broken; the message names it.
            ServiceError: a file cannot be read.
        """
        from mlops_config.runtime.data.frames import concatenated, to_frame

        names = self._existing(columns)
        if self.format == "parquet":
            return to_frame(self._read_parquet(names))
        import pyarrow as pa

        try:
            tables = [self._read_text(each, names) for each in self.files]
        except pa.ArrowInvalid:
            return concatenated([self._read_as_written(each, names) for each in self.files], names)
        return to_frame(pa.concat_tables(tables, promote_options="permissive").select(names))

    def arrow(self) -> "arrow_dataset.Dataset":
        """The rows as a pyarrow dataset, which DuckDB and Spark read piece by piece.

        Text files are read strictly: a value of another type than the schema's fails the scan.
        """
        import pyarrow as pa
        from pyarrow import dataset as arrow_dataset

        folders = [(name, pa.string()) for name in self._partition_columns]
        return arrow_dataset.dataset(
            [each.path for each in self.files],
            schema=self._arrow_schema,
            filesystem=self.filesystem,
            format=self._arrow_format(),
            partitioning=arrow_dataset.partitioning(pa.schema(folders), flavor="hive") if folders else None,
            partition_base_dir=self._base,
        )

    def parts(self) -> "list[Dataset]":
        """One dataset for each file."""
        return [replace(self, files=(each,)) for each in self.files]

    def unreadable(self, file: Found, error: Exception) -> MlopsConfigError:
        """What pyarrow raised while it read the file: a file that is broken, or a place that stays away."""
        if isinstance(error, OSError):
            # Python's own kinds of OSError come of a number, and that of the operating system.
            is_place = type(error) is not OSError or error.errno is not None
            if is_place or store_code(error) is not None:
                return of_file_error(error, f"reading {self._shown(file)}")
        return DataError(
            f"{self._shown(file)} cannot be read as {self.format}: {first_line(error)}",
            hint="it is of another format, or was cut short while it was written: write it again",
        )

    def _existing(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return list(self.columns)
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise DataError(
                f"{self.uri} has no column {', '.join(missing)}",
                hint=f"its columns are {', '.join(self.columns)}",
            )
        return list(dict.fromkeys(columns))

    @property
    def _base(self) -> str:
        """The folder that names are relative to."""
        first = self.files[0]
        return first.path[: len(first.path) - len(first.name)].rstrip("/")

    def _shown(self, file: Found) -> str:
        """The file as a person would look it up."""
        scheme = self.uri.partition("://")[0]
        return file.path if scheme == "file" else f"{scheme}://{file.path}"

    def _each(self, function: Any) -> Iterable[Any]:
        """``function`` of every file, several at a time, in the order of the files."""
        if len(self.files) == 1:
            return [function(self.files[0])]
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(function, self.files))

    def _stamp(self, file: Found) -> str:
        try:
            if self.uri.startswith("file://"):
                digest = hashlib.sha256()
                with Path(file.path).open("rb") as stream:
                    while chunk := stream.read(_CHUNK):
                        digest.update(chunk)
                return digest.hexdigest()
            return object_stamps(self.filesystem, file.path)[0]
        except OSError as error:
            raise of_file_error(error, f"reading {self._shown(file)}") from error

    @cached_property
    def _arrow_schema(self) -> "pa.Schema":
        import pyarrow as pa

        together = self._file_schema
        for name in self._partition_columns:
            together = together.append(pa.field(name, pa.string()))
        return together

    @cached_property
    def _file_schema(self) -> "pa.Schema":
        import pyarrow as pa

        schemas = list(self._each(self._schema_of))
        try:
            return pa.unify_schemas(schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(f"the files at {self.uri} do not fit together: {error}") from error

    @cached_property
    def _partition_columns(self) -> list[str]:
        """Columns that folders such as ``date=2026-10-01`` hold and the files do not."""
        folders = self.files[0].name.split("/")[:-1]
        names = [name for name, sign, _ in (folder.partition("=") for folder in folders) if sign and name]
        return [name for name in names if name not in self._file_schema.names]

    def _schema_of(self, file: Found) -> "pa.Schema":
        import pyarrow as pa

        try:
            if self.format == "csv":
                types = arrow_types(self.schema)
                header = csv_header(self.filesystem, file.path, shown=self._shown(file))
                guessed = {} if self.schema else _types_of(self._fragment_schema(file))
                found = pa.schema(
                    [(name, types.get(name) or guessed.get(name, pa.string())) for name in header]
                )
            elif self.format == "jsonl":
                found = self._schema_of_jsonl(file)
            else:
                found = self._fragment_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise self.unreadable(file, error) from error
        twice = sorted({name for name in found.names if found.names.count(name) > 1})
        if twice:
            raise DataError(
                f"{self._shown(file)} has two columns of one name: {', '.join(twice)}",
                hint="rename or drop one of them; nothing says which is meant",
            )
        return found.remove_metadata()

    def _schema_of_jsonl(self, file: Found) -> "pa.Schema":
        import pyarrow as pa

        try:
            return read_jsonl(self.filesystem, file.path, arrow_types(self.schema)).schema
        except pa.ArrowInvalid:
            written = read_jsonl_values(self.filesystem, file.path, shown=self._shown(file))
            types = arrow_types(self.schema)
            return pa.schema([(name, types.get(name, pa.string())) for name in written.columns])

    def _fragment_schema(self, file: Found) -> "pa.Schema":
        from pyarrow import dataset as arrow_dataset

        return arrow_dataset.dataset(
            [file.path], filesystem=self.filesystem, format=self._arrow_format()
        ).schema

    def _arrow_format(self) -> Any:
        from pyarrow import dataset as arrow_dataset

        if self.format == "parquet":
            return arrow_dataset.ParquetFileFormat()
        if self.format == "csv":
            return arrow_dataset.CsvFileFormat(convert_options=csv_options(arrow_types(self.schema), None))
        return arrow_dataset.JsonFileFormat()

    def _read_parquet(self, names: list[str]) -> "pa.Table":
        import pyarrow as pa

        try:
            return self.arrow().to_table(columns=names)
        except (pa.ArrowInvalid, OSError) as error:
            for each in self.files if len(self.files) > 1 else ():
                replace(self, files=(each,)).frame([name for name in names if name in self.columns])
            raise self.unreadable(self.files[0], error) from error

    def _read_text(self, file: Found, names: list[str]) -> "pa.Table":
        types = {name: kind for name, kind in arrow_types(self.schema).items() if name in names}
        try:
            if self.format == "csv":
                header = csv_header(self.filesystem, file.path, shown=self._shown(file))
                here = [name for name in names if name in header]
                table = read_csv(self.filesystem, file.path, types, here, as_text=False)
            else:
                table = read_jsonl(self.filesystem, file.path, types)
        except OSError as error:
            raise self.unreadable(file, error) from error
        return self._with_missing(table, names, file)

    def _with_missing(self, table: "pa.Table", names: list[str], file: Found) -> "pa.Table":
        """The columns asked for, with those the file lacks: a partition's value, or nothing."""
        import pyarrow as pa

        values = dict(part.split("=", 1) for part in file.name.split("/")[:-1] if "=" in part)
        for name in names:
            if name not in table.column_names:
                type_ = self._arrow_schema.field(name).type
                value = pa.scalar(values.get(name), pa.string()).cast(type_)
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return table.select(names)

    def _read_as_written(self, file: Found, names: list[str]) -> "pandas.DataFrame":
        import pyarrow as pa

        from mlops_config.runtime.data.frames import to_frame

        shown = self._shown(file)
        try:
            if self.format == "jsonl":
                return read_jsonl_values(self.filesystem, file.path, shown=shown)
            header = csv_header(self.filesystem, file.path, shown=shown)
            here = [name for name in names if name in header]
            types = {name: kind for name, kind in arrow_types(self.schema).items() if name in here}
            return to_frame(read_csv(self.filesystem, file.path, types, here, as_text=True))
        except (pa.ArrowInvalid, OSError) as error:
            raise self.unreadable(file, error) from error


def open_dataset(uri: str, format: str, root: Path, *, schema: TableSchema | None = None) -> Dataset:  # noqa: A002
    """The files at ``uri``, listed; no row is read yet.

    Args:
        uri: A file, a folder of partitions, or a pattern, at ``file://``, ``s3://`` or ``gs://``.
        format: ``parquet``, ``csv`` or ``jsonl``; the latter two may be compressed with gzip (``.gz``).
        root: What ``file://./…`` is relative to.
        schema: Gives the columns of text files their types: without it ``0815`` becomes a number.

    Raises:
        DataError: there is nothing of that format.
        ServiceError: the place cannot be listed.
    """
    try:
        import pandas  # noqa: F401 - to say so before any work
    except ImportError as error:
        raise missing_extra("pandas", doing=f"reading {uri}") from error
    filesystem, path = filesystem_of(uri, root)
    return Dataset(uri, format, files_at(filesystem, path, format, uri=uri), filesystem, schema)


def object_stamps(filesystem: "fs.FileSystem", path: str) -> tuple[str, ...]:
    """What an object store calls the content of an object, the best first: ETag or MD5, then versions."""
    with filesystem.open_input_file(path) as stream:
        metadata = {name.lower(): value.decode() for name, value in (stream.metadata() or {}).items()}
    names = ("md5hash", "etag", "versionid", "generation")
    stamps = [metadata[name].strip('"') for name in names if metadata.get(name)]
    return tuple(stamps) or (metadata.get("last-modified", ""),)


def _types_of(schema: "pa.Schema") -> dict[str, "pa.DataType"]:
    return {field.name: field.type for field in schema}
