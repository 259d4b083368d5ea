"""A small model, and a project that predicts with it."""

from pathlib import Path

import pytest

from mlops_config.runtime.model.storage import write_package
from tests.runtime.inference.scenes import Scene
from tests.runtime.serving.scenes import package


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    write_package(package(), folder)
    return folder


@pytest.fixture
def scene(tmp_path: Path, model_folder: Path) -> Scene:
    return Scene(tmp_path / "project", model_folder)


@pytest.fixture(scope="session")
def whole_files(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> dict[str, bytes]:
    """What is written by a run of the untouched scene that nothing stops."""
    undisturbed = Scene(tmp_path_factory.mktemp("whole") / "project", model_folder)
    undisturbed.run()
    return undisturbed.files()
