"""Terraform or OpenTofu: found, of a version that fits, and run on a root module."""

import errno
import json
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_config.console import Console
from mlops_config.errors import MlopsConfigError, ServiceError, UsageError, of_os_error
from mlops_config.infrastructure.diagnostics import errors_of, warnings_of
from mlops_config.infrastructure.failures import apply_failure, failure
from mlops_config.infrastructure.known_failures import (
    LEFT_STATE,
    MINIMUM_VERSION,
    Attempt,
    how_to_get,
)
from mlops_config.infrastructure.plan import DEFAULT_WORKSPACE, Plan
from mlops_config.infrastructure.progress import Events, Step
from mlops_config.infrastructure.running import Ended, answer, follow
from mlops_config.infrastructure.variables import FILE_NAME

NAMES = ("terraform", "tofu")
LOCK_TIMEOUT = "60s"
_ANSWER_SECONDS = 30.0
_FULL_BYTES = 1 << 20
"""Less is free on a disk that a plan did not fit on."""
_VERSION = re.compile(r"^(Terraform|OpenTofu) v((\d+)\.(\d+)\.\d+\S*)", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class SavedPlan:
    """A plan, read and as the file that can be applied; the file lies in a folder of ours alone.

    It holds every value in the clear, secrets too. It goes with this object, or with :meth:`close`.
    """

    plan: Plan
    path: Path

    def read_bytes(self) -> bytes:
        """The file, to be sealed."""
        return self.path.read_bytes()

    def close(self) -> None:
        """Removes the file."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did."""

    steps: tuple[Step, ...]
    outputs: Mapping[str, Any]
    """Without the sensitive ones."""
    created: int = 0
    changed: int = 0
    deleted: int = 0

    def document(self) -> dict[str, Any]:
        """The apply for programs, shaped as an :class:`~.failures.ApplyFailedError`'s."""
        return {
            "done": [each.model_dump() for each in self.steps],
            "failed": [],
            "not_begun": [],
            "errors": [],
        }

    def in_words(self) -> str:
        """Such as ``3 created, 1 changed, 0 deleted``."""
        return f"{self.created} created, {self.changed} changed, {self.deleted} deleted"


@dataclass(frozen=True, slots=True)
class Program:
    """A Terraform or OpenTofu that fits."""

    path: Path
    version: str
    is_opentofu: bool

    @classmethod
    def find(cls, name: str | None = None) -> "Program":
        """The program of that name or path; without one ``terraform``, else ``tofu``, from ``PATH``.

        Raises:
            UsageError: there is none, it is too old, or it is something else.
        """
        names = NAMES if name is None else (name,)
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            raise UsageError(f"there is no {' and no '.join(names)} on PATH", hint=how_to_get())
        # Absolute: it is run in another folder.
        path = Path(found).absolute()
        try:
            ended, out = answer([str(path), "version"], Path.cwd(), seconds=_ANSWER_SECONDS)
        except ServiceError as error:
            raise UsageError(f"{found} does not run: {error.message}", hint=how_to_get()) from error
        told = _VERSION.search(out.decode(errors="replace"))
        if ended.code or told is None:
            raise UsageError(f"{found} is neither Terraform nor OpenTofu", hint=how_to_get())
        least = tuple(map(int, MINIMUM_VERSION.split(".")))
        if (int(told[3]), int(told[4])) < least:
            raise UsageError(
                f"{told[1]} {told[2]} ({found}) is too old: {MINIMUM_VERSION} or later is needed",
                hint=how_to_get(),
            )
        return cls(path, told[2], told[1] == "OpenTofu")

    @property
    def name(self) -> str:
        """``Terraform 1.11.4``, for people."""
        return f"{'OpenTofu' if self.is_opentofu else 'Terraform'} {self.version}"

    def at(
        self,
        directory: Path,
        console: Console,
        *,
        backend_config: Path | None = None,
        lock_timeout: str = LOCK_TIMEOUT,
    ) -> "Root":
        """The root module in ``directory``.

        Raises:
            UsageError: there is no module, or the backend's file is missing.
        """
        if not any(directory.glob("*.tf")) and not any(directory.glob("*.tf.json")):
            raise UsageError(
                f"{directory} is no root module: it has no .tf file",
                hint="name one: terraform.directory in the settings, or --terraform",
            )
        if backend_config is not None and not backend_config.is_file():
            raise UsageError(
                f"there is no {backend_config}, which should say where the state lies",
                hint="copy backend.hcl.example to that name and fill it in",
            )
        return Root(self, directory.resolve(), directory, console, backend_config, lock_timeout)


@dataclass(frozen=True, slots=True)
class Root:
    """A root module, and what Terraform does with it."""

    program: Program
    directory: Path
    shown: Path
    """The folder as it was given, for people."""
    console: Console
    backend_config: Path | None
    lock_timeout: str

    @property
    def workspace(self) -> str:
        """Which of the backend's states it works on, as Terraform finds it."""
        chosen = Path(os.environ.get("TF_DATA_DIR") or ".terraform") / "environment"
        try:
            kept = (self.directory / chosen).read_text(encoding="utf-8").strip()
        except OSError:
            kept = ""
        return os.environ.get("TF_WORKSPACE") or kept or DEFAULT_WORKSPACE

    def init(self) -> None:
        """Fetches providers and finds the state.

        Raises:
            UsageError: the module, its backend or the version of the program do not fit.
            ServiceError: a registry or the state's store fails.
        """
        options = [f"-backend-config={self.backend_config.resolve()}"] if self.backend_config else []
        with self.console.stage("init") as log:
            events = Events(log, self.console.say)
            self._followed("init", ["-input=false", "-no-color", *options], events)
            where = "" if self.workspace == DEFAULT_WORKSPACE else f", workspace {self.workspace}"
            log.done(f"{self.program.name} in {self.shown}{where}")

    def require_saved(self) -> None:
        """Returns unless the last state lies here, because it could not be saved where it belongs.

        Raises:
            UsageError: it does; a plan would make once more what it tells of.
            ServiceError: the state cannot be read.
        """
        left = self.directory / LEFT_STATE
        if not left.is_file():
            return
        pulled = self._answered("state", "pull")
        saved = _state_of(pulled) if pulled.strip() else None
        attempt, shown = self._attempt("plan"), self.shown / LEFT_STATE
        told = f"an apply in {self.shown} could not save its state where it belongs"
        try:
            lost = _state_of(left.read_bytes())
        except ValueError as error:  # a full disk cuts a file short
            raise UsageError(
                f"{told}, and {shown}, where it was left, is cut short: what it made would be made once more",
                hint="bring what the apply's log says was made into the state:"
                f" {attempt.command} import ADDRESS ID; then remove {shown}",
            ) from error
        if saved is None or (saved[0] == lost[0] and saved[1] < lost[1]):
            raise UsageError(
                f"{told}: it lies in {shown}, and what it made would be made once more",
                hint=f"give: {attempt.push_state}; then the same command again",
            )

    def plan(self, *, refresh_only: bool = False) -> SavedPlan:
        """What would change; with ``refresh_only`` what was changed behind Terraform's back.

        Raises:
            UsageError: the variables or the module are wrong.
            StateLockedError: somebody else is at it.
            ServiceError: the cloud refuses or fails.
        """
        path = _private_file()
        try:
            options = ["-refresh-only"] if refresh_only else []
            with self.console.stage("plan") as log:
                events = Events(log, self.console.say)
                self._followed("plan", ["-input=false", *self._lock(), *options, f"-out={path}"], events)
                saved = self._written(path, events.diagnostics)
                log.done(saved.plan.summary())
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        return saved

    def saved(self, data: bytes) -> SavedPlan:
        """A plan that was saved before.

        Raises:
            UsageError: this program cannot read it.
        """
        path = _private_file()
        try:
            path.write_bytes(data)
            return self._read(path)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise

    def apply(self, saved: SavedPlan) -> Applied:
        """Carries the saved plan out, and nothing else.

        Raises:
            StalePlanError: the state was changed since; nothing is done.
            ApplyFailedError: it ended half-way; also when it was interrupted.
            ServiceError: it could not begin.
        """
        planned = [(each.address, each.action) for each in saved.plan.changes]
        with self.console.stage("apply") as log:
            events = Events(log, self.console.say)
            ended = self._follow("apply", ["-input=false", *self._lock(), str(saved.path)], events)
            if ended.code or ended.interrupted:
                errors = errors_of(events.diagnostics)
                attempt = self._attempt("apply")
                raise apply_failure(
                    attempt,
                    errors,
                    _complaint(ended, events),
                    events.steps,
                    planned,
                    interrupted=ended.interrupted,
                )
            counts = events.counts
            numbers = [counts.get(name, 0) for name in ("add", "change", "remove")]
            applied = Applied(events.steps, self.outputs(), *numbers)
            log.done(applied.in_words())
        for words in self._warnings(events.diagnostics, saved.plan.configuration):
            if words not in saved.plan.warnings:
                self.console.say(f"warning: {words}")
        return applied

    def outputs(self) -> Mapping[str, Any]:
        """The root's outputs by name, without the sensitive ones: those are never read further than here."""
        found = json.loads(self._answered("output", "-json"))
        return {name: each["value"] for name, each in found.items() if not each.get("sensitive")}

    def _warnings(self, told: Sequence[Mapping[str, Any]], configuration: Mapping[str, Any]) -> list[str]:
        """What Terraform warned of, but for the release's variables that the root module does not declare."""
        try:
            given = json.loads((self.directory / FILE_NAME).read_bytes())
        except FileNotFoundError:  # a plan without a release
            given = {}
        declared = (configuration.get("root_module") or {}).get("variables") or {}
        undeclared = sum(name not in declared for name in given)
        return [each.in_words() for each in warnings_of(told, FILE_NAME, undeclared)]

    def _written(self, path: Path, told: Sequence[Mapping[str, Any]]) -> SavedPlan:
        """The plan that was just made; on a full disk Terraform leaves half of it without a word."""
        try:
            return self._read(path, told)
        except UsageError as error:
            if shutil.disk_usage(path.parent).free < _FULL_BYTES:
                raise of_os_error(OSError(errno.ENOSPC, "", str(path))) from error
            raise

    def _read(self, path: Path, told: Sequence[Mapping[str, Any]] = ()) -> SavedPlan:
        path.chmod(0o600)
        document = json.loads(self._answered("show", "-json", str(path)))
        chosen = json.loads(self._answered("version", "-json")).get("provider_selections") or {}
        plan = Plan.of(
            document,
            providers=chosen,
            directory=self.directory,
            warnings=self._warnings(told, document.get("configuration") or {}),
            workspace=self.workspace,
        )
        saved = SavedPlan(plan, path)
        weakref.finalize(saved, shutil.rmtree, str(path.parent), True)
        return saved

    def _followed(self, verb: str, options: Sequence[str], events: Events) -> None:
        ended = self._follow(verb, options, events)
        if ended.interrupted:
            raise KeyboardInterrupt
        if ended.code:
            raise failure(self._attempt(verb), errors_of(events.diagnostics), _complaint(ended, events))

    def _follow(self, verb: str, options: Sequence[str], events: Events) -> Ended:
        command = [str(self.program.path), verb, "-json", *options]
        return follow(command, self.directory, events.heard, self.console.say)

    def _answered(self, *arguments: str) -> bytes:
        ended, out = answer([str(self.program.path), *arguments], self.directory)
        if ended.code:
            raise self._unreadable(arguments[0], ended)
        return out

    def _unreadable(self, verb: str, ended: Ended) -> MlopsConfigError:
        text = re.sub(r"\x1b\[[0-9;]*m|[│╷╵]", "", ended.complaint)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        message = f"{self.program.name} {verb} failed: {' '.join(lines[:3]) or f'exit code {ended.code}'}"
        if verb == "show":
            hint = "a plan is read by the version that made it, in the folder it was made in"
            return UsageError(message, hint=hint)
        return ServiceError(message)

    def _attempt(self, verb: str) -> Attempt:
        name = "tofu" if self.program.is_opentofu else "terraform"
        return Attempt(verb, self.shown, name, self.program.version)

    def _lock(self) -> list[str]:
        return [f"-lock-timeout={self.lock_timeout}"]


def _state_of(text: bytes) -> tuple[str, int]:
    """Lineage and serial number.

    Raises:
        ValueError: it is no whole state.
    """
    state = json.loads(text)
    return str(state.get("lineage", "")), int(state.get("serial", 0))


def _private_file() -> Path:
    """A name in a new folder that only we can enter."""
    return Path(tempfile.mkdtemp(prefix="mlops-config-plan-")) / "tfplan"


def _complaint(ended: Ended, events: Events) -> str:
    return ended.complaint or "\n".join(events.noise)
