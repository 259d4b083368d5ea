"""Checks terraform/: its format, `init` and `validate` and `test` in every module and root, and checkov.

    python -m tools.check_terraform                       everything
    python -m tools.check_terraform modules/airflow/aws   these folders only, without checkov

Terraform is real. The providers are the stand-ins of tests/terraform/provider, which have the true providers'
schemas and need no download; with MLOPS_REAL_PROVIDERS=1 they are the true ones. Neither needs a cloud.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.terraform import standin

from tools import terraform as programs

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "terraform"
CHECKOV = ROOT / ".cache" / "checkov" / "bin" / "checkov"
NOT_SCANNED = "environments"
"""They only call modules, which checkov would look at anew for each of them."""
AT_ONCE = 2
LIMIT_SECONDS = 600
_LEAN = {"GOGC": "400"}
"""A third of what Terraform does on a root is to collect garbage; it may keep some instead."""
_PASSED = re.compile(r"(\d+) passed, 0 failed\.")
_RESOURCE = re.compile(r'^(resource|data|module) "', re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a check ended; ``words`` are a few when it passed, and the program's own when it failed."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class Bench:
    """A copy of ``terraform/`` to work in, and what Terraform's environment needs there."""

    tree: Path
    program: Path
    variables: Mapping[str, str]

    def run(self, folder: str, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Terraform in a folder of the tree; ``variables`` go before the bench's own."""
        return _run([str(self.program), *words], self.tree / folder, {**self.variables, **variables})


def folders(source: Path = SOURCE) -> list[str]:
    """Every module and root, below ``terraform/``."""
    found = {path.parent for path in source.rglob("*.tf") if ".terraform" not in path.parts}
    return sorted(str(folder.relative_to(source)) for folder in found if folder.name != "tests")


@contextmanager
def bench(folder: Path, program: Path) -> Iterator[Bench]:
    """Inside, the providers are there for a copy of ``terraform/`` below ``folder``.

    Raises ``FileNotFoundError`` when the Python that runs the stand-ins is not there.
    """
    tree = standin.stage(SOURCE, folder / "tree" / "terraform")
    if _providers_are_real():
        cache = ROOT / ".cache" / "terraform-providers"
        cache.mkdir(parents=True, exist_ok=True)
        yield Bench(tree, program, {**_LEAN, "TF_PLUGIN_CACHE_DIR": str(cache)})
        return
    with standin.preloaded(standin.prepare(folder / "standin")) as environment:
        yield Bench(tree, program, {**_LEAN, **environment.variables})


def _providers_are_real() -> bool:
    return os.environ.get("MLOPS_REAL_PROVIDERS") == "1"


def formatted(program: Path, source: Path = SOURCE) -> Outcome:
    """Whether ``terraform fmt`` would change nothing."""
    finished = _run([str(program), "fmt", "-check", "-recursive", "-diff", "-no-color"], source, {})
    passed = finished.returncode == 0
    return Outcome(
        "format", passed, "as terraform fmt has it" if passed else finished.stdout + finished.stderr
    )


def validated(bench: Bench, folder: str) -> Outcome:
    """Whether ``init`` finds the folder's modules and providers, and ``validate`` nothing wrong."""
    finished = bench.run(folder, "init", "-input=false", "-no-color")
    if finished.returncode == 0:
        finished = bench.run(folder, "validate", "-no-color")
    return Outcome(folder, finished.returncode == 0, finished.stdout + finished.stderr)


def tested(bench: Bench, folder: str) -> Outcome:
    """Whether the folder, initialised, has tests and all of them pass."""
    finished = bench.run(folder, "test", "-no-color")
    said = finished.stdout + finished.stderr
    passed = _PASSED.search(finished.stdout)
    if finished.returncode == 0 and passed and int(passed[1]):
        return Outcome(folder, True, f"valid, {passed[1]} runs passed")
    return Outcome(folder, False, said if finished.returncode else f"It has no tests.\n{said}")


def checked(bench: Bench, folder: str) -> Outcome:
    """Valid and tested. ``test`` validates as well; where it fails, ``validate`` says what is invalid."""
    bench.run(folder, "init", "-input=false", "-no-color")
    outcome = tested(bench, folder)
    if outcome.passed:
        return outcome
    valid = validated(bench, folder)
    return outcome if valid.passed else valid


def scanned(source: Path = SOURCE) -> Outcome:
    """Whether checkov finds nothing that is not skipped with a reason, and could read what holds resources.

    Raises ``FileNotFoundError`` when checkov is not there.
    """
    if not CHECKOV.exists():
        raise FileNotFoundError(f"no {CHECKOV}: run `make environments` first")
    where = ["--directory", str(source), "--skip-path", NOT_SCANNED, "--framework", "terraform"]
    output = ["--skip-download", "--output", "json"]
    finished = _run([str(CHECKOV), *where, *output], source, {"LOG_LEVEL": "ERROR"})
    try:
        report = json.loads(finished.stdout)
    except ValueError:
        return Outcome("checkov", False, finished.stdout + finished.stderr)
    problems = [
        f"{each['check_id']} {each['resource']} ({each['file_path']}): {each['check_name']}"
        for each in report["results"]["failed_checks"]
    ]
    # It lacks some of the language. What it cannot read must hold nothing that it would look at.
    problems += [
        f"{path.relative_to(source)} has resources, and checkov cannot read it"
        for path in map(Path, report["results"]["parsing_errors"])
        if path.suffix == ".tf" and _RESOURCE.search(path.read_text("utf-8"))
    ]
    problems += sorted(
        f"{path.relative_to(source)}: {line.strip()} has no reason"
        for path in source.rglob("*.tf")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"checkov:skip=\w+(:\s*)?$", line)
    )
    summary = report["summary"]
    fine = f"{summary['passed']} checks passed, {summary['skipped']} are skipped with a reason"
    return Outcome("checkov", not problems, "\n".join(problems) or fine)


