"""The example on Google Cloud: valid, and the example itself but for where things are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_config.contract.validation import validate
from mlops_config.settings import load_settings

ROOT = Path(__file__).parents[2]
HERE = ROOT / "examples" / "gcp"
FILES = sorted(path.relative_to(HERE) for path in HERE.glob("configs/*/*.yaml"))
PLACES = re.compile(
    r"inference\.deployer\..*|.*instance_type|.*(uri|_uri)|training\.compute\.(target|volume_size_gib)"
    r"|inference\.batch\.format|training\.data\.source\.format|monitoring\.metrics\.transport"
)
"""What may differ: clouds, machines, addresses, how what lies there is written, and how metrics get away."""


def leaves(data: Any, path: str) -> dict[str, Any]:
    """Every single value by its place."""
    if isinstance(data, dict):
        return {
            key: value for name, each in data.items() for key, value in leaves(each, f"{path}.{name}").items()
        }
    if isinstance(data, list):
        return {
            key: value for at, each in enumerate(data) for key, value in leaves(each, f"{path}[{at}]").items()
        }
    return {path: data}


def values(path: Path) -> dict[str, Any]:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return leaves(data, str(data["kind"]))


def test_it_is_valid() -> None:
    settings = load_settings(ROOT, HERE / "mlops-config.yaml")
    validation = validate(ROOT, settings, settings.environments)
    assert not validation.findings
    for environment in settings.environments:
        deployer = validation.environment(environment).inference.deployer
        assert deployer.target == "gcp"
        assert (deployer.project, deployer.location) == (f"acme-ml-{environment}", "europe-west4")


def test_it_has_the_files_of_the_example() -> None:
    assert sorted(path.relative_to(ROOT) for path in ROOT.glob("configs/*/*.yaml")) == FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_it_differs_in_places_only(path: Path) -> None:
    ours, example = values(HERE / path), values(ROOT / path)
    changed = {key for key in ours.keys() | example.keys() if ours.get(key) != example.get(key)}
    assert [key for key in sorted(changed) if not PLACES.fullmatch(key)] == []


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_of_another_cloud_or_of_a_disk_is_left(path: Path) -> None:
    text = (HERE / path).read_text(encoding="utf-8")
    assert not re.search(r"s3://|file://|\baws\b|\bml\.|sagemaker", text)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_editors_find_the_schema(path: Path) -> None:
    modeline = re.match(r"# yaml-language-server: \$schema=(\S+)", (HERE / path).read_text(encoding="utf-8"))
    assert modeline is not None
    assert ((HERE / path).parent / modeline[1]).resolve().is_file()
