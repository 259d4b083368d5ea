"""Waits for a cloud's endpoint without a worker: the task lets go of its slot, Airflow's triggerer looks.

``promote`` on SageMaker and Vertex AI starts what can be started and says ``updating``; once the endpoint has
come to rest the task runs it again, and it finds what is done. Credentials are the environment variables of
the surroundings, and one triggerer looks after every environment: so each look is a process of its own.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async  # type: ignore[import-not-found]  # Airflow brings it

from mlops_config.airflow.operators.work import MOVING
from mlops_config.airflow.surroundings import Surroundings, surroundings_of

POLL_SECONDS = 30.0
_TRIES = 10
"""Looks that may fail in a row."""
_LOOK_SECONDS = 120.0


def wait_for_endpoint(task: Any, outcome: Mapping[str, Any]) -> None:
    """Lets go of the worker until the endpoint that the outcome names has come to rest.

    Raises:
        TaskDeferred: always; Airflow goes on with the task's ``waited``.
    """
    trigger = EndpointTrigger(
        environment=task.deployment.environment,
        endpoint=str(outcome.get("endpoint")),
        deployer=outcome.get("deployer"),
    )
    task.log.info("%s is %s: waiting without a worker", outcome.get("endpoint"), outcome["state"])
    seconds = task.deployment.jobs[task.job].timeout_seconds
    task.defer(trigger=trigger, method_name="waited", timeout=timedelta(seconds=seconds) if seconds else None)


class EndpointTrigger(BaseTrigger):  # type: ignore[misc]  # Airflow has no types here
    """Fires when an endpoint has come to rest, well or not."""

    def __init__(
        self,
        environment: str,
        endpoint: str,
        deployer: Mapping[str, Any] | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """``deployer`` as the inference file has it, without secrets; ``None``: fires after ``poll_seconds``,
        and the job itself looks.
        """
        super().__init__()
        self.environment = environment
        self.endpoint = endpoint
        self.deployer = dict(deployer) if deployer else None
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What Airflow keeps of it in its database."""
        return (
            "mlops_config.airflow.waiting.EndpointTrigger",
            {
                "environment": self.environment,
                "endpoint": self.endpoint,
                "deployer": self.deployer,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks every ``poll_seconds``; one event, with the endpoint's name and its state."""
        failed = 0
        while True:
            await asyncio.sleep(self.poll_seconds)
            if self.deployer is None:
                break
            state, sentence = await self._look()
            failed = failed + 1 if state is None else 0
            if state is None:
                self.log.warning("%s could not be asked for: %s", self.endpoint, sentence)
            if failed == _TRIES or (state is not None and state not in MOVING):
                # After so many tries the job shall say what is wrong.
                yield TriggerEvent({"endpoint": self.endpoint, "state": state or "unknown"})
                return
        yield TriggerEvent({"endpoint": self.endpoint, "state": "unknown"})

    async def _look(self) -> tuple[str | None, str]:
        """The endpoint's state, or ``None`` and why there is no answer."""
        surroundings = await sync_to_async(surroundings_of)(self.environment)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mlops_config.airflow.operators.endpoint_state",
            json.dumps({"endpoint": self.endpoint, "deployer": self.deployer}),
            env=environment_of(surroundings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), _LOOK_SECONDS)
        except TimeoutError:
            return None, f"no answer after {_LOOK_SECONDS:.0f} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            return None, errors.decode(errors="replace").strip()[-500:]
        return str(json.loads(output)["state"]), ""


def environment_of(surroundings: Surroundings) -> dict[str, str]:
    """A process's environment: what every program needs, and what the surroundings say; no more."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
    return {**{name: os.environ[name] for name in kept if name in os.environ}, **surroundings.variables}
