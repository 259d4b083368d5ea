"""Watches a new deployment for as long as its alarms may still bring the one before back."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from mlops_config.orchestration.deployment import Deployment

_SHORTEST_SECONDS = 5.0
_LONGEST_SECONDS = 60.0
_LOOKS = 10
"""In a bake, at least: a short one is looked at more often than once a minute."""


def watching(operator: type) -> type:
    """``operator`` that runs its command again and again until its outcome says ``done``.

    Between two looks no worker's slot is taken: the triggerer waits. Where the retraining before it let no
    other model serve there is nothing to watch, and the task is skipped.
    """

    class Watching(operator):  # type: ignore[misc]  # Airflow's classes have no types here
        """Rolls back where an alarm fires, until the bake is over."""

        def execute(self, context: Any) -> Any:
            retrained: Mapping[str, Any] = context["ti"].xcom_pull(task_ids="retrain") or {}
            if not retrained.get("promotion"):
                raise AirflowSkipException("no other model serves since this run: nothing to watch")
            return self.look(context)

        def look(self, context: Any, event: Any = None) -> Any:  # noqa: ARG002 what the trigger hands over
            outcome = super().execute(context)
            if not outcome.get("done"):
                from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

                self.defer(trigger=TimeDeltaTrigger(_pause(self.deployment)), method_name="look")
            return outcome

    return Watching


def _pause(deployment: Deployment) -> timedelta:
    seconds = min(max(deployment.bake_seconds / _LOOKS, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    return timedelta(seconds=seconds)
