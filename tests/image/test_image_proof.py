"""An image passes only if it holds exactly one environment's bundle and says so."""

import dataclasses

import pytest
from tests.image.making import a_bundle, an_image, config_entries

from mlops_config.bundle.bundle import MANIFEST_NAME
from mlops_config.errors import IntegrityError
from mlops_config.image.opened import OpenedImage, prove, read_bundle

BUNDLE = a_bundle("prod")
CONFIGS = config_entries(BUNDLE)
RETRAIN = "app/configs/prod_retrain_config.yaml"


def refusal(image: OpenedImage) -> str:
    with pytest.raises(IntegrityError) as caught:
        prove(image, BUNDLE)
    return caught.value.message


def test_an_image_with_exactly_the_bundle_passes() -> None:
    prove(an_image(BUNDLE, {"bin/sh": b"x"}, CONFIGS), BUNDLE)


def test_the_bundle_is_read_back_out_of_the_image() -> None:
    assert read_bundle(an_image(BUNDLE, CONFIGS)) == BUNDLE


def test_an_image_without_a_bundle_has_none_to_read() -> None:
    with pytest.raises(IntegrityError, match=r"holds no manifest\.json"):
        read_bundle(an_image(BUNDLE, {"bin/sh": b"x"}))


def test_a_changed_byte_names_the_file_and_both_digests() -> None:
    message = refusal(an_image(BUNDLE, {**CONFIGS, RETRAIN: b"kind: retrain?\n"}))
    assert f"/{RETRAIN} in the image is not the bundle's" in message
    assert message.count("sha256:") == 2


def test_a_changed_manifest_is_found_when_the_files_are_right() -> None:
    message = refusal(an_image(BUNDLE, {**CONFIGS, f"app/configs/{MANIFEST_NAME}": b"{}"}))
    assert "/app/configs/manifest.json in the image is not the bundle's" in message


def test_a_missing_file_is_named() -> None:
    entries = {name: data for name, data in CONFIGS.items() if name != RETRAIN}
    assert refusal(an_image(BUNDLE, entries)) == f"the image lacks /{RETRAIN}"


def test_a_file_deleted_by_a_higher_layer_is_missing() -> None:
    image = an_image(BUNDLE, CONFIGS, {"app/configs/.wh.prod_retrain_config.yaml": b""})
    assert refusal(image) == f"the image lacks /{RETRAIN}"


def test_an_extra_file_at_the_configs_is_named() -> None:
    assert "/app/configs/notes.txt, which is not part" in refusal(
        an_image(BUNDLE, {**CONFIGS, "app/configs/notes.txt": b"x"})
    )


@pytest.mark.parametrize(
    "path",
    [
        "app/configs/dev_training_config.yaml",
        "app/configs/sandbox_training_config.yaml",
        "app/configs/old/dev_training_config.yml",
        "srv/repository/configs/dev/training_config.yaml",
        "srv/repository/configs/dev/dev_training_config.yaml",
        "tmp/staging_inference_config.yaml",
    ],
)
def test_another_environments_file_is_found_anywhere(path: str) -> None:
    message = refusal(an_image(BUNDLE, {path: b"x"}, CONFIGS))
    assert f"the image is for prod, but its layer 1 of 2 holds /{path}" in message


def test_another_environments_file_counts_even_when_a_higher_layer_hides_it() -> None:
    lower = {"app/configs/dev_training_config.yaml": b"x"}
    message = refusal(an_image(BUNDLE, lower, {"app/configs/.wh..wh..opq": b"", **CONFIGS}))
    assert "layer 1 of 2 holds /app/configs/dev_training_config.yaml of dev" in message
    assert "hidden by a layer above" in message


def test_a_whiteout_of_another_environments_file_counts() -> None:
    assert "dev_training_config.yaml" in refusal(
        an_image(BUNDLE, CONFIGS, {"app/configs/.wh.dev_training_config.yaml": b""})
    )


