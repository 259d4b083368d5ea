"""Plans and applies every environment of both clouds on stand-ins: real Terraform, no account, no network.

    python -m tools.rehearsal                                   all six, some minutes
    python -m tools.rehearsal --environment prod --cloud aws    one of them
    python -m tools.rehearsal --plans                           every plan whole, as people read it
    python -m tools.rehearsal --break                           mistakes, and what is said to each
    python -m tools.rehearsal --short                           dev on AWS, the form that `make test` runs

Exit codes: 0 it went as it should; 1 a step did not; 2 something is missing on this machine; 130 Ctrl-C.
"""

import argparse
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from tools.loop.command import forget_strangers

if TYPE_CHECKING:
    from tools.rehearsal.scene import Options, Scene


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearses; the exit code."""
    parsed = _parser().parse_args(arguments)
    from tools.rehearsal.scene import Options

    signal.signal(signal.SIGTERM, _interrupt)
    forget_strangers()
    whole = Options()
    options = Options(
        tuple(parsed.environment or (("dev",) if parsed.short else whole.environments)),
        tuple(parsed.cloud or (("aws",) if parsed.short else whole.clouds)),
        short=parsed.short,
        plans=parsed.plans,
        folder=parsed.folder,
    )
    try:
        return _rehearsed(options, breaking=parsed.breaking)
    except KeyboardInterrupt:
        print("interrupted; every process has ended", file=sys.stderr)
        return 130


def _rehearsed(options: "Options", *, breaking: bool) -> int:
    from subprocess import CalledProcessError

    from tools.loop.command import CommandError
    from tools.rehearsal import scene as scenes

    program = scenes.find_program()
    if program is None or (missing := _missing()):
        print(missing if program else "there is no Terraform: run `make rehearse`", file=sys.stderr)
        return 2
    scene = scenes.opened(options, program)
    outcome = "failed"
    try:
        _told(scene, breaking=breaking)
        outcome = "succeeded"
    except (scenes.RehearsalError, CommandError, CalledProcessError, OSError) as error:
        print(f"\nthe rehearsal went wrong: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        scene.write(outcome)
    return 0


def _told(scene: "Scene", *, breaking: bool) -> None:
    from tests.terraform import standin

    from tools.rehearsal import story

    with standin.preloaded(scene.mirror):
        if breaking:
            story.tell_breakages(scene)
        else:
            story.tell(scene)


def _missing() -> str:
    """A sentence on what the rehearsal cannot do without; empty when all is there."""
    from tests.terraform import standin

    if not standin.PYTHON.exists():
        return "there is no Python for the stand-in providers in .cache/provider: run `make rehearse`"
    if shutil.which("git") is None:
        return "there is no git on PATH"
    return ""


def _parser() -> argparse.ArgumentParser:
    from tools.rehearsal.project import CLOUDS, ENVIRONMENTS

    parser = argparse.ArgumentParser(
        prog="python -m tools.rehearsal", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--environment", action="append", choices=ENVIRONMENTS, help="default: all; may be repeated"
    )
    parser.add_argument(
        "--cloud", action="append", choices=list(CLOUDS), help="default: both; may be repeated"
    )
    parser.add_argument("--short", action="store_true", help="dev on AWS, and nothing is mended")
    parser.add_argument("--plans", action="store_true", help="show every plan whole")
    parser.add_argument(
        "--break",
        action="store_true",
        dest="breaking",
        help="make mistakes instead, and see what is said to each",
    )
    parser.add_argument(
        "--folder", type=Path, help="of this run, new (default: a new one below .cache/rehearsal)"
    )
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
