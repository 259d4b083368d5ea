"""Environments to make rules of: the example's, and the example's with values changed."""

from functools import cache
from pathlib import Path
from typing import Any

from mlops_config.alerting.generating import Generated, generate
from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.validation import EnvironmentConfigs, validate
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind
from mlops_config.settings import Settings
from tests.contract.documents import ENVIRONMENTS, ROOT, changed

Change = tuple[Kind, ConfigPath, Any]


@cache
def example(environment: str) -> EnvironmentConfigs:
    """An environment of the example project."""
    validation = validate(ROOT, Settings(), ENVIRONMENTS)
    assert not validation.findings
    return validation.environment(environment)


def with_changes(environment: str, *changes: Change) -> EnvironmentConfigs:
    """An environment of the example with each value put at its path; origins stay the example's."""
    configs = example(environment)
    files = dict(configs.files)
    for kind, path, value in changes:
        file = files[kind]
        data = changed(file.document.data, path, value)
        model = MODELS[kind].model_validate(data)
        files[kind] = file._replace(model=model, document=file.document._replace(data=data))
    return configs._replace(files=files)


def with_alerts(environment: str, *alerts: dict[str, Any]) -> EnvironmentConfigs:
    """With these alerts and no others."""
    return with_changes(environment, (Kind.MONITORING, ("alerts",), list(alerts)))


def write(folder: Path, generated: Generated) -> list[Path]:
    """Writes the files; those that are promtool tests."""
    for name, text in generated.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return promtool_tests(folder)


def promtool_tests(folder: Path) -> list[Path]:
    """The promtool tests in a folder."""
    return sorted([*folder.glob("*_test.yaml"), *folder.glob("*_test.json")])


@cache
def generated(environment: str) -> Generated:
    """The example's files, made once."""
    return generate(example(environment))
