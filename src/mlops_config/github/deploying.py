"""The deployment as a step: the verb ``deploy`` run with the step's inputs, its plan in the job summary.

The plan leaves the job only as people and programs read it, secrets left out, and as a file that is sealed:
what else the verb writes stays in a folder that no step uploads.
"""

import io
import json
import os
import shutil
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from mlops_config.bundle.bundle import sha256_of
from mlops_config.digests import is_digest
from mlops_config.errors import FindingsError, MlopsConfigError, UsageError
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.github import commands
from mlops_config.github.console import ActionConsole
from mlops_config.github.deploying_targets import MODES, require_terraform
from mlops_config.github.handed_over import set_variables
from mlops_config.github.matrix import OUTPUTS_NAME
from mlops_config.github.step import Outputs, Step
from mlops_config.infrastructure.plan_files import DOCUMENT_NAME, MARKDOWN_NAME, PLAN_FOLDER, SEALED_NAME
from mlops_config.infrastructure.sealing import KEY_VARIABLE
from mlops_config.release.markdown import fenced
from mlops_config.settings import Settings

PRIVATE_FOLDER = "mlops-config-private"
"""Below RUNNER_TEMP: what the verb writes, the plan file in the clear among it."""

_LAST_MINUTES = 5
"""Of a job that are not spent on waiting."""


def deploy(step: Step) -> int:
    """Plans, deploys what was planned, or looks for drift, as the input ``mode`` says.

    A drift is no failure of the step: the output ``drifted`` tells.

    Raises:
        UsageError: an input is not what it should be.
        MlopsConfigError: as ``mlops-config deploy``; what a plan failed of is left for the comment too.
    """
    mode, environment = step.input("mode"), step.input("environment")
    if mode not in MODES:
        raise UsageError(f"the input mode is {mode!r}", hint=f"it is {', '.join(MODES)}")
    root, settings = step.tree(step.input("working-directory") or ".", step.input("settings") or None)
    settings.require_environment(environment)
    require_terraform(settings)
    private = step.output.parent / PRIVATE_FOLDER
    left = make_output_folder(step.output) / environment
    left.mkdir(exist_ok=True)
    said = Said()
    try:
        parsed = _parsed(_arguments(step, mode, environment, root, private))
        if mode == "deploy":
            _bring(step, environment, private)
        _hand_over(step)
        if mode == "drift" and not _is_released(parsed):
            return _nothing_to_look_at(step, left, environment)
        said = _run(parsed, step.console)
        if said.failure is not None and not said.document:
            if mode == "deploy":
                _keep_state(step, said.failure, parsed, settings)
            raise said.failure
    except MlopsConfigError as error:
        if mode != "deploy":
            _leave(left, {"environment": environment, "mode": mode, "failed": error.message})
        text = fenced(error.message, "text")
        step.summarize(f"### {_TITLES[mode]} `{environment}`\n\n❌ It failed:\n\n{text}")
        raise
    outputs = _outputs(said, private / environment / PLAN_FOLDER, mode)
    _tell(step, private / environment, left, mode, environment)
    step.write(outputs)
    _leave(left, {"environment": environment, "mode": mode, **outputs})
    for sentence in _left_to_people(said):
        step.warn(f"{environment}: {sentence}")
    if outputs["drifted"]:
        step.warn(f"{environment} has drifted from what Terraform made: see the job summary")
    elif said.failure is not None:
        raise said.failure
    return 0


_TITLES = {"plan": "Plan for", "deploy": "Deployment to", "drift": "Drift of"}


def _arguments(step: Step, mode: str, environment: str, root: Path, output: Path) -> list[str]:
    """The verb's arguments."""
    given = [
        "deploy",
        f"--environment={environment}",
        f"--root={root}",
        f"--output={output}",
        "--format=json",
    ]
    named = ("store", "airflow", "dags-folder")
    given += [f"--{name}={step.input(name)}" for name in named if step.input(name)]
    if step.input("settings"):
        given.append(f"--settings={root / step.input('settings')}")
    release = step.input("release")
    if mode == "deploy":
        given += [*_reviewed(step, environment), *_patience(step)]
        given += [f"--{name}" for name in ("with-dags", "only-terraform") if step.truth(name)]
        return given
    given.append("--plan" if mode == "plan" else "--drift")
    if mode == "plan" and (step.context.unmerged or step.truth("from-tree")):
        given.append("--from-tree")
    elif release:
        given.append(f"--release={release}")
    return given


