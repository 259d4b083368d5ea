"""Verifying an image wherever it lies, and reading the bundle out of it."""

import io
from pathlib import Path

import docker
import pytest
from tests.image.making import COMMIT, a_bundle, a_spec, ignore, own_bundle, tar_of
from tests.services.registry import Registry

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.image.engine import EngineBuilder
from mlops_config.image.labels import environment_variables
from mlops_config.image.layout import LayoutBuilder
from mlops_config.image.verify import Verified, verify_image


def verify(image: str, **options: object) -> Verified:
    return verify_image(image, progress=ignore, **options)  # type: ignore[arg-type] # passed on as they are


@pytest.mark.parametrize("name", ["{folder}", "oci:{folder}", "{folder}:{tag}", "oci:{folder}:{tag}"])
def test_a_layout_is_verified_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    bundle = a_bundle("staging")
    record = LayoutBuilder(tmp_path / "image").build(a_spec(bundle), ignore)
    found = verify(name.format(folder=tmp_path / "image", tag=COMMIT))
    assert found.bundle == bundle
    assert (found.image.digest, found.image.config_digest) == (record.digest, record.config_digest)


def test_an_image_in_the_engine_is_verified(classic: EngineBuilder, image_name: str) -> None:
    bundle = own_bundle()
    classic.build(a_spec(bundle, image_name), ignore)
    assert verify(f"{image_name}:{COMMIT}").bundle == bundle
    assert verify(f"{image_name}:{COMMIT}", bundle=bundle).bundle == bundle


def test_an_image_in_a_registry_is_verified_without_an_engine(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    bundle = own_bundle()
    builder = LayoutBuilder(tmp_path / "image")
    repository = f"{registry.host}/{bundle.project}"
    record = builder.push(builder.build(a_spec(bundle, repository), ignore), ignore)
    for name in (f"{repository}:{COMMIT}", f"{repository}@{record.digest}"):
        assert verify(name).bundle == bundle
    with pytest.raises(IntegrityError, match="there is no image"):
        verify(f"{repository}:other")


def test_another_bundle_than_expected_is_found_out(tmp_path: Path) -> None:
    LayoutBuilder(tmp_path / "image").build(a_spec(a_bundle()), ignore)
    with pytest.raises(IntegrityError, match=r"_config\.yaml in .* is not the bundle's"):
        verify(str(tmp_path / "image"), bundle=a_bundle("prod", "other"))


def test_an_image_whose_files_are_right_but_whose_labels_are_missing_is_refused(
    engine: docker.DockerClient, image_name: str
) -> None:
    bundle = own_bundle()
    files = {f"app/configs/{name}": data for name, data in bundle.contents().items()}
    lines = ["FROM scratch", "ADD files.tar /"]
    lines += [f"ENV {name}={value}" for name, value in environment_variables(bundle).items()]
    context = io.BytesIO(tar_of({"Dockerfile": "\n".join(lines).encode(), "files.tar": tar_of(files)}))
    engine.images.build(fileobj=context, custom_context=True, rm=True, tag=f"{image_name}:1")
    with pytest.raises(IntegrityError, match=r"the label io\.mlops-config\.\S+ of .* is missing"):
        verify(f"{image_name}:1")


def test_an_image_without_configurations_is_refused(busybox: str) -> None:
    with pytest.raises(IntegrityError, match=r"holds no manifest\.json"):
        verify(busybox)


def test_a_name_that_is_none_is_a_mistake_of_usage(classic: EngineBuilder) -> None:
    assert classic.engine.platform
    with pytest.raises(UsageError, match="is not a reference"):
        verify("Fares:1")
