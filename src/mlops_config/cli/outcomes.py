"""What a job gives to programs: one document, on standard output and in the file they name."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from mlops_config.errors import JobRefusedError
from mlops_config.files import write_atomically

FILE_VARIABLE = "MLOPS_OUTCOME_FILE"
"""Names a file for the outcome's document as well, such as a pod's ``/airflow/xcom/return.json``."""


class Outcome(Protocol):
    """What a job returns."""

    @property
    def summary(self) -> str:
        """What happened, for people."""

    def document(self) -> dict[str, Any]:
        """The outcome for programs, as JSON holds it."""


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declares how the outcome is printed."""
    parser.add_argument(
        "--format",
        choices=("text", "json", "jsonl"),
        default="text",
        help="jsonl: the outcome as one line, the last of standard output (default: text)",
    )


def tell(chosen: str, work: Callable[[], Outcome]) -> int:
    """Does the work, then prints its outcome as ``chosen`` says; its exit code.

    A refusal has an outcome as well: programs get it, and then it is raised.

    Raises:
        MlopsConfigError: what the work raises.
        OSError: the outcome's file cannot be written.
    """
    try:
        outcome = work()
    except JobRefusedError as refusal:
        _tell_programs(chosen, refusal.document)
        raise
    document = outcome.document()
    if chosen == "text":
        sys.stdout.write(f"{outcome.summary}\n")
    _tell_programs(chosen, document)
    return int(getattr(outcome, "exit_code", 0))


def _tell_programs(chosen: str, document: Mapping[str, Any]) -> None:
    plain = _plain(document)
    # Readers of lines differ in what ends one (U+2028 does for some), so that the line is ASCII.
    line = json.dumps(plain, allow_nan=False)
    if name := os.environ.get(FILE_VARIABLE):
        write_atomically(Path(name), f"{line}\n".encode())
    if chosen == "json":
        sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    elif chosen == "jsonl":
        sys.stdout.write(f"{line}\n")


def _plain(value: Any) -> Any:
    """The value with ``None`` where JSON has no number: not a number, and without end."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
