"""Small JSON files beside the data, whole or not at all; their names let readers of data pass over them."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_config.errors import IntegrityError
from mlops_config.runtime.data.locations import filesystem_of
from mlops_config.runtime.data.problems import of_file_error


def read_note(uri: str, root: Path) -> dict[str, Any] | None:
    """The note at ``uri``, or ``None`` when there is none.

    Raises:
        IntegrityError: what lies there is no note of ours.
        ServiceError: it cannot be read.
    """
    from pyarrow import fs

    filesystem, path = filesystem_of(uri, root)
    try:
        if filesystem.get_file_info(path).type is not fs.FileType.File:
            return None
        with filesystem.open_input_stream(path) as stream:
            data = stream.read()
    except OSError as error:
        raise of_file_error(error, f"reading {uri}") from error
    try:
        document = json.loads(data)
    except ValueError as error:
        raise IntegrityError(f"{uri} is no JSON: {error}", hint="delete it, and run the job again") from error
    if not isinstance(document, dict):
        raise IntegrityError(f"{uri} is no JSON object", hint="delete it, and run the job again")
    return document


def write_note(uri: str, document: Mapping[str, Any], root: Path) -> None:
    """Writes the note; equal documents give equal bytes.

    Raises:
        ServiceError: the disk is full, or the place refuses or does not answer.
    """
    from pyarrow import fs

    data = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    filesystem, path = filesystem_of(uri, root)
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.{secrets.token_hex(8)}"
    try:
        if isinstance(filesystem, fs.LocalFileSystem):
            Path(folder).mkdir(parents=True, exist_ok=True)
            with filesystem.open_output_stream(temporary) as stream:
                stream.write(data)
            filesystem.move(temporary, path)
        else:
            # An object appears when its stream is closed, and not before.
            with filesystem.open_output_stream(path) as stream:
                stream.write(data)
    except OSError as error:
        raise of_file_error(error, f"writing {uri}") from error
