"""What is recorded of the libraries' estimators, against the libraries that are installed."""

import json
from importlib import metadata
from pathlib import Path

import pytest
from tools.record_estimators import recorded

from mlops_config.contract.registry import ESTIMATORS

RECORD = json.loads((Path(__file__).parent / "estimator_parameters.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_record_is_what_the_library_says(name: str) -> None:
    """``python tools/record_estimators.py`` writes it anew after an upgrade; then look at what changed."""
    entry = ESTIMATORS[name]
    pytest.importorskip(entry.python_class.partition(".")[0])
    assert recorded(entry) == RECORD["estimators"][name]


def test_the_record_names_the_minor_versions_that_are_installed() -> None:
    for distribution, version in RECORD["versions"].items():
        installed = next(
            (found for each in (distribution, f"{distribution}-cpu") if (found := _version(each))), None
        )
        if installed is None:
            pytest.skip(f"{distribution} is not installed")
        assert installed.split(".")[:2] == version.split(".")[:2], distribution


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
