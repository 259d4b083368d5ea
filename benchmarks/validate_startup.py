"""How long `mlops-config validate configs` takes as a whole process, against its own floor and its peers.

The goal: at most 1.5 times what Python needs to start and import yaml and pydantic.
"""

from pathlib import Path

import peers
from timing import table, time_processes

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "`python -c 'import yaml, pydantic'`"
KINDS = ("training", "inference", "monitoring", "retrain")


def files_of(kind: str) -> list[str]:
    """The example files of one kind, in every environment."""
    found = sorted((ROOT / "configs").glob(f"*/*{kind}_config.yaml"))
    return [str(path.relative_to(ROOT)) for path in found]


def measure(rounds: int = 21) -> str:
    """The Markdown section with the table."""
    ours = ROOT / ".venv" / "bin"
    theirs = peers.environment() / "bin"
    # One schema to a call is what its command line takes, so a folder of four kinds needs four.
    check_jsonschema = [
        [str(theirs / "check-jsonschema"), "--schemafile", f"schemas/{kind}.schema.json", *files_of(kind)]
        for kind in KINDS
    ]
    commands = {
        BASELINE: [[str(ours / "python"), "-c", "import yaml, pydantic"]],
        "`python -c 'from pydantic import BaseModel; import yaml'`": [
            [str(ours / "python"), "-c", "from pydantic import BaseModel; import yaml"]
        ],
        "**`mlops-config validate configs`**": [[str(ours / "mlops-config"), "validate", "configs"]],
        "check-jsonschema, one call for each kind": check_jsonschema,
        "check-jsonschema, one of these calls (3 files)": check_jsonschema[:1],
        "yamllint (no schema)": [[str(theirs / "yamllint"), "-d", "relaxed", "--no-warnings", "configs"]],
    }
    timings = time_processes(commands, rounds=rounds, cwd=ROOT)
    count = sum(len(files_of(kind)) for kind in KINDS)
    return (
        f"## Start to end on the {count} example files\n\n"
        "Whole processes, as a person or a hook starts them. The goal is at most 1.5 times the baseline. "
        "The peers check less: no rule across files, no place in the file for what a schema finds.\n\n"
        f"{table(timings, baseline=BASELINE)}\n\nMedian of {rounds} rounds in turns.\n"
    )


if __name__ == "__main__":
    print(measure())
