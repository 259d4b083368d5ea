"""A reviewed digest stands for what an apply does, also where the plan itself does not say it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_config.infrastructure.sources import sources_digest
from tests.infrastructure.deployments import Checkout
from tests.orchestration.releases import release

MAIN = """
terraform {
  backend "local" {
    path = "kept.tfstate"
  }
}

module "policy" {
  source = "../modules/policy"
}

resource "terraform_data" "made" {
  input = templatefile("${path.module}/made.tftpl", { name = "fares" })
}

resource "archive_file" "job" {
  source_dir = "${path.module}/job"
}

resource "local_file" "written" {
  filename = "${path.module}/written.txt"
}
"""
POLICY = """
locals {
  names      = fileset("${path.module}/statements", "*.json")
  statements = [for name in local.names : file("${path.module}/statements/${name}")]
  elsewhere  = "${path.module}"
  prose      = "no file, but a sentence"
}
"""
CALLS = {
    "policy": {"source": "../modules/policy", "module": {}},
    "vpc": {
        "source": "terraform-aws-modules/vpc/aws",
        "version_constraint": "6.0.0",
        "module": {"module_calls": {"inner": {"source": "./inner", "module": {}}}},
    },
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root module and one that it calls; the root."""
    _write(tmp_path / "infra" / "dev" / "main.tf", MAIN)
    _write(tmp_path / "infra" / "dev" / "made.tftpl", "made by ${name}\n")
    _write(tmp_path / "infra" / "dev" / "job" / "train.py", "import shared\n")
    _write(tmp_path / "infra" / "modules" / "policy" / "main.tf", POLICY)
    _write(tmp_path / "infra" / "modules" / "policy" / "statements" / "read.json", "{}\n")
    return tmp_path / "infra" / "dev"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def digest(root: Path, calls: dict[str, Any] | None = None) -> str:
    return sources_digest({"root_module": {"module_calls": calls or CALLS}}, root)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.tf", f"{MAIN}# what it does\n"),
        ("override.tf", "locals {}\n"),
        ("more.tf.json", "{}\n"),
        ("made.tftpl", "made by somebody else\n"),
        ("job/train.py", "import other\n"),
        ("job/more/shared.py", "\n"),
        ("job/.env", "MODE=fast\n"),
        ("../modules/policy/main.tf", f"{POLICY}\n"),
        ("../modules/policy/statements/read.json", '{"Action": "*"}\n'),
        ("../modules/policy/statements/more.json", "{}\n"),
    ],
)
def test_what_a_module_says_counts(tree: Path, name: str, text: str) -> None:
    before = digest(tree)
    _write(tree / name, text)
    assert digest(tree) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.tf", MAIN.replace("\n", "\r\n")),
        ("kept.tfstate", "{}\n"),
        ("release.auto.tfvars.json", "{}\n"),
        ("terraform.tfvars", "a = 1\n"),
        ("written.txt", "by the apply\n"),
        (".terraform/modules/modules.json", "{}\n"),
        ("tests/plan.tftest.hcl", "\n"),
        ("job/__pycache__/train.cpython-311.pyc", "compiled"),
        ("job/more/.DS_Store", "icons"),
        ("job/.pytest_cache/README.md", "cached"),
        ("../modules/other/main.tf", "locals {}\n"),
    ],
)
def test_what_changes_by_itself_or_is_not_theirs_does_not(tree: Path, name: str, text: str) -> None:
    before = digest(tree)
    _write(tree / name, text)
    assert digest(tree) == before


def test_the_same_modules_have_the_same_digest_wherever_they_lie(tree: Path, tmp_path: Path) -> None:
    before = digest(tree)
    (tmp_path / "infra").rename(tmp_path / "moved to here")
    assert digest(tmp_path / "moved to here" / "dev") == before
    (tmp_path / "link").symlink_to(tmp_path / "moved to here")
    assert digest(tmp_path / "link" / "dev") == before


def test_another_version_of_a_module_from_elsewhere_counts(tree: Path) -> None:
    later = CALLS | {"vpc": CALLS["vpc"] | {"version_constraint": "6.1.0"}}
    assert digest(tree, later) != digest(tree)


def test_a_large_file_counts_too(tree: Path) -> None:
    _write(tree / "made.tftpl", "a" * (2 << 20))
    before = digest(tree)
    _write(tree / "made.tftpl", "a" * (2 << 20) + "b")
    assert digest(tree) != before


def _policy(actions: str) -> str:
    return f"""
resource "terraform_data" "store" {{
  input = var.release.name
}}

resource "terraform_data" "policy" {{
  input = jsonencode({{ Action = "{actions}", Resource = terraform_data.store.id }})
}}
"""


def _provisioner(command: str) -> str:
    return f"""
resource "terraform_data" "store" {{
  provisioner "local-exec" {{
    command = "{command} # ${{var.release.name}}"
  }}
}}
"""


@pytest.mark.parametrize(
    ("module", "harmless", "other"), [(_policy, "s3:GetObject", "*"), (_provisioner, "true", "touch begun")]
)
def test_what_only_the_apply_would_show_is_not_covered_by_another_plans_review(
    checkout: Checkout, module: Callable[[str], str], harmless: str, other: str
) -> None:
    checkout.describe(module(harmless))
    checkout.release(release("1.0.0"))
    reviewed = checkout.planned()["digest"]
    checkout.describe(module(other))
    said = checkout.deploy("--reviewed", reviewed, "--only-terraform", code=4).err
    assert "this is not the plan of dev that was reviewed" in said
    assert "the modules say something else" in said
    assert checkout.made() == {}
    checkout.describe(module(harmless))
    checkout.deploy("--reviewed", reviewed, "--only-terraform")
