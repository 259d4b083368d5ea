"""Python for jobs: looks up the secrets that MLOPS_LOOKED_UP names, then becomes the interpreter itself.

A secret is read when a job starts, so a new value needs no restart; it is in that job's environment alone.
One that was not filled yet is left out: the job that needs it says which variable is missing.
"""

import json
import os
import sys


def look_up(wanted: dict[str, str]) -> dict[str, str]:
    """The variables with the values of their secrets."""
    import boto3

    client = boto3.client("secretsmanager")
    found = {}
    for variable, name in wanted.items():
        try:
            found[variable] = client.get_secret_value(SecretId=name)["SecretString"]
        except client.exceptions.ResourceNotFoundException:
            sys.stderr.write(f"the secret {name} has no value yet: {variable} is not set\n")
    return found


if __name__ == "__main__":
    wanted = json.loads(os.environ.pop("MLOPS_LOOKED_UP", "{}"))
    missing = {variable: name for variable, name in wanted.items() if variable not in os.environ}
    environment = {**os.environ, **(look_up(missing) if missing else {})}
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], environment)  # noqa: S606 our own interpreter
