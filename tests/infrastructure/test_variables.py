"""What Terraform is told of a release, and that Terraform itself takes it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tools import generate_terraform_variables

from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables
from mlops_config.kinds import Kind
from tests.alerting.environments import example, with_changes
from tests.infrastructure.releases import image, prod, record_of, variables
from tests.services import unavailable


def test_the_release_says_which_one_it_is() -> None:
    found = prod()
    assert found.mlops_config_path == "configs/prod/"
    assert found.release.environment == "prod"
    assert (found.release.name, found.release.version) == ("1.2.0", "1.2.0")
    assert found.release.image == image().by_digest
    assert re.fullmatch("[0-9a-f]{40}", found.release.commit or "")


def test_an_image_that_no_registry_holds_is_null() -> None:
    local = image().model_copy(update={"pushed": False})
    assert variables("prod", image=local).release.image is None
    assert variables("prod", image=None).release.image is None


def test_what_the_files_say_of_places_goes_by_configuration_key() -> None:
    config = prod().config
    assert config.reads == {
        "inference.batch.input_uri": "s3://acme-city-taxi-prod/trips/to-price/",
        "monitoring.performance.labels_uri": "s3://acme-city-taxi-prod/trips/paid-fares/",
        "training.data.source.uri": "s3://acme-city-taxi-prod/trips/curated/",
    }
    assert config.writes["monitoring.report.destination_uri"] == "s3://acme-city-taxi-prod/fares/reports/"
    assert config.retention_days == {
        "inference.data_capture.retention": 90,
        "monitoring.report.retention": 730,
    }
    assert config.secrets == ("chat-fares", "pager-fares", "sagemaker-execution-role-prod")


def test_each_cloud_has_its_own_words_for_where_the_model_serves() -> None:
    aws = prod().config
    assert (aws.target, aws.region, aws.account_id, aws.project_id) == (
        "aws",
        "eu-central-1",
        "444455556666",
        None,
    )
    deployer = {
        "target": "gcp",
        "project": "acme-ml-dev",
        "location": "europe-west4",
        "service_account": "secret://vertex",
    }
    gcp = variables("dev", (Kind.INFERENCE, ("deployer",), deployer)).config
    assert (gcp.target, gcp.region, gcp.account_id, gcp.project_id) == (
        "gcp",
        "europe-west4",
        None,
        "acme-ml-dev",
    )
    local = variables("dev").config
    assert (local.target, local.region, local.account_id, local.project_id) == ("local", None, None, None)


def test_a_part_of_a_day_is_kept_for_the_whole_of_it() -> None:
    found = variables("prod", (Kind.MONITORING, ("report", "retention"), "PT25H"))
    assert found.config.retention_days["monitoring.report.retention"] == 2


def test_an_alert_is_the_one_that_the_rule_files_have() -> None:
    alert = prod().config.alerts["fare-errors"]
    assert alert.expr.endswith("> 0.005")
    assert "fares:request_errors:ratio_rate5m" in alert.expr
    assert "fares:" not in alert.query
    assert (alert.for_, alert.severity) == ("5m", "page")
    assert alert.labels == {
        "environment": "prod",
        "model": "trip-fare",
        "project": "city-taxi",
        "severity": "page",
        "signal": "errors",
        "team": "fares",
    }
    assert alert.description.startswith('The share of failed requests is {{ printf "%.4g" $value }};')
    assert alert.runbook_url == "https://runbooks.example.com/fares/errors"


def test_two_rules_of_one_alert_both_have_a_place() -> None:
    alerts = prod().config.alerts
    assert alerts["fare-monitoring-silent"].name == alerts["fare-monitoring-silent-absent"].name
    assert alerts["fare-monitoring-silent-absent"].expr.startswith("absent(")


def test_another_release_of_the_same_files_changes_no_alert() -> None:
    configs = example("prod")
    commented = dict(configs.files)
    file = commented[Kind.MONITORING]
    commented[Kind.MONITORING] = file._replace(data=b"# a line more\n" + file.data)
    other = configs._replace(files=commented)
    later = ReleaseVariables.of(record_of(other, "1.3.0"), other)
    assert later.release.config_digest != prod().release.config_digest
    assert later.config == prod().config


def test_the_same_release_gives_the_same_bytes() -> None:
    assert variables("prod").to_json() == variables("prod").to_json()
    assert json.loads(prod().to_json()) == prod().document()
    assert ReleaseVariables.model_validate_json(prod().to_json()).document() == prod().document()


def test_every_variable_of_the_configuration_says_which_keys_it_comes_from() -> None:
    found = prod()
    paths = found.sources()
    for name, value in found.document()["config"].items():
        below = [f'config.{name}["{key}"]' for key in value] if isinstance(value, dict) else []
        if name == "alerts":
            below = [f"{path}.{field}" for path in below for field in value[path.split('"')[1]]]
        assert f"config.{name}" in paths or all(path in paths for path in below), name
    assert paths['config.alerts["fare-drift"].expr'] == (
        "monitoring.alerts[5]",
        "monitoring.drift",
        "monitoring.violation_policy",
        "training.schema",
        "monitoring.metrics",
        "monitoring.metadata",
    )
    assert paths["config.secrets"] == (
        "inference.deployer.role",
        "retrain.notifications[0].channel_ref",
        "retrain.notifications[1].channel_ref",
    )


def value_at(document: dict[str, object], path: str) -> object:
    """The value that a variable's path names; ``None`` where there is none."""
    value: object = document
    for quoted, plain in re.findall(r'\["([^"]+)"\]|\.?([A-Za-z_]+)', path):
        value = value.get(quoted or plain) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        (Kind.MONITORING, ("drift", "drift_share_fraction"), 0.2, {'config.alerts["fare-drift"].expr'}),
        (
            Kind.INFERENCE,
            ("service_level", "error_rate_max_fraction"),
            0.004,
            {'config.alerts["fare-errors"].expr', 'config.alerts["fare-errors"].description'},
        ),
        (
            Kind.MONITORING,
            ("performance", "thresholds", "rmse", "threshold"),
            2.9,
            {'config.alerts["fare-rmse"].query'},
        ),
        (Kind.MONITORING, ("alerts", 0, "for"), "PT6M", {'config.alerts["fare-errors"].for'}),
        (Kind.MONITORING, ("alerts", 5, "severity"), "page", {'config.alerts["fare-drift"].severity'}),
        (
            Kind.MONITORING,
            ("schedule", "cron"),
            "30 */3 * * *",
            {'config.alerts["fare-monitoring-silent"].expr'},
        ),
        (Kind.MONITORING, ("metrics", "labels"), {"team": "x"}, {'config.alerts["fare-drift"].labels'}),
        (Kind.MONITORING, ("metrics", "namespace"), "taxi", {"config.namespace"}),
        (
            Kind.MONITORING,
            ("violation_policy",),
            {"evaluation_windows": 3, "violation_windows": 3},
            {'config.alerts["fare-quality"].description'},
        ),
        (Kind.INFERENCE, ("endpoint", "name"), "fares-prod", {"config.endpoint"}),
        (
            Kind.INFERENCE,
            ("data_capture", "retention"),
            "P30D",
            {'config.retention_days["inference.data_capture.retention"]'},
        ),
        (
            Kind.RETRAIN,
            ("triggers", 2, "cron"),
            "0 2 1 1 *",
            {'config.alerts["MlopsRetrainingSilent"].expr'},
        ),
        (
            Kind.INFERENCE,
            ("batch", "schedule", "cron"),
            "0 5 * * MON",
            {'config.alerts["MlopsBatchSilent"].expr'},
        ),
    ],
)
def test_what_a_changed_key_changes_names_that_key(
    kind: Kind, path: tuple[str | int, ...], value: object, expected: set[str]
) -> None:
    configs = with_changes("prod", (kind, path, value))
    after = ReleaseVariables.of(record_of(configs), configs)
    old, new = prod().document(), after.document()
    sources = {**prod().sources(), **after.sources()}
    changed = {where for where in sources if value_at(old, where) != value_at(new, where)}
    assert expected <= changed
    key = kind.value + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    for where in changed:
        assert any(key.startswith(each) or each.startswith(key) for each in sources[where]), where


