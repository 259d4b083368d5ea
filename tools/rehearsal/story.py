"""The order of things: each cloud from nothing, a change, a refusal, a drift; and where to look then."""

import json
import shlex
import subprocess

from tests.terraform.standin import VERSIONS

from tools.rehearsal import steps
from tools.rehearsal.breakages import BREAKAGES
from tools.rehearsal.project import CLOUDS, ROOT, Project
from tools.rehearsal.scene import Scene, shortened

_SHELL = "shell.env"


def tell(scene: Scene) -> None:
    """All of it.

    Raises:
        RehearsalError: a step did not go as it should.
        CommandError: nor did a command of one.
    """
    first = scene.options.environments[0]
    _begin(scene)
    for cloud in scene.options.clouds:
        scene.progress.say(f"\n{CLOUDS[cloud]}")
        project = scene.project(cloud)
        steps.release(scene, project)
        for environment in scene.options.environments:
            steps.make(scene, project, environment)
        digest = steps.change(scene, project, first)
        steps.refuse(scene, project, first, digest)
        steps.agree(scene, project, first, digest)
        steps.drift(scene, project, first)
        if not scene.options.short:
            steps.mend(scene, project, first)
        steps.ledger(scene, project, first)
        _write_shell(scene, project, first)
    _end(scene)


def tell_breakages(scene: Scene) -> None:
    """The ways to break it, each told.

    Raises:
        RehearsalError: one was not told, or told as something else.
    """
    _begin(scene)
    project = scene.project("aws")
    with scene.progress.step("release", "dev's four files") as step:
        scene.release(project, "dev", steps.FIRST, step)
        step.found(f"dev: {steps.FIRST}, planned on AWS after each mistake")
    told = [each for each in BREAKAGES if not (scene.options.short and each.mended)]
    for breakage in told:
        breakage.tell(scene, project)
    scene.progress.say(f"\n{len(told)} mistakes, each told")


def _begin(scene: Scene) -> None:
    scene.progress.say(
        "Real Terraform, no cloud: what is made is a file of JSON per object.\n"
        f"Everything lies in {shortened(scene.folder)}"
    )
    with scene.progress.step("tools", "Terraform and the stand-ins") as step:
        versions = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
        step.found(f"{_program(scene)}; stand-ins for {versions}")


def _program(scene: Scene) -> str:
    """Terraform or OpenTofu, with its version."""
    said = subprocess.run(
        [scene.program, "version", "-json"], capture_output=True, text=True, check=True, env=scene.variables
    )
    name = "OpenTofu" if scene.program.endswith("tofu") else "Terraform"
    return f"{name} {json.loads(said.stdout)['terraform_version']}"


def _write_shell(scene: Scene, project: Project, environment: str) -> None:
    """What a shell needs to go on by hand."""
    names = ("STANDIN_CLOUD", *scene.mirror.variables)
    values = {**scene.variables, "STANDIN_CLOUD": str(project.objects(environment))}
    lines = [f"export {name}={shlex.quote(values[name])}" for name in dict.fromkeys(names)]
    program = shlex.quote(str(ROOT / ".venv" / "bin"))
    lines.append(f'export PATH={program}:{shlex.quote(str(ROOT / ".cache" / "bin"))}:"$PATH"')
    (project.folder / _SHELL).write_text("\n".join(lines) + "\n", "utf-8")


def _end(scene: Scene) -> None:
    say = scene.progress.say
    cloud, environment = scene.options.clouds[0], scene.options.environments[0]
    folder = shortened(scene.folder)
    say(f"\nsucceeded after {scene.recording.now():.0f} s; it all lies in {folder}/")
    for path, what in (
        (f"{cloud}/.mlops-config/{environment}/plan/plan.md", "the last plan"),
        (
            f"{cloud}/terraform/environments/{environment}/{cloud}/",
            "root module, state, the release's variables",
        ),
        (f"clouds/{cloud}-{environment}/", "what was made; edit or delete a file, and it drifted"),
    ):
        say(f"  {path}\n      {what}")
    say(f"\nNow you, in {folder}/{cloud}:")
    say(f"  . ./{_SHELL}")
    say(f"  mlops-config deploy -e {environment} --only-terraform --plan")
    for hint in (
        "misspell an argument in terraform/modules/artifact_store/",
        "give Airflow a size that there is not, in terraform.tfvars",
        f"change a key of configs/{environment}/, commit, `mlops-config release -e {environment}`",
        "deploy in two terminals at once",
    ):
        say(f"    after you … {hint}")
    say("Mistakes, and what is said to each: make rehearse ARGS=--break")
