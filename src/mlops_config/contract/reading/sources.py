"""Finding and reading the files of each environment, without trusting a single name or link on the way.

Every file is read at most once, into memory, and only when it is a regular file of sensible size: the bytes
that were validated are the bytes that are published.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlops_config.contract.codes import finding
from mlops_config.contract.reading.yaml_reader import MAX_BYTES, too_large
from mlops_config.findings import Finding, Place, Related
from mlops_config.kinds import Kind, accepted_names

_F08_HINT = "check the permissions of the file and of the folders above it"

# Opening a FIFO or a terminal must not wait, and a link put in place after the check must not be followed.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)  # Windows has only O_BINARY


class SourceFile(NamedTuple):
    """One file as it was read. ``path`` is relative to the repository root, with ``/``."""

    kind: Kind
    path: str
    data: bytes


class Sources(NamedTuple):
    """The files that could be read, by environment and kind, and what is wrong with the rest."""

    files: Mapping[str, Mapping[Kind, SourceFile]]
    findings: tuple[Finding, ...]


def read_sources(root: Path, config_dir: str, environments: Sequence[str], known: Sequence[str]) -> Sources:
    """Reads the files of ``environments``; ``known`` are all environments that there are.

    Folders that are no environment are reported when all known environments are read.
    """
    prefix = PurePosixPath(config_dir)
    base = os.path.realpath(root / config_dir)
    if not _is_within(base, os.path.realpath(root)):
        message = f"the configuration folder {config_dir} lies outside the repository"
        return Sources({}, (finding("F09", message, None, hint="choose a folder inside the repository"),))
    if not os.path.isdir(base):  # noqa: PTH112 - strings throughout: pathlib would cost more than the reading
        message = f"there is no configuration folder {config_dir}"
        hint = f"make {prefix / environments[0]} and the like, with four files each, or name another folder"
        return Sources({}, (finding("F01", message, Place(str(prefix)), hint=hint),))
    findings: list[Finding] = []
    if set(environments) >= set(known):
        findings += _strange_folders(base, prefix, known)
    files = {}
    for environment in environments:
        reader = _FolderReader(base, prefix, environment)
        files[environment] = reader.read()
        findings += reader.findings
    return Sources(files, tuple(findings))


class _FolderReader:
    """Reads one environment's folder."""

    def __init__(self, base: str, prefix: PurePosixPath, environment: str) -> None:
        self.findings: list[Finding] = []
        self._base = base
        self._folder = os.path.join(base, environment)  # noqa: PTH118 - strings throughout, see above
        self._prefix = prefix / environment
        self._environment = environment

    def read(self) -> dict[Kind, SourceFile]:
        names = self._names()
        if names is None:
            return {}
        strangers = self._strangers(names)
        files: dict[Kind, SourceFile] = {}
        for kind in Kind:
            present = [name for name in accepted_names(self._environment, kind) if name in names]
            if not present:
                self._report_missing(kind, strangers)
                continue
            if len(present) > 1:
                self._report_double(kind, present)
            data = self._read_file(present[0])
            if data is not None:
                files[kind] = SourceFile(kind, str(self._prefix / present[0]), data)
        for name in strangers:
            hint = "move it elsewhere, or give it the name of the file it is meant to be"
            self._add("F03", f"nothing reads {_printable(name)}", name, hint)
        return files

    def _names(self) -> set[str] | None:
        place = Place(str(self._prefix))
        try:
            if not _is_within(os.path.realpath(self._folder), self._base):
                hint = "put a folder in the link's place"
                message = f"{self._prefix} is a link that leads out of the configuration folder"
                self.findings.append(finding("F06", message, place, hint=hint))
                return None
            return set(os.listdir(self._folder))  # noqa: PTH208 - strings throughout, see above
        except FileNotFoundError:
            hint = "make it, with four files, or list your environments in mlops-config.yaml"
            message = f"the environment {self._environment} has no folder {self._prefix}"
            self.findings.append(finding("F01", message, place, hint=hint))
        except NotADirectoryError:
            message = f"{self._prefix} is a file; the environment's folder should be there"
            self.findings.append(finding("F07", message, place, hint="put the folder in its place"))
        except OSError as error:
            message = f"{self._prefix} cannot be read: {_reason(error)}"
            self.findings.append(finding("F08", message, place, hint=_F08_HINT))
        return None

    def _strangers(self, names: Iterable[str]) -> list[str]:
        expected = {name for kind in Kind for name in accepted_names(self._environment, kind)}
        return sorted(name for name in names if name not in expected and not name.startswith("."))

    def _report_missing(self, kind: Kind, strangers: list[str]) -> None:
        wanted = accepted_names(self._environment, kind)
        near = _nearest(wanted, strangers)
        hint = f"add {wanted[0]}"
        related: list[Related] = []
        if near is not None:
            strangers.remove(near)
            hint = f"did you mean {_printable(near)}? Then rename it to {wanted[0]}"
            related.append(Related(Place(str(self._prefix / _printable(near))), "a name that comes near"))
        message = f"the {kind} file of {self._environment} is missing"
        self.findings.append(
            finding("F02", message, Place(str(self._prefix / wanted[0])), hint=hint, related=related)
        )

    def _report_double(self, kind: Kind, names: list[str]) -> None:
        first, second = names
        related = (Related(Place(str(self._prefix / second)), "the other file"),)
        message = f"the {kind} file of {self._environment} is there twice, as {first} and {second}"
        place = Place(str(self._prefix / first))
        self.findings.append(finding("F05", message, place, hint="delete one of the two", related=related))

    def _read_file(self, name: str) -> bytes | None:
        path = os.path.join(self._folder, name)  # noqa: PTH118 - strings throughout, see above
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                path = os.path.realpath(path)
                if not _is_within(path, self._base):
                    message = f"{name} is a link that leads out of the configuration folder"
                    self._add("F06", message, name, "put the file itself in the link's place")
                    return None
            mode = os.stat(path).st_mode  # noqa: PTH116 - strings throughout, see above
            if not stat.S_ISREG(mode):
                self._add(
                    "F07", f"{name} is {_sort_of(mode)}, not a file", name, "put the YAML file in its place"
                )
                return None
            return self._read_regular(path, name)
        except FileNotFoundError:
            self._add("F06", f"{name} is a link that leads nowhere", name, "put the YAML file in its place")
        except OSError as error:
            self._add("F08", f"{name} cannot be read: {_reason(error)}", name, _F08_HINT)
        return None

    def _read_regular(self, path: str, name: str) -> bytes | None:
        descriptor = os.open(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self._add("F07", f"{name} is {_sort_of(status.st_mode)}, not a file", name)
                return None
            size = status.st_size
            if size <= MAX_BYTES:
                data = _read_all(descriptor)
                size = len(data)
        finally:
            os.close(descriptor)
        if size > MAX_BYTES:
            self.findings.append(too_large(str(self._prefix / name), size))
            return None
        return data

    def _add(self, code: str, message: str, name: str, hint: str | None = None) -> None:
        self.findings.append(finding(code, message, Place(str(self._prefix / _printable(name))), hint=hint))


def _read_all(descriptor: int) -> bytes:
    """The file's bytes, or more than the limit of them when it grew meanwhile."""
    chunks: list[bytes] = []
    left = MAX_BYTES + 1
    while left and (chunk := os.read(descriptor, left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _strange_folders(base: str, prefix: PurePosixPath, known: Sequence[str]) -> Iterator[Finding]:
    with os.scandir(base) as entries:
        strangers = sorted(
            (entry.name, entry.is_dir())
            for entry in entries
            if entry.name not in known and not entry.name.startswith(".")
        )
    absent = [name for name in known if not os.path.lexists(os.path.join(base, name))]  # noqa: PTH118 - strings
    for name, is_folder in strangers:
        shown = _printable(name)
        place = Place(str(prefix / shown))
        if is_folder:
            near = _nearest((name,), absent)
            hint = (
                f"did you mean {near}? Then rename the folder"
                if near
                else f"add {shown} to the environments in mlops-config.yaml, or move the folder elsewhere"
            )
            message = f"{shown} is none of the environments {', '.join(known)}"
            yield finding("F04", message, place, hint=hint)
        elif name.endswith((".yaml", ".yml")):
            hint = f"files lie in a folder per environment, such as {prefix / known[0]}"
            yield finding("F03", f"nothing reads {shown}", place, hint=hint)


def _nearest(wanted: Sequence[str], present: Iterable[str]) -> str | None:
    candidates = list(present)
    if not candidates:
        return None
    from difflib import get_close_matches

    lowered = {name.lower().replace("-", "_"): name for name in candidates}
    for name in wanted:
        for near in get_close_matches(name.lower().replace("-", "_"), lowered, n=1, cutoff=0.8):
            return lowered[near]
    return None


def _is_within(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip(os.sep) + os.sep)


def _sort_of(mode: int) -> str:
    sorts = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((words for test, words in sorts if test(mode)), "something else")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _printable(name: str) -> str:
    """A file name that is not UTF-8 made printable."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
