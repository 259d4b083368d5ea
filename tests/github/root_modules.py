"""A caller's own Terraform: a small root module for each environment, its state on this machine."""

from pathlib import Path

from tests.repositories import ROOT

SETTINGS = "terraform: {directory: 'terraform/environments/{environment}/aws'}\n"

SECRET = "known to Terraform alone"
"""What no file that leaves a job in the clear may hold."""

MAIN = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.60" }
  }
  backend "local" { path = "STATE" }
}

provider "aws" {
  region = "eu-central-1"
}

resource "aws_s3_bucket" "releases" {
  bucket = "acme-fares-ENVIRONMENT"
  tags   = { contact = sensitive("SECRET") }
}

resource "aws_s3_bucket_versioning" "releases" {
  bucket = aws_s3_bucket.releases.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_cloudwatch_log_group" "runs" {
  name              = "fares-ENVIRONMENT"
  retention_in_days = var.config.retention_days["inference.data_capture.retention"]
  tags              = { release = var.release.name, config = var.mlops_config_path }
}
"""


def add_root_modules(folder: Path, state: Path, environments: tuple[str, ...] = ("dev", "prod")) -> None:
    """Writes settings and a root module for each environment into the work tree ``folder``.

    The state lies in the folder ``state``, where every run of a workflow finds it; the variables of the
    release are declared as in our own roots.
    """
    (folder / "mlops-config.yaml").write_text(SETTINGS, "utf-8")
    for environment in environments:
        root = folder / "terraform" / "environments" / environment / "aws"
        root.mkdir(parents=True)
        own = ROOT / "terraform" / "environments" / environment / "aws" / "release.tf"
        (root / "release.tf").write_text(own.read_text("utf-8"), "utf-8")
        text = MAIN.replace("STATE", str(state / f"{environment}.tfstate"))
        text = text.replace("ENVIRONMENT", environment).replace("SECRET", SECRET)
        (root / "main.tf").write_text(text, "utf-8")
