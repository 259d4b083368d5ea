"""Runs the package from the folder this file came in: bootstrap.py starts it in the environment it made."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mlops_config.github.action import main

sys.exit(main(sys.argv[1:]))
