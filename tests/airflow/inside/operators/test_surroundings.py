"""The Connection or Variable of an environment: what it may say, and the wall it is."""

import json
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from mlops_config.airflow import surroundings as module
from mlops_config.airflow.surroundings import Surroundings, masked, secrets_in, surroundings_of
from tests.airflow.inside.operators.running import connection


def test_a_connection_says_where_jobs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, tmp_path, variables={"MLOPS_STORE": "s3://mlops"}, root="/srv")
    found = surroundings_of("dev")
    assert found.variables == {"MLOPS_STORE": "s3://mlops"}
    assert (found.entrypoints, found.root) == (str(tmp_path), "/srv")


def test_without_a_connection_a_variable_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_MLOPS_DEV_EU", json.dumps({"environment": "dev-eu"}))
    assert surroundings_of("dev-eu") == Surroundings("dev-eu")


def test_without_either_the_sentence_has_the_command_that_helps() -> None:
    with pytest.raises(AirflowFailException, match="airflow connections add mlops_dev --conn-type generic"):
        surroundings_of("dev")


def test_another_environments_connection_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, tmp_path, environment="prod")
    monkeypatch.setenv(
        "AIRFLOW_CONN_MLOPS_DEV", json.dumps({"conn_type": "generic", "extra": {"environment": "prod"}})
    )
    with pytest.raises(AirflowFailException, match="'prod', and this task belongs to dev: nothing was run"):
        surroundings_of("dev")


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"environment": "dev", "variabels": {}}, "it has variabels; known are environment, variables"),
        ({"environment": "dev", "variables": {"N": 3}}, "the variable N is no text: quote it"),
        ({"environment": "dev", "variables": "A=b"}, "cannot be read"),
        ({"variables": {}}, "environment"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    extra: object, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_MLOPS_DEV", json.dumps(extra))
    with pytest.raises(AirflowFailException, match=sentence):
        surroundings_of("dev")


def test_a_broken_variable_is_not_quoted_in_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_MLOPS_DEV", '{"variables": {"MLOPS_SECRET_X": "hunter22"')
    with pytest.raises(AirflowFailException) as caught:
        surroundings_of("dev")
    assert "hunter22" not in str(caught.value)


def test_secrets_are_known_by_name_and_in_addresses() -> None:
    variables = {
        "MLOPS_SECRET_X": "first\nsecond",
        "AWS_SECRET_ACCESS_KEY": "third",
        "MLFLOW_TRACKING_PASSWORD": "fourth",
        "MLFLOW_TRACKING_URI": "https://ada:fifth@mlflow.example",
        "AWS_REGION": "eu-central-1",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token",
        "GOOGLE_APPLICATION_CREDENTIALS": "/run/key.json",
        "BROKEN": "http://[",
    }
    assert set(secrets_in(variables)) == {"first\nsecond", "first", "second", "third", "fourth", "fifth"}
    assert masked("a third and a fifth", secrets_in(variables)) == "a *** and a ***"


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    secrets = secrets_in({"A_TOKEN": "abc", "B_TOKEN": "abcdef"})
    assert masked("abcdef abc", secrets) == "*** ***"


def test_airflow_masks_what_is_secret_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "mask_secret", told.append)
    connection(monkeypatch, tmp_path, variables={"MLOPS_SECRET_X": "hunter22", "AWS_REGION": "eu-central-1"})
    surroundings_of("dev")
    assert told == ["hunter22"]
