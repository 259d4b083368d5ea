"""The build context: made from the bundle's bytes, the same for equal bundles, and nothing else in it."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.image.making import SHIPPED_DOCKERFILE, a_bundle

from mlops_config.errors import UsageError
from mlops_config.image.context import build_arguments, build_context, dockerfile_of

ROOT = Path(__file__).parents[2]
BUNDLE = a_bundle("staging")


def test_the_context_holds_the_dockerfile_and_one_environments_files_and_nothing_else() -> None:
    with tarfile.open(fileobj=io.BytesIO(build_context(BUNDLE, b"FROM scratch\n"))) as archive:
        assert [(member.name, member.mode) for member in archive] == [
            ("Dockerfile", 0o644),
            ("configs", 0o755),
            ("configs/staging", 0o755),
            *((f"configs/staging/{name}", 0o644) for name in sorted(BUNDLE.contents())),
        ]
        assert {(member.uid, member.gid, member.mtime) for member in archive} == {(0, 0, 0)}
        file = archive.extractfile("configs/staging/staging_retrain_config.yaml")
        assert file is not None
        assert file.read() == BUNDLE.contents()["staging_retrain_config.yaml"]


def test_equal_bundles_give_equal_contexts() -> None:
    assert build_context(BUNDLE, b"FROM scratch\n") == build_context(a_bundle("staging"), b"FROM scratch\n")


def test_the_arguments_are_those_the_dockerfile_names() -> None:
    arguments = build_arguments(BUNDLE, "python@sha256:0")
    assert arguments == {
        "BASE_IMAGE": "python@sha256:0",
        "ENVIRONMENT": "staging",
        "CONFIG_DIGEST": BUNDLE.digest,
    }
    lines = SHIPPED_DOCKERFILE.read_text().splitlines()
    named = [line.removeprefix("ARG ").partition("=")[0] for line in lines if line.startswith("ARG ")]
    assert sorted(named) == sorted(arguments)


def test_the_shipped_dockerfile_is_the_one_in_the_checkout() -> None:
    assert dockerfile_of(None) == SHIPPED_DOCKERFILE.read_bytes()


def test_an_installed_package_has_the_dockerfile_too(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build back end is not installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        assert files.read("mlops_config/image/Dockerfile") == SHIPPED_DOCKERFILE.read_bytes()


def test_a_dockerfile_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the Dockerfile .*/own cannot be read: No such file"):
        dockerfile_of(tmp_path / "own")


def test_building_needs_neither_docker_nor_requests_before_it_starts() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, mlops_config.image.engine, mlops_config.image.layout, mlops_config.image.verify;"
            "print(sorted({'docker', 'requests', 'boto3'} & set(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