def _run(
    words: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **variables, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return subprocess.run(
        words,
        cwd=folder,
        env={name: value for name, value in env.items() if value},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints each check as it ends; 1 when one failed, 2 for a folder that is none, 3 without a program."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.check_terraform",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", nargs="*", metavar="FOLDER", help="below terraform/; by default all of them"
    )
    wanted = [str(Path(folder)).removeprefix("terraform/") for folder in parser.parse_args(arguments).folders]
    known = folders()
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"{', '.join(unknown)}: no such module or root below {SOURCE}")
    found = programs.find()
    if found is None:
        print("terraform: run `python tools/terraform.py` first, which gets it", file=sys.stderr)
        return 3
    try:
        with tempfile.TemporaryDirectory(prefix="check-terraform-") as place:
            return _report(Path(place), Path(found), wanted or known, scan=not wanted)
    except FileNotFoundError as error:
        print(f"terraform: {error}", file=sys.stderr)
        return 3


def _report(place: Path, program: Path, wanted: Sequence[str], *, scan: bool) -> int:
    begun = time.monotonic()
    # Two at once may not fill Terraform's cache of providers.
    at_once = 1 if _providers_are_real() else AT_ONCE
    with bench(place, program) as prepared, ThreadPoolExecutor(at_once) as pool:
        checks: list[Callable[[], Outcome]] = [lambda: formatted(program)]
        checks += [scanned] if scan else []
        checks += [lambda folder=each: checked(prepared, folder) for each in wanted]  # type: ignore[misc]
        running: list[Future[Outcome]] = [pool.submit(check) for check in checks]
        failed = 0
        for each in as_completed(running):
            outcome = each.result()
            failed += not outcome.passed
            _say(outcome)
    seconds = time.monotonic() - begun
    print(f"{len(running) - failed} of {len(running)} passed in {seconds:.0f} s")
    return 1 if failed else 0


def _say(outcome: Outcome) -> None:
    lines = outcome.words.strip().splitlines() or [""]
    if outcome.passed:
        print(f"ok      {outcome.name}  {lines[-1]}".rstrip(), flush=True)
        return
    print(f"FAILED  {outcome.name}", flush=True)
    for line in lines:
        print(f"        {line}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
