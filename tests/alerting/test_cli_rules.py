"""``mlops-config rules``: prints, writes and compares what it generates."""

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest
import yaml

from mlops_config.cli import main
from tests.contract.documents import ROOT
from tests.services.prometheus import promtool


def rules(*arguments, root=ROOT):
    """Exit code, standard output and standard error of the verb."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["rules", "--root", str(root), *map(str, arguments)])
    return code, out.getvalue(), err.getvalue()


def test_without_a_folder_the_rules_are_printed(tmp_path):
    code, printed, said = rules("--environment", "prod")

    assert (code, said) == (0, "")
    groups = [group["name"] for group in yaml.safe_load(printed)["groups"]]
    assert groups == ["city-taxi.trip-fare.prod.recording", "city-taxi.trip-fare.prod.alerts"]
    (tmp_path / "rules.yaml").write_text(printed)
    assert promtool("check", "rules", tmp_path / "rules.yaml").returncode == 0


def test_check_finds_what_is_missing_and_what_was_changed(tmp_path):
    output = ("--environment", "dev", "--output", tmp_path)
    assert rules(*output, "--check")[0] == 1
    assert not list(tmp_path.iterdir())

    assert rules(*output)[0] == 0
    assert rules(*output, "--check") == (0, "", "")

    changed = tmp_path / "dev_alerts.rules.yaml"
    changed.write_text(changed.read_text().replace(" > ", " >= "))
    code, _, said = rules(*output, "--check")
    assert code == 1
    assert said.splitlines()[0] == f"{changed} is not what the configuration says"
    assert said.count("is not what") == 1


def test_check_needs_a_folder():
    code, _, said = rules("--environment", "dev", "--check")

    assert code == 2
    assert "add --output DIR" in said


def test_the_watchdog_is_there_only_when_asked_for():
    assert "MlopsWatchdog" not in rules("--environment", "dev")[1]
    assert "MlopsWatchdog" in rules("--environment", "dev", "--watchdog")[1]


@pytest.fixture
def changed_tree(tmp_path):
    """The example's files in a tree of their own, with one text replaced."""

    def make(kind, old, new):
        for environment in ("dev", "staging", "prod"):
            folder = tmp_path / "configs" / environment
            folder.mkdir(parents=True)
            for path in (ROOT / "configs" / environment).glob("*.yaml"):
                text = path.read_text()
                if environment == "dev" and f"_{kind}_" in path.name:
                    assert old in text
                    text = text.replace(old, new)
                (folder / path.name).write_text(text)
        return tmp_path

    return make


def test_a_configuration_with_errors_gives_no_rules(changed_tree):
    code, printed, said = rules("--environment", "dev", root=changed_tree("monitoring", "P1D", "P1Q"))

    assert (code, printed) == (1, "")
    assert "dev_monitoring_config.yaml" in said


def test_a_label_that_is_ours_is_refused(changed_tree):
    root = changed_tree("monitoring", "\nreport:", "\nmetrics: {labels: {severity: high}}\n\nreport:")

    code, _, said = rules("--environment", "dev", root=root)

    assert code == 1
    assert "error[C36] the series have a label severity already" in said


def test_a_label_that_is_ours_makes_no_rules_even_where_the_finding_is_off(changed_tree):
    root = changed_tree("monitoring", "\nreport:", "\nmetrics: {labels: {severity: high}}\n\nreport:")
    (root / "mlops-config.yaml").write_text("severity: {C36: 'off'}\n")

    code, _, said = rules("--environment", "dev", root=root)

    assert code == 2
    assert "metrics.labels of the dev monitoring file sets severity" in said
