"""Writes ``schemas/report.schema.json``, the JSON Schema of monitoring reports; ``--check`` only compares."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops_config.contract.models.schema import BASE_URI, DIALECT
from mlops_config.runtime.monitoring.report import MonitoringReport, PerformanceRecord

FILE = Path(__file__).resolve().parent.parent / "schemas" / "report.schema.json"


def schema() -> str:
    """The file's content: a report, and under ``$defs`` the record of a performance judged later."""
    body = MonitoringReport.model_json_schema(mode="serialization")
    later = PerformanceRecord.model_json_schema(mode="serialization")
    definitions = {**body.pop("$defs"), **later.pop("$defs"), "PerformanceRecord": later}
    document = {
        "$schema": DIALECT,
        "$id": f"{BASE_URI}/{FILE.name}",
        **body,
        "title": "Monitoring report, version 1",
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or compares the file; 1 where it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args(arguments).check:
        FILE.write_text(schema(), encoding="utf-8", newline="\n")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == schema():
        return 0
    print(f"{FILE.name} is out of date: run python tools/generate_report_schema.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
