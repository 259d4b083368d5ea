"""``python -m tests.terraform.golden`` says how plans differ from their files; ``--write`` writes these."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.terraform import golden, standin


def main() -> int:
    """1 where a plan is another than its file has, unless it is to be written; 3 without Terraform."""
    parser = argparse.ArgumentParser(prog="python -m tests.terraform.golden", description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        print("no terraform or tofu on PATH", file=sys.stderr)
        return 3
    differ = False
    with tempfile.TemporaryDirectory(prefix="golden-") as place:
        folder = Path(place).resolve()
        with standin.preloaded(standin.prepare(folder / "standin")) as mirror:
            plans = golden.Plans(folder, Path(program), mirror)
            for name in golden.ROOTS:
                file = golden.FOLDER / f"{name}.json"
                before = json.loads(file.read_text("utf-8")) if file.exists() else {}
                lines = golden.differences(before, plans.of(name))
                print("\n".join([f"{name}: {len(lines) or 'no'} differences", *lines[:100]]))
                differ = differ or bool(lines)
                if write:
                    file.write_text(golden.text_of(plans.of(name)), encoding="utf-8")
    return 1 if differ and not write else 0


if __name__ == "__main__":
    sys.exit(main())
