"""Writes ``schemas/<kind>.schema.json`` from the models; ``--check`` only compares."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_config.contract.models.schema import json_schema
from mlops_config.kinds import Kind

ROOT = Path(__file__).resolve().parent.parent


def schemas() -> dict[Path, str]:
    """Every schema file's content, by its path."""
    return {
        ROOT / "schemas" / f"{kind}.schema.json": json.dumps(json_schema(kind), indent=2, ensure_ascii=False)
        + "\n"
        for kind in Kind
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or compares the files; 1 where one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args(arguments).check:
        for path, content in schemas().items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        return 0
    stale = [
        path
        for path, content in schemas().items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    for path in stale:
        print(
            f"{path.relative_to(ROOT)} is out of date: run python tools/generate_schemas.py", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
