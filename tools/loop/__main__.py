"""Shows the loop close on one machine: drift, retraining, redeployment, rollback, each step asserted.

    python -m tools.loop             the whole story, some minutes
    python -m tools.loop --keep      and leaves everything running until Ctrl-C, to be looked at
    python -m tools.loop --short     the shortened form that `make test` runs

Exit codes: 0 it went as it should; 1 a step did not; 2 something is missing on this machine; 130 Ctrl-C.
"""

import argparse
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from tools.loop.command import forget_strangers

if TYPE_CHECKING:
    from tools.loop.scene import Scene


def main(arguments: Sequence[str] | None = None) -> int:
    """Tells the story; its exit code."""
    options = _parser().parse_args(arguments)
    if missing := _missing():
        print("\n".join(missing), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    forget_strangers()
    try:
        return _told(options)
    except KeyboardInterrupt:
        print("interrupted; every process has ended", file=sys.stderr)
        return 130


def _told(options: argparse.Namespace) -> int:
    from subprocess import CalledProcessError

    from mlops_config.errors import MlopsConfigError
    from tools.loop.command import CommandError
    from tools.loop.scene import StoryError
    from tools.loop.servers import ServerError
    from tools.loop.story import Options, opened

    wanted = Options(options.short, options.folder, options.airflow_port, options.mlflow_port)
    try:
        with opened(wanted) as scene:
            return _played(scene, keep=options.keep)
    except (StoryError, CommandError, ServerError, MlopsConfigError, CalledProcessError, OSError) as error:
        print(f"\nthe loop did not close: {error}", file=sys.stderr)
        return 1


def _played(scene: "Scene", *, keep: bool) -> int:
    """Tells the story, and writes down how it went whatever happens."""
    from tools.loop import ending
    from tools.loop.story import tell

    outcome = "failed"
    try:
        tell(scene)
        ending.record(scene)
        outcome = "succeeded"
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        ending.record_requests(scene)
        page = ending.write(scene, outcome)
        scene.progress.say(f"\n{ending.summary(scene)}\n→ {ending.shortened(page)}")
    if keep:
        _keep(scene)
    return 0


def _keep(scene: "Scene") -> None:
    """Leaves everything running until Ctrl-C."""
    for link in scene.recording.parts["links"]:
        scene.progress.say(f"  {link['name']:<10} {link['url']}")
    scene.progress.say("Everything goes on running; Ctrl-C ends it.")
    threading.Event().wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.loop", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="leave some steps out")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--folder", type=Path, help="of this run, new (default: a new one below .cache/loop)")
    parser.add_argument("--airflow-port", type=int, metavar="N", help="default: a free one")
    parser.add_argument("--mlflow-port", type=int, metavar="N", help="default: a free one")
    return parser


def _missing() -> list[str]:
    """A sentence for each thing the story cannot do without."""
    from tools.environments import airflow

    sentences = []
    if not airflow("3.3").python.exists():
        sentences.append("there is no Airflow 3.3 in .cache/airflow: run `make loop`")
    if shutil.which("prometheus") is None:
        sentences.append(
            "there is no prometheus on PATH: `apt-get install prometheus`, `brew install prometheus`,"
            " or unpack a release of github.com/prometheus/prometheus"
        )
    if shutil.which("git") is None:
        sentences.append("there is no git on PATH")
    return sentences


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