def _reviewed(step: Step, environment: str) -> list[str]:
    """The plan that may be applied, and the release that it is for."""
    try:
        plan = json.loads(step.input("reviewed"))[environment]
        digest, release = str(plan["plan-digest"]), str(plan["release"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"the input reviewed does not say which plan of {environment} was reviewed",
            hint="give it the output `plans` of the job that collects the plans; GitHub drops an output that"
            " holds a masked value",
        ) from error
    if not is_digest(digest):
        raise UsageError(f"the plan of {environment} that was reviewed has the digest {digest!r}")
    given = [f"--release={release}", f"--reviewed={digest}"]
    if not step.input("plan-key"):
        return given
    left = _left_by_planning(step, environment)
    sealed = left / SEALED_NAME if left else None
    if sealed is None or not sealed.is_file():
        raise UsageError(
            f"there is a key for the plan of {environment}, and no sealed plan"
            f" ({sealed or 'the input plan is empty'})",
            hint="the job that plans seals one where it has the same key, and it is kept for five days: start"
            " the whole workflow again; without plan-key the plan is made anew and compared",
        )
    return [*given, f"--plan-file={sealed}"]


def _patience(step: Step) -> list[str]:
    """How long it may take, with Airflow: less than the job may last, or that would end without a word."""
    minutes = step.number("minutes", 90)
    if minutes is None:
        return []
    seconds = 60 * max(minutes - _LAST_MINUTES, 1)
    return [f"--timeout={seconds}", f"--within={seconds}"]


def _left_by_planning(step: Step, environment: str) -> Path | None:
    """Where the artifact of the job that planned has what is about the environment."""
    return Path(step.input("plan")) / environment if step.input("plan") else None


def _bring(step: Step, environment: str, private: Path) -> None:
    """Lays the reviewed plan where the verb looks for it, to say what differs should it refuse another."""
    left = _left_by_planning(step, environment)
    if left and (left / DOCUMENT_NAME).is_file():
        data = (left / DOCUMENT_NAME).read_bytes()
        write_atomically(private / environment / PLAN_FOLDER / DOCUMENT_NAME, data)


def _keep_state(step: Step, error: MlopsConfigError, parsed: Namespace, settings: Settings) -> None:
    """Keeps the state, if an apply left one in the checkout because it could not save it."""
    from mlops_config.github.left_state import keep_state
    from mlops_config.infrastructure.root_module import root_module_of

    try:
        module = root_module_of(settings, parsed.environment, parsed.root, None)
    except UsageError:
        return  # nothing was applied: this is why
    if module is not None:
        keep_state(step, error, module, environment=parsed.environment, release=parsed.release)


def _hand_over(step: Step) -> None:
    """What the verb takes from the environment alone."""
    set_variables(step)
    key = step.input("plan-key")
    if key:
        step.console.command(commands.mask(key))
        os.environ[KEY_VARIABLE] = key
    # Terraform's debug log shows requests with their credentials, and it would go into the run's log.
    for name in [name for name in os.environ if name.startswith("TF_LOG")]:
        del os.environ[name]


@dataclass(frozen=True, slots=True)
class Said:
    """What the verb printed for programs, and how it failed, if it did."""

    document: Mapping[str, Any] = field(default_factory=dict)
    failure: MlopsConfigError | None = None


def _parsed(arguments: Sequence[str]) -> Namespace:
    from mlops_config.cli import parser

    return parser(["deploy"]).parse_args(arguments)


def _is_released(parsed: Namespace) -> bool:
    """Whether the environment has a release: without one there is nothing that could drift from it."""
    from mlops_config.cli.ledgers import ledgers_of

    if parsed.release:
        return True
    store, (name,) = ledgers_of(Namespace(**{**vars(parsed), "environment": [parsed.environment]}))
    return store.current(name.project, name.environment) is not None


def _nothing_to_look_at(step: Step, left: Path, environment: str) -> int:
    """What a look for drift comes to before the first release."""
    text = f"{environment} has no release yet: nothing was made for one that could have drifted"
    outputs: Outputs = {"drifted": False, "has-changes": False, "plan-digest": ""}
    step.write(outputs)
    _leave(left, {"environment": environment, "mode": "drift", **outputs})
    step.summarize(f"### {_TITLES['drift']} `{environment}`\n\n{text}.")
    step.console.say(text)
    return 0


def _run(parsed: Namespace, console: ActionConsole) -> Said:
    """Runs the verb. Its progress goes to the log, as text alone."""
    printed, lines = io.StringIO(), Lines(console)
    failure: MlopsConfigError | None = None
    with redirect_stdout(printed), redirect_stderr(lines):
        try:
            parsed.run(parsed)
        except MlopsConfigError as error:
            failure = error
    lines.end()
    return Said(json.loads(printed.getvalue() or "{}"), failure)


class Lines(io.TextIOBase):
    """Hands each whole line to the console, which lets no line be a workflow command."""

    def __init__(self, console: ActionConsole) -> None:
        self._console = console
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Takes a piece of a line, or several."""
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._console.say(line)
        return len(text)

    def end(self) -> None:
        """Says what no line break ended."""
        if self._begun:
            self.write("\n")


def _outputs(said: Said, plan_folder: Path, mode: str) -> Outputs:
    """What later steps and jobs are told, from the plan's document and from what the verb printed."""
    path = plan_folder / DOCUMENT_NAME
    plan: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    outputs: Outputs = {
        "plan-digest": str(plan.get("digest") or ""),
        "changes": str(plan.get("summary") or ""),
        "has-changes": bool(plan.get("has_changes")),
        "deletes": bool(plan.get("destructive")),
        "release": str(plan.get("release") or ""),
        "config-digest": str(plan.get("config_digest") or ""),
        "drifted": mode == "drift" and isinstance(said.failure, FindingsError),
        "drift-digest": sha256_of(rfc8785.dumps(plan.get("drift") or [])),
        "deployed": mode == "deploy" and said.failure is None,
        "airflow": str((said.document.get("activation") or {}).get("airflow") or ""),
    }
    return outputs


def _left_to_people(said: Said) -> list[str]:
    """What a deployment that went well leaves as it was, because only a person may change it."""
    paused = [
        f"somebody paused the DAG of {job} in Airflow, and it stays so: unpause it there"
        for job in said.document.get("paused", ())
    ]
    return [*said.document.get("held", ()), *paused]


def _tell(step: Step, private: Path, left: Path, mode: str, environment: str) -> None:
    """The plan, and the notes of what runs now, into the summary; what may leave the job into its folder."""
    from mlops_config.pipeline import NOTES_NAME, RECORD_NAME

    plan = private / PLAN_FOLDER / MARKDOWN_NAME
    text = plan.read_text("utf-8").strip() if plan.is_file() else ""
    step.summarize(f"### {_TITLES[mode]} `{environment}`\n\n{text}")
    if mode == "deploy":
        for name in (RECORD_NAME, NOTES_NAME):
            if (private / name).is_file():
                shutil.copy(private / name, left / name)
        if (private / NOTES_NAME).is_file():
            step.summarize((private / NOTES_NAME).read_text("utf-8"))
        return
    if text:
        write_atomically(left / MARKDOWN_NAME, f"{text}\n".encode())
        shutil.copy(private / PLAN_FOLDER / DOCUMENT_NAME, left / DOCUMENT_NAME)
    sealed = private / PLAN_FOLDER / SEALED_NAME
    if sealed.is_file() and step.input("plan-key"):
        shutil.copy(sealed, left / SEALED_NAME)
    sealed.unlink(missing_ok=True)  # without a key it lies there in the clear, and nobody takes it up


def _leave(left: Path, outputs: Outputs) -> None:
    write_atomically(left / OUTPUTS_NAME, json.dumps(outputs, indent=2).encode())
