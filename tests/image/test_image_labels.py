"""The labels and variables an image gets, and how the classic builder takes them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.image.making import COMMIT, a_bundle

from mlops_config.image.buildx import BuildRequest
from mlops_config.image.classic import _labelled
from mlops_config.image.labels import config_labels, environment_variables, identity_of, provenance_labels
from mlops_config.release.record import ReleaseRecord, SourceRecord, ToolRecord

BUNDLE = a_bundle("prod")


def a_record(version: str | None = "1.2.0", **source: Any) -> ReleaseRecord:
    told = {
        "repository": "acme/fares",
        "commit": COMMIT,
        "ref": None,
        "dirty": False,
        "actor": None,
        "run_url": None,
    }
    return ReleaseRecord(
        project=BUNDLE.project,
        model_name=BUNDLE.model_name,
        environment="prod",
        version=version,
        config_digest=BUNDLE.digest,
        files=(),
        source=SourceRecord(**{**told, **source}),
        created_at=datetime(2026, 4, 1, tzinfo=UTC),
        tool=ToolRecord(version="1.0.0"),
    )


def test_the_labels_name_the_bundle_and_each_of_its_files() -> None:
    labels = config_labels(BUNDLE)
    assert labels.pop("io.mlops-config.config-digest") == BUNDLE.digest
    assert {
        key: labels.pop(f"io.mlops-config.{key}") for key in ("project", "model-name", "environment")
    } == {
        "project": "fares",
        "model-name": "fare",
        "environment": "prod",
    }
    assert labels == {f"io.mlops-config.{file.kind}.sha256": file.sha256 for file in BUNDLE.files}


def test_the_variables_lead_to_the_configs() -> None:
    assert environment_variables(BUNDLE) == {
        "ACTIVE_CONFIG": "/app/configs/prod_training_config.yaml",
        "MLOPS_ENVIRONMENT": "prod",
        "MLOPS_CONFIG_DIR": "/app/configs",
        "MLOPS_CONFIG_DIGEST": BUNDLE.digest,
    }


def test_provenance_is_the_commits_and_not_the_clocks() -> None:
    commit_time = datetime(2026, 4, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    run_url = "https://ghe.example.com/acme/fares/actions/runs/7"
    labels = provenance_labels(a_record(run_url=run_url), commit_time=commit_time)
    assert labels == {
        "org.opencontainers.image.title": "fares fare (prod)",
        "org.opencontainers.image.source": "https://ghe.example.com/acme/fares",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.version": "1.2.0",
        "org.opencontainers.image.created": "2026-04-01T12:00:00Z",
    }


def test_what_is_not_known_gets_no_label() -> None:
    labels = provenance_labels(a_record(version=None, repository=None, commit=None))
    assert set(labels) == {"org.opencontainers.image.title"}


def test_without_a_version_the_commit_is_the_version() -> None:
    assert provenance_labels(a_record(version=None))["org.opencontainers.image.version"] == COMMIT


def test_a_dirty_work_tree_is_marked() -> None:
    assert provenance_labels(a_record(dirty=True))["io.mlops-config.dirty"] == "true"
    assert "io.mlops-config.dirty" not in provenance_labels(a_record())


def test_labels_of_other_people_are_no_part_of_an_images_identity() -> None:
    labels = {"org.opencontainers.image.revision": "a", "io.mlops-config.environment": "prod", "team": "x"}
    assert set(identity_of(labels)) == {"org.opencontainers.image.revision", "io.mlops-config.environment"}


def test_the_classic_builder_gets_plain_labels_in_one_instruction_and_tricky_ones_apart() -> None:
    labels = {
        "b": "sha256:0",
        "a": "two words (x)",
        "quote": 'say "hi"',
        "money": "$HOME",
        "two.lines": "a\nb",
    }
    context, others = _labelled(BuildRequest(BUNDLE, b"FROM scratch", "t:1", {}, labels, None))
    assert others == {key: labels[key] for key in ("quote", "money", "two.lines")}
    assert b'FROM scratch\nLABEL a="two words (x)" b="sha256:0"\n' in context


@pytest.mark.parametrize("value", ["a\\b", "a'b", "a`b", "ü", "a\tb", "{x}", "a#b", "a;b"])
def test_a_value_a_dockerfile_might_read_otherwise_never_gets_into_it(value: str) -> None:
    context, others = _labelled(BuildRequest(BUNDLE, b"FROM scratch\n", "t:1", {}, {"key": value}, None))
    assert others == {"key": value}
    assert b"LABEL" not in context
