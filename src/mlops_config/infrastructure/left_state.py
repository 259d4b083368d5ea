"""A state that an apply could not save, sealed, so that it may leave the machine; and brought back.

``MLOPS_PLAN_KEY=… python -m mlops_config.infrastructure.left_state state.sealed DIRECTORY`` puts it where
Terraform would have left it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import MlopsConfigError, UsageError
from mlops_config.infrastructure.known_failures import LEFT_STATE
from mlops_config.infrastructure.sealing import Header, plan_key, seal, unseal, write_private

KEPT_NAME = "state.sealed"
PROGRAM = "python -m mlops_config.infrastructure.left_state"


def sealed_state(state: bytes, environment: str, release: str, key: str) -> bytes:
    """The state as a file that only the holder of the key can read.

    Raises:
        UsageError: the library that encrypts is not installed.
    """
    header = Header(
        environment=environment,
        release=f"{release} (its state)",  # of another name than a plan, lest it is taken for one
        digest=sha256_of(state),
        terraform_version=_version(state),
    )
    return seal({LEFT_STATE: state}, header, key)


def bring_back(sealed: Path, directory: Path) -> Path:
    """Puts the state into the root module, where Terraform would have left it; its path.

    Raises:
        UsageError: there is one already, the file cannot be read or holds no state, or its key is not given.
        IntegrityError: the key is another one, or the file was altered.
    """
    path = directory / LEFT_STATE
    if path.exists():
        raise UsageError(f"{path} is there already", hint="push that one first, or move it away")
    if not directory.is_dir():
        raise UsageError(f"there is no folder {directory}", hint="name the root module that was applied")
    try:
        data = sealed.read_bytes()
    except OSError as error:
        raise UsageError(f"{sealed} cannot be read: {error.strerror}") from error
    state = unseal(data, plan_key()).files.get(LEFT_STATE)
    if state is None:
        raise UsageError(f"{sealed} holds no state", hint=f"a job that could not save one kept {KEPT_NAME}")
    write_private(path, state)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Brings a state back; the exit code."""
    parser = argparse.ArgumentParser(PROGRAM, description="Brings back a state that a job could not save.")
    parser.add_argument("sealed", type=Path, help=f"{KEPT_NAME} from the run's artifacts")
    parser.add_argument("directory", type=Path, help="the root module that was applied")
    arguments = parser.parse_args(argv)
    try:
        path = bring_back(arguments.sealed, arguments.directory)
    except MlopsConfigError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        return error.exit_code
    sys.stdout.write(f"{path}\nthe same deployment again says the command that pushes it\n")
    return 0


def _version(state: bytes) -> str:
    """Of the program that wrote the state; empty for one that a full disk cut short."""
    try:
        return str(json.loads(state).get("terraform_version", ""))
    except (ValueError, AttributeError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
