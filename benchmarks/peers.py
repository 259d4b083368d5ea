"""Installs the peers we compare with, from their lock, in a virtual environment of their own."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "bench.txt"


def environment() -> Path:
    """The environment's folder, ``.cache/bench``, made or mended if need be."""
    folder = ROOT / ".cache" / "bench"
    stamp, wanted = folder / ".installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print("bench: installing the peers", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-qq"]
        locked = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
        subprocess.run([*pip, "install", *locked], check=True)
        stamp.write_text(wanted)
    return folder
