"""Generated files held against reviewed ones."""

import os
from pathlib import Path

GOLDEN = Path(__file__).with_name("golden")


def held_against(name: str, text: str) -> None:
    """Compares with the golden file; ``GOLDEN=write`` writes it for review."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
