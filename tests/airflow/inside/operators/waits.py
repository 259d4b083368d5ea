"""Waits for the endpoint ``fares-dev`` at the SageMaker of the environment; prints what came of it."""

import asyncio
import json
import sys

from mlops_config.airflow.waiting import EndpointTrigger
from tests.airflow.inside.operators.test_waiting import DEPLOYER


async def wait() -> None:
    """Prints the events, and the looks it took."""
    states = []
    look = EndpointTrigger._look

    async def counted(trigger: EndpointTrigger) -> tuple[str | None, str]:
        states.append(await look(trigger))
        return states[-1]

    EndpointTrigger._look = counted  # type: ignore[method-assign]  # it still looks
    trigger = EndpointTrigger("dev", "fares-dev", DEPLOYER, poll_seconds=0.0)
    events = [event.payload async for event in trigger.run()]
    sys.stdout.write(json.dumps({"events": events, "states": states}) + "\n")


if __name__ == "__main__":
    asyncio.run(wait())
