"""Prints an endpoint's state: a process of its own, started with one environment's credentials.

``python -m mlops_config.airflow.operators.endpoint_state '{"endpoint": …, "deployer": {…}}'``; needs boto3
for SageMaker and google-auth for Vertex AI, and nothing of Airflow.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlops_config.errors import MlopsConfigError


def main(arguments: Sequence[str]) -> int:
    """Asks the provider once; its exit code."""
    from pydantic import TypeAdapter

    from mlops_config.contract.models.inference import Deployer
    from mlops_config.deploy import open_deployer

    request = json.loads(arguments[0])
    deployer: Any = TypeAdapter(Deployer).validate_python(request["deployer"])
    # All that a deployer needs of the inference file, to look.
    inference: Any = SimpleNamespace(deployer=deployer)
    try:
        status = open_deployer(inference, root=Path()).status(request["endpoint"])
    except MlopsConfigError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    sys.stdout.write(json.dumps({"state": status.state.value if status else "missing"}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
