"""The locks: every package by hash, one version of each in all sets, nothing our code imports left out."""

import ast
import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
SETS = [
    *("core", "build", "s3", "gcs", "run", "jobs", "loop", "uv", "spark", "test"),
    *("airflow-3.3", "airflow-3.1", "provider", "checkov"),
]
HOLDS = {
    "build": ["core"],
    "s3": ["build"],
    "gcs": ["build"],
    "run": ["s3", "gcs"],
    "jobs": ["s3", "gcs"],
    "loop": ["run", "jobs"],
    "test": ["loop", "uv"],
}
"""What each set holds of the others; spark is built from source, by what the test set installs.

The sets after ``test`` stand alone: their packages and the jobs' do not resolve together.
"""


def locked(name: str) -> dict[str, str]:
    """Package → pinned version, of one set."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", text, re.MULTILINE))


def canonical(requirement: str) -> str:
    """The normalized project name at the start of a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@pytest.mark.parametrize("name", SETS)
def test_every_package_of_a_lock_is_pinned_and_hashed(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert lines
    pinned = re.compile(r"[a-z0-9][a-z0-9._-]*==[^ ]+( ; .*?)?( +--hash=sha256:[0-9a-f]{64})+ *")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("smaller", "larger"), [(smaller, larger) for larger, all_of in HOLDS.items() for smaller in all_of]
)
def test_a_larger_set_holds_the_smaller_one_at_the_same_versions(smaller: str, larger: str) -> None:
    assert locked(smaller).items() <= locked(larger).items()


def test_what_the_project_declares_is_what_the_sets_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = {canonical(requirement) for requirement in project["project"]["dependencies"]}
    assert declared <= locked("build").keys()
    for extra, requirements in project["project"]["optional-dependencies"].items():
        names = {"s3": "run", "gcs": "run", "terraform": "run", "spark": "spark"}
        name = "airflow-3.3" if extra.startswith("airflow") else names.get(extra, "jobs")
        assert {canonical(requirement) for requirement in requirements} <= locked(name).keys(), extra
    for group in ("test", "lint"):
        missing = {canonical(r) for r in project["dependency-groups"][group]} - locked("test").keys()
        assert missing == set(), "run `make lock`"


def test_no_set_installs_what_the_smallest_stage_does_not_need() -> None:
    assert {"docker", "boto3", "requests"} & locked("core").keys() == set()
    assert "boto3" not in locked("build")
    assert {"mlflow", "pandas", "numpy"} & locked("run").keys() == set()


DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "airflow": "apache-airflow-core",
    "asgiref": "apache-airflow-core",  # its own dependency
    "croniter": "apache-airflow-core",  # its own dependency
    "kubernetes": "apache-airflow-providers-cncf-kubernetes",  # its own dependency
    "botocore": "boto3",
    "google": "google-auth",  # of a namespace that other distributions share
    "ibis": "ibis-framework",
    "sklearn": "scikit-learn",
    "threadpoolctl": "scikit-learn",  # its own dependency
    "xgboost": "xgboost-cpu",
    "mypy_boto3_s3": "boto3",  # types only
    "pydantic_core": "pydantic",
    "urllib3": "requests",
}
"""Modules that are not called what the declared distribution is that brings them."""


def imported(path: Path, *, at_start: bool = False) -> set[str]:
    """Names of the top-level modules outside the standard library that a file imports.

    With ``at_start`` only those that loading the file imports, not those inside functions.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


def test_the_package_imports_only_what_it_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    declared = {canonical(requirement) for requirement in [*project["dependencies"], *extras]}
    for path in sorted((ROOT / "src").rglob("*.py")):
        used = {canonical(DISTRIBUTIONS.get(name, name)) for name in imported(path) - {"mlops_config"}}
        assert used <= declared, path


@pytest.mark.parametrize("script", ["action/bootstrap.py", "tools/services.py", "tools/terraform.py"])
def test_what_runs_before_anything_is_installed_needs_the_standard_library_alone(script: str) -> None:
    assert imported(ROOT / script, at_start=True) == set()
