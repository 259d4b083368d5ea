"""The settings file: defaults without one, and every mistake in one said with its place."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.errors import UsageError
from mlops_config.settings import SETTINGS_NAME, Settings, load_settings


def load(folder: Path, text: str) -> Settings:
    (folder / SETTINGS_NAME).write_text(text)
    return load_settings(folder)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, text)
    return caught.value.message


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_defaults_cost_no_import_of_pydantic() -> None:
    program = (
        "import sys, pathlib, mlops_config.settings as s; s.load_settings(pathlib.Path('/nowhere'));"
        " print('pydantic' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert printed.stdout == "False\n"


def test_a_file_that_was_named_but_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no settings file .*other\.yaml"):
        load_settings(tmp_path, tmp_path / "other.yaml")


def test_all_but_the_first_environment_are_protected() -> None:
    settings = Settings()
    assert [name for name in settings.environments if settings.is_protected(name)] == ["staging", "prod"]


def test_the_file_says_which_environments_are_protected(tmp_path: Path) -> None:
    settings = load(tmp_path, "environments: [a, b]\nprotected: [a]\nrefs: []\n")
    assert (settings.is_protected("a"), settings.is_protected("b")) == (True, False)


def test_a_waiver_is_read_with_its_day(tmp_path: Path) -> None:
    text = "waivers:\n  - {rule: E04, reason: seasonal feature, expires: 2027-03-31, path: drift}\n"
    assert load(tmp_path, text).waivers[0].expires.isoformat() == "2027-03-31"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("http://127.0.0.1:8080", "dags"),
        ("https://airflow.example.com/team-a", "/opt/airflow/dags"),
        ("mwaa://Fares_prod-1", "s3://acme-airflow/dags"),
        (
            "https://0a1b-dot-europe-west1.composer.googleusercontent.com",
            "gs://europe-west1-fares-bucket/dags",
        ),
        ("http://[::1]:8080", "C:\\airflow\\dags"),
    ],
)
def test_airflow_is_found_where_the_file_says(tmp_path: Path, url: str, folder: str) -> None:
    settings = load(tmp_path, f"airflow:\n  url: '{url}'\n  dags_folder: '{folder}'\n")
    assert settings.airflow == (url, folder)


def test_airflows_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    text = refusal(tmp_path, "airflow:\n  url: https://admin:hunter2@airflow.example.com\n")
    assert "2:8: this is no http(s):// address without credentials" in text
    assert "hunter2" not in text


def test_terraform_has_a_root_module_for_each_environment(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "terraform:\n  directory: infra/{environment}/aws\n  program: tofu\n"
        "  backend_config: infra/{environment}.hcl\n  lock_timeout: 90s\n",
    )
    assert settings.terraform == ("infra/{environment}/aws", "tofu", "infra/{environment}.hcl", "90s")


def test_one_environment_needs_no_placeholder_in_its_root_module(tmp_path: Path) -> None:
    settings = load(tmp_path, "environments: [dev]\nrefs: []\nterraform: {directory: infra}\n")
    assert settings.terraform is not None
    assert (settings.terraform.program, settings.terraform.lock_timeout) == (None, "5m")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("terraform: {}\n", "terraform.directory: this key is missing"),
        ("terraform: {directory: infra}\n", "'infra' has no {environment} in it"),
        ("terraform: {directory: '/infra/{environment}'}\n", "is no path in the repository"),
        ("terraform: {directory: '../{environment}'}\n", "is no path in the repository"),
        ("terraform: {directory: '{project}/{environment}'}\n", "is all that is filled in"),
        (
            "terraform: {directory: 'a/{environment}', backend_config: b.hcl}\n",
            "1:59: 'b.hcl' has no {environment} in it",
        ),
        ("terraform: {directory: 'a/{environment}', program: pulumi}\n", "it must be one of terraform, tofu"),
        ("terraform: {directory: 'a/{environment}', lock_timeout: soon}\n", "'soon' is no duration"),
        ("airflow:\n  uri: http://a\n", "2:3: airflow.uri: this key is unknown"),
        ("airflow: {url: airflow.example.com}\n", "1:16: this is no http(s):// address"),
        ("airflow: {url: 'https://a/?token=b'}\n", "this is no http(s):// address"),
        ("airflow: {url: 'mwaa://'}\n", "no mwaa://<name>"),
        ("airflow: {dags_folder: 'oci://ghcr.io/dags'}\n", "1:24: 'oci://ghcr.io/dags' is no folder"),
        ("airflow: {dags_folder: ''}\n", "'' is no folder"),
        ("airflow: {dags_folder: 's3:///dags'}\n", "'s3:///dags' is no folder"),
        ("enviroments: [dev]\n", "1:1: enviroments: this key is unknown"),
        ("image:\n  bse: x\n", "2:3: image.bse: this key is unknown"),
        ("refs:\n  - match: '('\n    environment: dev\n", "is no regular expression"),
        ("refs:\n  - environment: dev\n", "this key is missing"),
        ("environments: [Prod]\n", "1:16: 'Prod' is no environment's name"),
        ("environments: [dev, dev]\n", "none of them twice"),
        ("environments: []\n", "at least one"),
        (
            "severity: {E04: fatal}\n",
            "1:17: severity.E04: it must be one of error, warning, note, off",
        ),
        ("environments: dev\n", "1:15: environments: it must be a list"),
        ("config_dir: 7\n", "1:13: config_dir: it must be text"),
        ("airflow: none\n", "1:10: airflow: it must be a mapping of keys to values"),
        ("waivers:\n  - {rule: E04, reason: no, expires: soon}\n", "expires: it must be a date such as"),
        ("waivers:\n  - {rule: E04, reason: no, expires: 2027-01-01}\n", "too short to tell anyone why"),
        ("config_dir: a\nconfig_dir: b\n", "config_dir"),
        ("contracts: 'os; import x'\n", "is no Python module's name"),
        ("refs:\n  - {match: x, environment: live}\n", "2:29: 'live' is no environment"),
        ("- a\n", "mlops-config.yaml"),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


def test_a_file_of_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / SETTINGS_NAME).open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(UsageError, match="KiB"):
        load_settings(tmp_path)
