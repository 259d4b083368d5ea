"""Images built by a real engine, with the classic builder and with buildx: one interface, same result."""

import io
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest
from tests.image.making import (
    COMMIT,
    ROOT,
    SHIPPED_DOCKERFILE,
    a_spec,
    ignore,
    names,
    output_of,
    own_bundle,
    tar_of,
    traces,
)

from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.image import engine as engine_room
from mlops_config.image.engine import EngineBuilder
from mlops_config.image.labels import config_labels, environment_variables
from mlops_config.image.opened import read_bundle


@pytest.fixture
def build_name(image_name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name builds use while they run, this test's own: other tests build at the same time."""
    monkeypatch.setattr(engine_room, "BUILD_NAME", f"{image_name}-building")
    return f"{image_name}-building"


def dockerfile(folder: Path, *more: str) -> Path:
    """The shipped Dockerfile with more lines at its end."""
    path = folder / "Dockerfile"
    path.write_text(SHIPPED_DOCKERFILE.read_text() + "\n".join(more) + "\n")
    return path


def test_an_image_from_scratch_holds_the_bundle_and_says_so(builder: EngineBuilder, image_name: str) -> None:
    bundle = own_bundle()
    tags = (COMMIT, "1.2.0-prod")
    said: list[str] = []
    record = builder.build(a_spec(bundle, image_name, tags=tags, labels={"team": "pricing"}), said.append)
    assert (record.repository, record.tags, record.base) == (image_name, tags, "scratch")
    assert (record.digest, record.base_digest, record.pushed) == (None, None, False)
    for tag in tags:
        opened = builder.open(f"{image_name}:{tag}", ignore)
        assert opened.config_digest == record.config_digest
        assert read_bundle(opened) == bundle
        assert opened.labels.items() >= {**config_labels(bundle), "team": "pricing"}.items()
        assert opened.variables.items() >= environment_variables(bundle).items()
    assert any("COPY configs/" in line for line in said)
    assert any(line.startswith("opening the image") for line in said)
    assert all(line.strip() == line and line for line in said)


def test_an_image_on_a_base_records_it_is_read_in_a_container_and_is_all_that_is_left(
    builder: EngineBuilder, engine: docker.DockerClient, busybox: str, image_name: str, build_name: str
) -> None:
    bundle = own_bundle("staging")
    record = builder.build(a_spec(bundle, image_name, base=busybox), ignore)
    assert names(engine, image_name) == [f"{image_name}:{COMMIT}"]
    assert names(engine, build_name) == []
    assert engine.images.get(busybox).tags == [busybox]

    assert record.base == busybox
    assert record.base_digest == engine.images.get(busybox).id
    labels = builder.open(f"{image_name}:{COMMIT}", ignore).labels
    assert labels["org.opencontainers.image.base.name"] == busybox
    assert labels["org.opencontainers.image.base.digest"] == record.base_digest

    command = "cat $ACTIVE_CONFIG; ls -l /app/configs; echo $MLOPS_ENVIRONMENT $MLOPS_CONFIG_DIGEST"
    shown = output_of(
        "docker", "run", "--rm", "--network=none", f"{image_name}:{COMMIT}", "sh", "-c", command
    )
    assert f"kind: training\nmetadata: {{project: {bundle.project}, environment: staging}}" in shown
    assert shown.count("-rw-r--r--") == 5
    assert shown.splitlines()[-1] == f"staging {bundle.digest}"


def test_a_base_given_by_image_id_is_used_as_it_is(
    builder: EngineBuilder, engine: docker.DockerClient, busybox: str, image_name: str
) -> None:
    image_id = engine.images.get(busybox).id
    record = builder.build(a_spec(own_bundle(), image_name, base=image_id), ignore)
    assert record.base_digest == image_id


def test_both_builders_make_an_image_of_the_same_layers_and_say_the_same(
    request: pytest.FixtureRequest, busybox: str, image_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = own_bundle()
    opened = []
    for kind, switch in (("buildx", "1"), ("classic", "0")):
        builder: EngineBuilder = request.getfixturevalue(kind)
        monkeypatch.setenv("DOCKER_BUILDKIT", switch)
        builder.build(a_spec(bundle, f"{image_name}-{kind}", base=busybox), ignore)
        opened.append(builder.open(f"{image_name}-{kind}:{COMMIT}", ignore))
    first, second = opened
    assert (first.labels, first.variables, first.platform) == (
        second.labels,
        second.variables,
        second.platform,
    )
    assert read_bundle(first) == read_bundle(second) == bundle


def test_the_same_build_again_is_not_built_again_but_with_another_label_or_base_it_is(
    builder: EngineBuilder, busybox: str, image_name: str
) -> None:
    bundle = own_bundle()
    first = builder.build(a_spec(bundle, image_name, base=busybox), ignore)
    said: list[str] = []
    again = builder.build(a_spec(bundle, image_name, base=busybox, tags=(COMMIT, "1.0.0-prod")), said.append)
    assert again.config_digest == first.config_digest
    assert any("is not built again" in line for line in said)
    assert builder.open(f"{image_name}:1.0.0-prod", ignore).config_digest == first.config_digest
    changes: list[dict[str, Any]] = [
        {"labels": {"org.opencontainers.image.revision": "other"}},
        {"labels": {"io.mlops-config.dirty": "true"}},
        {"base": "scratch"},
    ]
    made = {first.config_digest}
    for change in changes:
        spec = a_spec(bundle, image_name, **{"base": busybox, **change})
        made.add(builder.build(spec, ignore).config_digest)
    assert len(made) == 1 + len(changes)


def test_an_image_under_our_tag_whose_labels_lie_is_built_anew(
    classic: EngineBuilder, engine: docker.DockerClient, image_name: str
) -> None:
    bundle = own_bundle()
    first = classic.build(a_spec(bundle, image_name), ignore)
    file = f"FROM {image_name}:{COMMIT}\nADD evil.tar /\n"
    evil = tar_of({"app/configs/prod_retrain_config.yaml": b"kind: retrain # evil\n"})
    context = io.BytesIO(tar_of({"Dockerfile": file.encode(), "evil.tar": evil}))
    engine.images.build(fileobj=context, custom_context=True, rm=True, tag=f"{image_name}:{COMMIT}")
    said: list[str] = []
    again = classic.build(a_spec(bundle, image_name), said.append)
    assert any("is there but not right" in line and "retrain" in line for line in said)
    assert read_bundle(classic.open(f"{image_name}:{COMMIT}", ignore)) == bundle
    assert again.config_digest != first.config_digest or again == first


def test_a_dockerfile_of_ones_own_gets_the_same_arguments_and_the_same_proof(
    builder: EngineBuilder, busybox: str, image_name: str, tmp_path: Path
) -> None:
    own = dockerfile(tmp_path, "RUN echo ready > /ready", 'LABEL org.example.team="pricing"')
    builder.build(a_spec(own_bundle(), image_name, base=busybox, dockerfile=own), ignore)
    shown = output_of("docker", "run", "--rm", "--network=none", f"{image_name}:{COMMIT}", "cat", "/ready")
    assert shown == "ready\n"
    assert builder.open(f"{image_name}:{COMMIT}", ignore).labels["org.example.team"] == "pricing"


def test_the_shortest_dockerfile_the_page_shows_passes(
    builder: EngineBuilder, busybox: str, image_name: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "image.md").read_text()
    shortest = re.findall(r"```dockerfile\n(ARG.*?)```", page, re.DOTALL)[-1]
    (tmp_path / "Dockerfile").write_text(shortest)
    bundle = own_bundle()
    builder.build(a_spec(bundle, image_name, base=busybox, dockerfile=tmp_path / "Dockerfile"), ignore)
    assert read_bundle(builder.open(f"{image_name}:{COMMIT}", ignore)) == bundle


def test_files_can_be_copied_out_of_an_image_from_scratch(
    classic: EngineBuilder, image_name: str, tmp_path: Path
) -> None:
    bundle = own_bundle()
    classic.build(a_spec(bundle, image_name), ignore)
    container = output_of("docker", "create", f"{image_name}:{COMMIT}", "none").strip()
    try:
        output_of("docker", "cp", f"{container}:/app/configs", str(tmp_path / "out"))
    finally:
        output_of("docker", "rm", container)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == bundle.contents()


TAMPERING = {
    "a changed byte": ("RUN echo >> /app/configs/prod_retrain_config.yaml", "prod_retrain_config.yaml in"),
    "a file of dev, hidden": (
        "RUN echo > /bin/dev_training_config.yaml\nRUN rm /bin/dev_training_config.yaml",
        "/bin/dev_training_config.yaml of dev",
    ),
    "a missing file": ("RUN rm /app/configs/prod_inference_config.yaml", "lacks /app/configs/prod_inference"),
    "a variable too few": ('ENV ACTIVE_CONFIG=""', "ACTIVE_CONFIG"),
    "another base": (
        "FROM scratch\nCOPY --from=0 /app/configs /app/configs",
        "is missing|not built on its base",
    ),
}


# Whatever else may be wrong with an image: test_image_proof.py. Here is what engines do their own way: layers
# that change or delete a file, a variable made empty, stages.
@pytest.mark.parametrize(
    ("builder", "case"),
    [*(("classic", case) for case in TAMPERING), ("buildx", "a changed byte"), ("buildx", "another base")],
    indirect=["builder"],
)
def test_a_dockerfile_that_tampers_is_found_out_and_its_image_is_gone(
    builder: EngineBuilder,
    engine: docker.DockerClient,
    busybox: str,
    image_name: str,
    build_name: str,
    tmp_path: Path,
    case: str,
) -> None:
    lines, message = TAMPERING[case]
    bundle = own_bundle()
    own = dockerfile(tmp_path, lines)
    with pytest.raises(IntegrityError, match=message):
        builder.build(a_spec(bundle, image_name, base=busybox, dockerfile=own), ignore)
    assert names(engine, image_name) == names(engine, build_name) == []
    assert traces(engine, bundle) == []


def test_a_base_that_ships_the_whole_repository_is_found_out(
    classic: EngineBuilder, engine: docker.DockerClient, image_name: str
) -> None:
    leaky = tar_of({"srv/configs/dev/dev_training_config.yaml": b"x", "srv/main.py": b"pass"})
    engine.api.import_image_from_data(leaky, repository=image_name, tag="base")
    with pytest.raises(
        IntegrityError, match=r"layer 1 of 2 holds /srv/configs/dev/dev_training_config\.yaml of dev"
    ):
        classic.build(a_spec(own_bundle(), image_name, base=f"{image_name}:base"), ignore)


def test_a_step_that_fails_shows_the_end_of_the_log_and_leaves_nothing(
    builder: EngineBuilder,
    engine: docker.DockerClient,
    busybox: str,
    image_name: str,
    build_name: str,
    tmp_path: Path,
) -> None:
    bundle = own_bundle()
    own = dockerfile(tmp_path, "RUN echo the oven is cold; cat /no/such/file")
    with pytest.raises(ServiceError) as caught:
        builder.build(a_spec(bundle, image_name, base=busybox, dockerfile=own), ignore)
    assert "the oven is cold" in caught.value.message
    assert names(engine, build_name) == []
    assert traces(engine, bundle) == []


def test_a_full_disk_in_the_build_says_how_to_make_room(
    builder: EngineBuilder, busybox: str, image_name: str, tmp_path: Path
) -> None:
    # The engine gives /dev/shm 64 MB, so this step really runs out of room.
    own = dockerfile(tmp_path, "RUN dd if=/dev/zero of=/dev/shm/full bs=1M count=100")
    with pytest.raises(ServiceError, match="No space left on device") as caught:
        builder.build(a_spec(own_bundle(), image_name, base=busybox, dockerfile=own), ignore)
    assert caught.value.hint
    assert "docker system prune" in caught.value.hint


def test_a_dockerfile_that_is_none_is_refused_by_the_engine(
    builder: EngineBuilder, image_name: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("BAKE a cake\n")
    with pytest.raises(ServiceError, match=r"(?i)unknown instruction.*BAKE"):
        builder.build(a_spec(own_bundle(), image_name, dockerfile=tmp_path / "Dockerfile"), ignore)


def test_a_dockerfile_that_is_not_there_is_a_mistake_of_usage(classic: EngineBuilder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Dockerfile .* cannot be read: No such file"):
        classic.build(a_spec(own_bundle(), dockerfile=tmp_path / "Dockerfile"), ignore)


def test_a_base_that_is_nowhere_is_named_with_what_to_do(classic: EngineBuilder, image_name: str) -> None:
    missing = f"127.0.0.1:1/{image_name}/base:1"
    with pytest.raises(ServiceError, match=f"pulling {missing} failed") as caught:
        classic.build(a_spec(own_bundle(), image_name, base=missing), ignore)
    assert caught.value.hint
    assert "is the name right" in caught.value.hint


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        ("Python:3.12", UsageError, "is not a reference"),
        (f"sha256:{'0' * 64}", ServiceError, "the engine has no image sha256:000"),
    ],
)
def test_a_base_that_cannot_be_is_refused(
    classic: EngineBuilder, base: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        classic.build(a_spec(own_bundle(), base=base), ignore)


def test_a_layout_as_base_is_refused_where_an_engine_answers(classic: EngineBuilder, tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text("{}")
    with pytest.raises(UsageError, match="is an image layout, and a Docker engine answers") as caught:
        classic.build(a_spec(own_bundle(), base=str(tmp_path)), ignore)
    assert caught.value.hint
    assert "docker-daemon:" in caught.value.hint


def test_another_platform_is_built_by_buildx(buildx: EngineBuilder, image_name: str) -> None:
    other = "linux/arm64" if buildx.engine.platform != "linux/arm64" else "linux/amd64"
    buildx.build(a_spec(own_bundle(), image_name, platforms=(other,)), ignore)
    assert buildx.open(f"{image_name}:{COMMIT}", ignore).platform == other


def test_another_platform_needs_buildx(classic: EngineBuilder, image_name: str) -> None:
    with pytest.raises(UsageError, match="linux/s390x needs the docker command with buildx"):
        classic.build(a_spec(own_bundle(), image_name, platforms=("linux/s390x",)), ignore)


def test_the_engines_own_platform_needs_no_buildx(classic: EngineBuilder, image_name: str) -> None:
    spec = a_spec(own_bundle(), image_name, platforms=(classic.engine.platform,))
    assert classic.build(spec, ignore).config_digest


def test_two_platforms_at_once_are_refused(classic: EngineBuilder) -> None:
    with pytest.raises(UsageError, match="one platform at a time"):
        classic.build(a_spec(own_bundle(), platforms=("linux/amd64", "linux/arm64")), ignore)


def test_by_hand_the_dockerfile_needs_an_environment(engine: docker.DockerClient, tmp_path: Path) -> None:
    assert engine.ping()
    for environment in ("dev", "prod"):
        folder = tmp_path / "configs" / environment
        folder.mkdir(parents=True)
        for name, data in own_bundle(environment).contents().items():
            (folder / name).write_bytes(data)
    done = subprocess.run(
        ["docker", "build", "--file", SHIPPED_DOCKERFILE, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    assert done.returncode != 0
    assert "COPY failed" in done.stderr
