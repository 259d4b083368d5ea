"""What `python -m tests.terraform.standin` prepares for a person, and what staging a tree does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import unavailable
from tests.terraform.standin import PYTHON, ROOT, VERSIONS, prepare, stage


def test_it_prints_the_exports_and_stages_the_roots(tmp_path: Path) -> None:
    if not PYTHON.exists():
        unavailable(f"no {PYTHON}")
    finished = subprocess.run(
        [sys.executable, "-m", "tests.terraform.standin", str(tmp_path / "here")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    exports = dict(
        line.removeprefix("export ").split("=", 1)
        for line in finished.stdout.splitlines()
        if line.startswith("export ")
    )

    assert Path(exports["TF_CLI_CONFIG_FILE"]).is_file()
    assert Path(exports["STANDIN_CLOUD"]).is_dir()
    assert {"AWS_ACCESS_KEY_ID", "GOOGLE_OAUTH_ACCESS_TOKEN"} <= exports.keys()
    programs = {path.name for path in (tmp_path / "here" / "mirror").rglob("terraform-provider-*")}
    assert programs == {f"terraform-provider-{family}_v{version}" for family, version in VERSIONS.items()}
    roots = tmp_path / "here" / "terraform" / "environments"
    states = {str(path.parent.relative_to(roots)) for path in roots.rglob("backend_override.tf")}
    assert states == {f"{name}/{cloud}" for name in ("dev", "staging", "prod") for cloud in ("aws", "gcp")}


def test_without_its_python_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.terraform.standin.PYTHON", tmp_path / "none")

    with pytest.raises(FileNotFoundError, match="run `make environments` first"):
        prepare(tmp_path)


def test_a_staged_tree_has_its_state_on_disk_and_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    source = tmp_path / "checkout" / "terraform"
    root = source / "environments" / "dev"
    (root / ".terraform").mkdir(parents=True)
    (root / "terraform.tfstate").touch()
    (root / "release.auto.tfvars.json").touch()
    (root / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n', encoding="utf-8")
    (source / "module.tf").write_text('output "a" { value = 1 }\n', encoding="utf-8")
    (source.parent / "dags").mkdir()
    (source.parent / "dags" / "training.py").touch()

    staged = stage(source, tmp_path / "copy" / "terraform")

    copied = {str(path.relative_to(staged.parent)) for path in staged.parent.rglob("*") if path.is_file()}
    assert copied == {
        "dags/training.py",
        "terraform/environments/dev/backend_override.tf",
        "terraform/environments/dev/main.tf",
        "terraform/module.tf",
    }
    override = staged / "environments" / "dev" / "backend_override.tf"
    assert override.read_text("utf-8") == 'terraform {\n  backend "local" {}\n}\n'
