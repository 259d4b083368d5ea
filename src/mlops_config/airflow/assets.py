"""What a model's jobs make and wait for, as Airflow's assets, and the wall between environments."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from airflow.sdk import Asset, AssetAlias

from mlops_config.orchestration.deployment import Deployment, asset_uri

OnOutcome = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
"""Takes a job's outcome and the task's context, before the task ends well."""
Outcome = Mapping[str, Any]


class News(NamedTuple):
    """How a job's outcome tells of an asset."""

    happened: Callable[[Outcome], bool]
    """Whether there is a new one."""
    more: Callable[[Outcome], Mapping[str, Any]]
    """What the asset's event says of it besides the outcome's single values."""


def _promotion(outcome: Outcome) -> Mapping[str, Any]:
    """What serves now: a retraining has it within its outcome, a promotion is it."""
    return {**(outcome.get("promotion") or {}), "challenger": outcome.get("challenger")}


def _reports(outcome: Outcome) -> Mapping[str, Any]:
    windows = outcome.get("windows") or ()
    confirmed = {signal for window in windows for signal in window.get("confirmed", ())}
    return {"reports": [window.get("report") for window in windows], "confirmed": sorted(confirmed)}


NEWS = {
    "drift-report": News(lambda outcome: bool(outcome.get("windows")), _reports),
    "model": News(lambda outcome: bool(outcome.get("challenger") or outcome.get("promoted")), _promotion),
    "deployment": News(
        lambda outcome: any(
            outcome.get(name) for name in ("promotion", "promoted", "redeployed", "rolled_back")
        ),
        _promotion,
    ),
}


def asset(deployment: Deployment, thing: str) -> Asset:
    """A model's ``baseline``, ``model``, ``drift-report`` or ``deployment`` in one environment."""
    return Asset(uri=_uri(deployment, thing), extra={"environment": deployment.environment})


def alias(deployment: Deployment, thing: str) -> AssetAlias:
    """Stands for :func:`asset` with tasks that make one only sometimes."""
    return AssetAlias(name=_uri(deployment, thing))


def announce(deployment: Deployment, *things: str) -> OnOutcome:
    """Tells Airflow of those of ``things`` that an outcome says are new, with what it says of them."""

    def told(outcome: Outcome, context: Mapping[str, Any]) -> None:
        task = context["task"]
        said = task.event_extra(outcome, task.pin(context), context)
        for thing in things:
            if NEWS[thing].happened(outcome):
                events = context["outlet_events"][alias(deployment, thing)]
                events.add(asset(deployment, thing), extra={**NEWS[thing].more(outcome), **said})

    return told


def wall(deployment: Deployment) -> Callable[[Mapping[str, Any]], None]:
    """Refuses a run that an event of another environment, project or model started.

    No DAG waits for another environment's assets, so this finds what somebody rewired by hand. An event
    without metadata, as Airflow's user interface makes one, is judged by its URI alone.
    """
    ours = _uri(deployment, "")

    def refuse(context: Mapping[str, Any]) -> None:
        for uri, extra in _events(context):
            said = extra.get("environment", deployment.environment)
            if not uri.startswith(ours) or said != deployment.environment:
                from airflow.providers.common.compat.sdk import AirflowFailException

                raise AirflowFailException(
                    f"the run was started by an event of {uri} in environment {said!r}, and this DAG is "
                    f"{deployment.environment}'s, which only {ours}* may start"
                )

    return refuse


def _events(context: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """URI and metadata of each event that started the run."""
    found = []
    for events in (context.get("triggering_asset_events") or {}).values():
        found += [(event.asset.uri, event.extra or {}) for event in events]
    return found


def _uri(deployment: Deployment, thing: str) -> str:
    return asset_uri(deployment.environment, deployment.project, deployment.model_name, thing)