def test_files_of_the_same_environment_and_of_no_environment_may_lie_elsewhere() -> None:
    others = {
        "srv/configs/prod/prod_training_config.yaml": b"x",
        "usr/lib/python3/site-packages/robots/ppo_training_config.yaml": b"x",
        "usr/share/doc/training_config.yaml": b"x",
    }
    prove(an_image(BUNDLE, others, CONFIGS), BUNDLE)


def test_environments_of_other_names_count_when_they_are_named() -> None:
    image = an_image(BUNDLE, {"srv/qa_training_config.yaml": b"x"}, CONFIGS)
    prove(image, BUNDLE)
    with pytest.raises(IntegrityError, match="qa_training_config"):
        prove(image, BUNDLE, environments=("qa", "prod"))


def test_an_older_file_of_the_same_environment_may_lie_below() -> None:
    prove(an_image(BUNDLE, {RETRAIN: b"of the release before\n"}, CONFIGS), BUNDLE)


@pytest.mark.parametrize("link", ["app", "app/configs"])
def test_a_configs_folder_that_is_a_link_is_refused(link: str) -> None:
    assert f"/{link} in the image is a link" in refusal(an_image(BUNDLE, CONFIGS, {link: "/elsewhere"}))


def test_a_configuration_file_that_is_a_link_is_refused() -> None:
    assert f"/{RETRAIN} in the image is a link" in refusal(
        an_image(BUNDLE, {**CONFIGS, RETRAIN: "/etc/passwd"})
    )


@pytest.mark.parametrize(
    "name", ["ACTIVE_CONFIG", "MLOPS_ENVIRONMENT", "MLOPS_CONFIG_DIR", "MLOPS_CONFIG_DIGEST"]
)
def test_a_missing_or_other_environment_variable_is_named(name: str) -> None:
    missing = refusal(an_image(BUNDLE, CONFIGS, variables={name: None}))
    assert f"the environment variable {name} of the image is missing" in missing
    other = refusal(an_image(BUNDLE, CONFIGS, variables={name: "other"}))
    assert f"the environment variable {name} of the image is 'other'; expected" in other


@pytest.mark.parametrize("label", ["config-digest", "environment", "project", "model-name", "retrain.sha256"])
def test_a_missing_or_other_label_is_named(label: str) -> None:
    name = f"io.mlops-config.{label}"
    assert f"the label {name} of the image is missing" in refusal(
        an_image(BUNDLE, CONFIGS, labels={name: None})
    )
    assert f"the label {name} of the image is 'x'" in refusal(an_image(BUNDLE, CONFIGS, labels={name: "x"}))


def test_labels_the_caller_expects_are_compared_too() -> None:
    with pytest.raises(IntegrityError, match=r"org\.opencontainers\.image\.revision"):
        prove(an_image(BUNDLE, CONFIGS), BUNDLE, labels={"org.opencontainers.image.revision": "abc"})


def test_an_image_that_is_not_built_on_its_base_is_refused() -> None:
    image = an_image(BUNDLE, {"bin/sh": b"x"}, CONFIGS)
    prove(image, BUNDLE, base_diff_ids=image.diff_ids[:1])
    with pytest.raises(IntegrityError, match="not built on its base"):
        prove(image, BUNDLE, base_diff_ids=("sha256:" + "0" * 64,))


@pytest.mark.parametrize(
    "config", [{}, {"os": "linux"}, {"rootfs": None}, {"os": "l", "architecture": "a", "rootfs": []}]
)
def test_something_that_is_no_image_configuration_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="not an image configuration"):
        OpenedImage.of("x", "sha256:0", config, [])


def test_layers_the_configuration_does_not_describe_are_refused() -> None:
    image = an_image(BUNDLE, CONFIGS)
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}}
    with pytest.raises(IntegrityError, match="has 1 layers, and its configuration describes 0"):
        OpenedImage.of("x", "sha256:0", config, image.layers)


def test_the_proof_does_not_depend_on_who_opened_the_image() -> None:
    prove(dataclasses.replace(an_image(BUNDLE, CONFIGS), origin="elsewhere", digest="sha256:0"), BUNDLE)
