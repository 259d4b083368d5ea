"""The rehearsal's projects: for each cloud a repository with the example's files and the modules."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
CONFIGS: Mapping[str, Path] = {"aws": ROOT / "configs", "gcp": ROOT / "examples" / "gcp" / "configs"}
"""The example's configuration on each cloud."""
CLOUDS: Mapping[str, str] = {"aws": "AWS", "gcp": "Google Cloud"}
"""What people call them."""
_IGNORED = ".mlops-config/\n.terraform/\n*.tfstate*\n*.auto.tfvars.json\n"
_SHARE = re.compile(r"(?m)^  drift_share_fraction: (\S+)")
_DEFAULT_SHARE = 0.5
"""``drift_share_fraction`` of the contract, where a file does not say it."""


@dataclass(frozen=True)
class Project:
    """A repository, and the clouds that its environments lie in: a folder for each account."""

    folder: Path
    cloud: str
    clouds: Path

    def root(self, environment: str) -> Path:
        """The environment's root module."""
        return self.folder / "terraform" / "environments" / environment / self.cloud

    def objects(self, environment: str) -> Path:
        """What was made in the environment's account or project: a file of JSON per object."""
        return self.clouds / f"{self.cloud}-{environment}"

    def git(self, variables: Mapping[str, str], *words: str) -> str:
        """What git prints."""
        return subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env=dict(variables),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def commit(self, variables: Mapping[str, str], message: str) -> str:
        """Commits every change; the commit."""
        self.git(variables, "add", "--all")
        self.git(variables, "commit", "--quiet", "--message", message)
        return self.git(variables, "rev-parse", "HEAD")

    def lower_drift_share(self, environment: str) -> tuple[float, float]:
        """Lowers ``drift.drift_share_fraction`` by 0.1; what it was, and what it is."""
        path = self.folder / "configs" / environment / f"{environment}_monitoring_config.yaml"
        text = path.read_text("utf-8")
        found = _SHARE.search(text)
        before = float(found[1]) if found else _DEFAULT_SHARE
        after = round(before - 0.1, 2)
        line = f"  drift_share_fraction: {after}"
        changed = _SHARE.sub(line, text) if found else text.replace("\ndrift:\n", f"\ndrift:\n{line}\n")
        path.write_text(changed, "utf-8")
        return before, after


def make(folder: Path, cloud: str, clouds: Path, variables: Mapping[str, str]) -> Project:
    """A new repository in ``folder``, with one commit; Terraform's states lie in it, on disk."""
    from tests.terraform import standin

    folder.mkdir(parents=True)
    shutil.copytree(CONFIGS[cloud], folder / "configs")
    standin.stage(ROOT / "terraform", folder / "terraform")
    settings = f"terraform:\n  directory: terraform/environments/{{environment}}/{cloud}\n"
    (folder / "mlops-config.yaml").write_text(settings, "utf-8")
    (folder / ".gitignore").write_text(_IGNORED, "utf-8")
    project = Project(folder, cloud, clouds)
    project.git(variables, "init", "--quiet", "--initial-branch=main")
    project.commit(variables, "Configuration and infrastructure")
    return project
