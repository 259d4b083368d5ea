"""``python -m mlops_config`` is the ``mlops-config`` command."""

import sys

from mlops_config.cli import main

sys.exit(main())
