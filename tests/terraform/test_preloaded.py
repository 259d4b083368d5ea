"""Providers that are forked from a process that has everything loaded."""

from pathlib import Path

from tests.services.terraform import Workspace
from tests.terraform.standin import Environment, preloaded, prepare

_RESOURCE = 'provider "aws" { region = "eu-central-1" }\nresource "aws_sns_topic" "this" { name = "city" }\n'


def test_a_provider_works_the_same_with_and_without(terraform: Path, tmp_path: Path) -> None:
    environment = prepare(tmp_path / ("a long name " * 10) / "standin")
    made = []
    for name in ("alone", "forked"):
        (root := tmp_path / name).mkdir()
        (root / "main.tf").write_text(_RESOURCE, "utf-8")
        workspace = Workspace(root, terraform, environment.with_cloud(Path("..", f"{name}-cloud")))
        if name == "alone":
            made.append(_applied(workspace))
        else:
            with preloaded(environment):
                made.append(_applied(workspace))

    assert made[0] == made[1]
    assert not (environment.folder / "preloaded").exists()


def _applied(workspace: Workspace) -> str:
    workspace.done("init", "-input=false")
    workspace.done("apply", "-input=false", "-auto-approve")
    (file,) = (workspace.folder / workspace.environment.cloud / "aws_sns_topic").glob("*.json")
    return file.name + file.read_text("utf-8")


def test_a_forked_provider_has_terraforms_environment(
    terraform: Path, standin: Environment, tmp_path: Path
) -> None:
    (root := tmp_path / "root").mkdir()
    (root / "main.tf").write_text(_RESOURCE, "utf-8")
    workspace = Workspace(root, terraform, standin)
    workspace.done("init", "-input=false")
    refused = workspace.run("plan", AWS_ACCESS_KEY_ID="")

    assert "No valid credential sources found" in refused.stderr
