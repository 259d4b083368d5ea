"""Decides which DAG runs a deployment needs: a function of what changed and of what the ledger knows."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.orchestration.deployment import Deployment
from mlops_config.release.changes import Change

_SHOWN = 3
"""Changed keys that are named; more are counted."""
_NOT_OF_A_MODEL = frozenset({"metadata", "orchestration"})
"""How a job runs and whose it is: nothing has to be learned, served or judged anew for it."""
_NOT_OF_AN_ENDPOINT = _NOT_OF_A_MODEL | {"batch"}
_CHANGES_RELEASE = frozenset({Event.ACTIVATED, Event.ROLLED_BACK})
_RUN_ID = "deploy__{environment}__{release}"
_AGAIN = "__again"
"""In the id of a run that somebody asked for once more, within one deployment of a release."""


class PlannedRun(NamedTuple):
    """A DAG run to ask for, and why."""

    job: str
    because: str
    only: str | None = None
    """``redeploy``: the run deploys the champion again and trains nothing; ``None``: the whole DAG."""

    def conf(self, deployment: Deployment) -> dict[str, Any]:
        """The run's configuration, as Airflow keeps it."""
        asked = {"release": deployment.release, "config_digest": deployment.config_digest}
        return asked | ({"only": self.only} if self.only else {})


class Past(NamedTuple):
    """What the ledger knows from before this deployment began."""

    before: str | None
    """The release that this one follows: activated last, or gone back to."""
    number: int
    """How often this release comes to the environment, this time included: twice after one in between."""
    has_champion: bool
    """Whether a model was promoted."""
    ended: LedgerEntry | None
    """The entry of this very deployment, if it came to an end already."""


def past_of(entries: Sequence[LedgerEntry], release: str) -> Past:
    """What came before the deployment of ``release`` that is going on, or that comes next.

    A deployment that is asked for again finds the same past, so it plans the same runs: what the runs it
    started have done since does not count.
    """
    changes = [entry for entry in entries if entry.event in _CHANGES_RELEASE]

    def is_own(index: int) -> bool:
        return changes[index].event is Event.ACTIVATED and changes[index].release == release

    own = 0
    while own < len(changes) and is_own(len(changes) - 1 - own):
        own += 1
    earlier = changes[: len(changes) - own]
    visits = sum(is_own(index) and not (index and is_own(index - 1)) for index in range(len(changes)))
    number = visits if own else visits + 1
    since = changes[len(earlier)].sequence if own else None
    promoted = (
        entry
        for entry in entries
        if entry.event is Event.PROMOTED
        and entry.outcome == "succeeded"
        and (since is None or entry.sequence < since)
        and not _is_of(entry.dag_run or "", run_id(release, entry.environment, number))
    )
    return Past(
        before=next((each.release for each in reversed(earlier) if each.outcome == "succeeded"), None),
        number=number,
        has_champion=any(True for _ in promoted),
        ended=changes[-1] if own else None,
    )


def run_id(release: str, environment: str, number: int) -> str:
    """The DAG runs' id: the same however often the deployment is asked for."""
    name = _RUN_ID.format(environment=environment, release=release)
    return name if number <= 1 else f"{name}__{number}"


def again(run_id: str, number: int) -> str:
    """The id of the run that is asked for the so-manieth time: once that is ``run_id`` itself."""
    return run_id if number <= 1 else f"{run_id}{_AGAIN}{number}"


def _is_of(dag_run: str, run_id: str) -> bool:
    """Whether the DAG run (``<dag id>/<run id>``) is the one of ``run_id``, or was asked for after it."""
    return dag_run.rpartition("/")[2].partition(_AGAIN)[0] == run_id


def choose(
    deployment: Deployment,
    past: Past,
    found: Iterable[Change] | None,
    *,
    monitored: bool,
    serves: bool,
    new_image: bool = False,
    asked: str | None = None,
) -> tuple[PlannedRun, ...]:
    """The runs a deployment needs, most often one or none.

    ``found`` is what changed since the release before (``None``: nobody knows); ``monitored`` and ``serves``
    say whether this one monitors and has an endpoint. ``asked`` is a job that somebody wants in any case.
    """
    if asked is not None:
        return (PlannedRun(asked, "it was asked for"),)
    if past.before is None:
        return (PlannedRun("training", "this is the first deployment"),)
    if not past.has_champion:
        return (PlannedRun("training", "no model was promoted yet"),)
    if found is None:
        return (PlannedRun("training", f"the files of release {past.before} cannot be compared"),)
    changes = tuple(found)
    if keys := _keys(changes, {Kind.TRAINING}, _NOT_OF_A_MODEL):
        return (PlannedRun("training", f"training changed: {keys}"),)
    if serves and (keys := _keys(changes, {Kind.INFERENCE}, _NOT_OF_AN_ENDPOINT)):
        return (PlannedRun("training", f"inference changed: {keys}", only="redeploy"),)
    if serves and new_image and deployment.target != "local":
        return (PlannedRun("training", "the model server's image is another", only="redeploy"),)
    if monitored and (keys := _keys(changes, {Kind.MONITORING, Kind.RETRAIN}, _NOT_OF_A_MODEL)):
        return (PlannedRun("monitoring", f"monitoring changed: {keys}"),)
    return ()


def _keys(found: Sequence[Change], kinds: Collection[Kind], ignored: Collection[str]) -> str:
    """The changed keys of some kinds in words; empty when none counts."""
    names = [
        change.where or f"the whole {change.kind} file"
        for change in found
        if change.kind in kinds and not (change.path and change.path[0] in ignored)
    ]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