@pytest.fixture(scope="module")
def root_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root module of prod with the declarations and nothing else, initialised."""
    if shutil.which("terraform") is None:
        unavailable("no terraform on PATH")
    folder = tmp_path_factory.mktemp("root")
    (folder / "release.tf").write_text(generate_terraform_variables.written("prod"), encoding="utf-8")
    (folder / "outputs.tf").write_text(
        'output "all" {\n  value = [var.mlops_config_path, var.release, var.config]\n}\n'
    )
    assert terraform(folder, "init").returncode == 0
    return folder


def terraform(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["terraform", words[0], "-no-color", *words[1:]],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def planned(folder: Path, document: bytes) -> "subprocess.CompletedProcess[str]":
    (folder / FILE_NAME).write_bytes(document)
    return terraform(folder, "plan", "-input=false", "-out=plan")


def test_terraform_takes_the_variables_as_they_are(root_module: Path) -> None:
    awkward = '${var.x} %{if true} " \\ \n über'
    changed = variables("prod", (Kind.MONITORING, ("metrics", "labels"), {"team": awkward}))
    found = planned(root_module, changed.to_json())
    assert found.returncode == 0, found.stderr
    shown = json.loads(terraform(root_module, "show", "-json", "plan").stdout)
    path, release, config = shown["planned_values"]["outputs"]["all"]["value"]
    assert {"mlops_config_path": path, "release": release, "config": config} == changed.document()


@pytest.mark.parametrize(
    ("environment", "edit", "said"),
    [
        ("dev", None, "This is prod: the release must be one of prod."),
        ("prod", ("mlops_config_path", "configs/dev/"), "like configs/prod/"),
        ("prod", ("release", "config_digest", "sha256:0"), "64 hex digits"),
        ("prod", ("release", "commit", "main"), "full commit"),
        ("prod", ("release", "image", "acme/taxi:latest"), "by digest"),
        ("prod", ("config", "target", "azure"), "local, aws or gcp"),
        ("prod", ("config", "alerts", "fare-drift", "severity", "shout"), "page or ticket"),
        ("prod", ("config", "alerts", "fare-drift", "labels", {"environment": "dev"}), "every alert"),
        ("prod", ("config", "retention_days", "x", 0), "a day at least"),
        (
            "prod",
            ("config", "secrets", None),
            "Of config only region, account_id, project_id, endpoint",
        ),
        ("prod", ("release", "environment", None), "Of release only version, commit, image"),
    ],
)
def test_terraform_refuses_what_is_not_a_release_of_the_environment(
    root_module: Path, environment: str, edit: tuple[Any, ...] | None, said: str
) -> None:
    document = variables(environment).document()
    if edit:
        *way, last, value = edit
        place = document
        for step in way:
            place = place[step]
        place[last] = value
    found = planned(root_module, json.dumps(document).encode())
    assert found.returncode == 1, found.stdout
    assert said in " ".join(found.stderr.replace("│", " ").split())


def test_the_declarations_are_formatted_as_terraform_formats_them(root_module: Path) -> None:
    assert terraform(root_module, "fmt", "-check", "-diff", "release.tf").stdout == ""


def test_the_root_modules_have_the_declarations_of_this_version() -> None:
    for path, content in generate_terraform_variables.files().items():
        assert path.read_text(encoding="utf-8") == content, path
