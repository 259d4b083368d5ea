"""Where the ledger is kept: the one answer for jobs, log and trace."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_config.settings import Settings
    from mlops_config.store.interface import Store

STORE_VARIABLE = "MLOPS_STORE"


def ledger_store(asked: str | None, root: Path, settings: "Settings") -> "Store":
    """The store that is asked for, else ``MLOPS_STORE``'s, else the first of those that releases go to."""
    from mlops_config.pipeline import OUTPUT_NAME, STORE_NAME
    from mlops_config.store import open_store

    local = (root / OUTPUT_NAME / STORE_NAME).resolve().as_uri()
    return open_store(asked or os.environ.get(STORE_VARIABLE) or next(iter(settings.stores), local))
