"""Installs the peers we compare with, from their lock, each set in a virtual environment of its own."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "bench.txt"
C_PARSER = "ruamel-yaml-clib"


def environment(name: str, *, without: str | None = None) -> Path:
    """The bin folder of ``.cache/bench/<name>``, holding the lock's packages but for the one left out."""
    folder = ROOT / ".cache" / "bench" / name
    blocks = re.split(r"(?m)^(?=[a-z0-9])", LOCK.read_text())
    lock = "".join(block for block in blocks if without is None or not block.startswith(f"{without}=="))
    stamp, wanted = folder / ".installed", hashlib.sha256(lock.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"bench: installing the peers ({name})", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        chosen = folder / "requirements.txt"
        chosen.write_text(lock)
        pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-qq"]
        locked = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(chosen)]
        subprocess.run([*pip, "install", *locked], check=True)
        stamp.write_text(wanted)
    return folder / "bin"


def plain() -> Path:
    """The peers as a plain installation leaves them: ruamel.yaml without its C parser."""
    return environment("plain", without=C_PARSER)


def with_c_parser() -> Path:
    """The peers with ruamel.yaml's C parser beside them."""
    return environment("c-parser")
