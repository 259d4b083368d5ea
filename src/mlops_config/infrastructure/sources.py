"""What the modules say, as one digest: part of a plan is decided by the apply alone, and comes from there.

A value that is made of what does not exist yet, such as a policy with the ARN of a new bucket, is in no plan;
nor is what a provisioner runs, nor how a provider is configured. Two plans can read alike and do different
things.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rfc8785

from mlops_config.bundle.bundle import sha256_of

_PATTERNS = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json")
_LITERAL = re.compile(
    rb'(?:\b(filename|output_path)\s*=\s*)?"(?:\$\{path\.(module|root)\}/)?([^"$%\\\n/~][^"$%\\\n]*)"'
)
"""A text that may name a file; the first group tells of one that is written, not read."""
_CHANGES_BY_ITSELF = re.compile(r"\.tfstate|^release\.auto\.tfvars\.json$")
_LEFT_BY_TOOLS = re.compile(r"__pycache__|\.DS_Store|\.\w+_cache")
"""Names of what lies in a folder because somebody worked there, and on no other machine."""
_MOST_TEXT_BYTES = 1 << 20


def sources_digest(configuration: Mapping[str, Any], directory: Path) -> str:
    """``sha256:…`` over the text of the root module in ``directory``, and of each module below it.

    Of a module from elsewhere its source and version count. Files that a module names as they are, templates
    and scripts, count too; those whose names are computed do not. Line ends are alike on every system.
    """
    folders: set[Path] = set()
    elsewhere: list[list[str]] = []
    _collect(configuration.get("root_module") or {}, directory.resolve(), folders, elsewhere)
    files = {file for folder in folders for file in _files(folder, directory.resolve())}
    texts = {
        Path(os.path.relpath(file, directory.resolve())).as_posix(): _text_digest(file) for file in files
    }
    return sha256_of(rfc8785.dumps({"files": texts, "modules": sorted(elsewhere)}))


def _collect(
    module: Mapping[str, Any], folder: Path | None, folders: set[Path], elsewhere: list[list[str]]
) -> None:
    """``folder`` is ``None`` within a module from elsewhere."""
    if folder is not None:
        folders.add(folder)
    for call in (module.get("module_calls") or {}).values():
        source, version = str(call.get("source", "")), str(call.get("version_constraint", ""))
        is_local = source.startswith(("./", "../"))
        if not is_local:
            elsewhere.append([source, version])
        inner = (folder / source).resolve() if is_local and folder is not None else None
        _collect(call.get("module") or {}, inner, folders, elsewhere)


def _files(folder: Path, root: Path) -> Iterator[Path]:
    """The module's own files, and those that they name."""
    for path in {path for pattern in _PATTERNS for path in folder.glob(pattern)}:
        yield path
        for written, base, name in _LITERAL.findall(path.read_bytes()):
            if not written:
                yield from _named(folder, root, base, os.fsdecode(name))


def _named(folder: Path, root: Path, base: bytes, name: str) -> Iterator[Path]:
    named = (folder if base == b"module" else root) / name
    try:
        is_file, is_folder = named.is_file(), named.is_dir()
    except OSError:  # a text that is too long for a path names nothing
        return
    if is_file:
        if not _CHANGES_BY_ITSELF.search(named.name):
            yield named.resolve()
    elif base and is_folder and folder in named.resolve().parents:
        yield from (each.resolve() for each in named.rglob("*") if each.is_file() and _is_meant(each, named))


def _is_meant(file: Path, folder: Path) -> bool:
    """Whether a file counts when a module names the folder that it is in."""
    return not any(_LEFT_BY_TOOLS.fullmatch(part) for part in file.relative_to(folder).parts)


def _text_digest(path: Path) -> str:
    with path.open("rb") as stream:
        if path.stat().st_size > _MOST_TEXT_BYTES:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        return hashlib.sha256(stream.read().replace(b"\r\n", b"\n")).hexdigest()
