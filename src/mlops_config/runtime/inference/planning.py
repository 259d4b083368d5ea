"""The plan of a batch whose parts are worked on in processes of their own, such as tasks of a DAG run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.inference.notes import read_note, write_note
from mlops_config.runtime.inference.units import Unit

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """Which batch it is: every process of a DAG run works on this one, whatever is promoted meanwhile."""

    job_id: str
    model_version: int
    fingerprint: str
    """Of the input."""


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """A batch, and the parts that each can be a process's."""

    plan: Plan
    parts: tuple[str, ...]
    """Of a batch that is complete already: none."""

    @property
    def summary(self) -> str:
        """One line for people."""
        count = len(self.parts)
        return f"batch {self.plan.job_id} has {count} part{'s' * (count != 1)} to predict"

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "job_id": self.plan.job_id,
            "parts": list(self.parts),
            "model_version": self.plan.model_version,
            "fingerprint": self.plan.fingerprint,
        }


def write_plan(context: JobContext, output_uri: str, plan: Plan) -> None:
    """Leaves the plan for the other processes of the DAG run; without one there is nobody to leave it for.

    Raises:
        ServiceError: the output stays away.
    """
    if (place := _place(context, output_uri)) is not None:
        note = {
            "job_id": plan.job_id,
            "model_version": plan.model_version,
            "fingerprint": plan.fingerprint,
            "config_digest": context.config_digest,
            "dag_run": context.dag_run,
        }
        write_note(place, note, context.root)


def read_plan(context: JobContext, output_uri: str) -> Plan | None:
    """What the DAG run planned; ``None``: nothing, or there is no DAG run.

    Raises:
        IntegrityError: it was planned with another configuration.
    """
    place = _place(context, output_uri)
    found = read_note(place, context.root) if place is not None else None
    if found is None:
        return None
    if found["config_digest"] != context.config_digest:
        raise IntegrityError(
            f"the batch was planned with the configuration {found['config_digest']}, and this one is"
            f" {context.config_digest}",
            hint="a run keeps its configuration: start another DAG run",
        )
    return Plan(found["job_id"], found["model_version"], found["fingerprint"])


def require_planned(plan: Plan | None, dataset: Dataset, job_id: str, *, started: bool) -> None:
    """Refuses a part of a batch that is not the one that was planned.

    ``started`` is whether a batch of this id has begun: by its plan, where no DAG run keeps one.

    Raises:
        IntegrityError: it is another one.
    """
    if plan is None and not started:
        raise IntegrityError(
            f"no batch {job_id} was planned: since the plan the input at {dataset.uri}, the model or the"
            " configuration changed, or there is none",
            hint="plan it first: mlops-config run inference --plan",
        )
    if plan is not None and plan.job_id != job_id:
        raise IntegrityError(
            f"the input at {dataset.uri} changed since the batch was planned: it was {plan.fingerprint},"
            f" it is {dataset.fingerprint}",
            hint="write input whole before the batch starts; plan it again, or start another DAG run",
        )


def chosen(units: Sequence[Unit], names: Sequence[str]) -> list[Unit]:
    """The units of these names, in the order of the batch.

    Raises:
        UsageError: the batch has no such part.
    """
    known = {unit.name: unit for unit in units}
    for name in names:
        if name not in known:
            shown = ", ".join(list(known)[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
            raise UsageError(
                f"the batch has no part {name!r}",
                hint=f"its {len(known)} parts are {shown}: mlops-config run inference --plan names them all",
            )
    return [unit for unit in units if unit.name in names]


def _place(context: JobContext, output_uri: str) -> str | None:
    if context.dag_run is None:
        return None
    name = hashlib.sha256(context.dag_run.encode()).hexdigest()[:16]
    return f"{output_uri.rstrip('/')}/_plans/{name}.json"
