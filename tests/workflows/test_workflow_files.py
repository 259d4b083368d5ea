"""Every workflow and action file against GitHub's own parser, two linters, and the repository's own rules."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.services import unavailable
from tests.services.workflow_parser import complaints
from tests.workflows.repository_files import (
    ACTIONS,
    EXAMPLES,
    OWN,
    ROOT,
    WORKFLOWS,
    declared_inputs,
    jobs,
    load,
    name_of,
    own_file,
    steps,
    uses,
)

EVERY = (*WORKFLOWS, *EXAMPLES, *ACTIONS, ROOT / "tests" / "action" / "nested" / "action.yml")
REUSABLE = tuple(path for path in WORKFLOWS if "workflow_call" in load(path)["on"])
PAGES = tuple(ROOT / name for name in ("docs/action.md", "docs/workflows.md", "examples/README.md"))


def program(name):
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return found or unavailable(f"no {name}: it comes with the locked test requirements")


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def snippets(path):
    """The YAML of a page's code blocks that use this repository, each with its parts that have ``uses``."""
    for block in re.findall(r"^```ya?ml\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if f"{OWN}" in block:
            yield yaml.load(block, Loader=yaml.BaseLoader)  # noqa: S506 makes only strings


def parts_with_uses(data):
    if isinstance(data, dict):
        if "uses" in data:
            yield data
        for value in data.values():
            yield from parts_with_uses(value)
    elif isinstance(data, list):
        for value in data:
            yield from parts_with_uses(value)


@pytest.mark.e2e
def test_githubs_own_parser_has_no_complaint_about_any_file_or_call():
    own = {name_of(path): path.read_text("utf-8") for path in REUSABLE}
    called = own | {f"{OWN}/{name}@v1": text for name, text in own.items()}
    found = complaints({name_of(path): path.read_text("utf-8") for path in EVERY}, called)
    assert {name: about for name, about in found.items() if about} == {}


@pytest.mark.e2e
def test_githubs_own_parser_would_complain_about_a_wrong_call():
    example = (ROOT / "examples" / "release.yml").read_text("utf-8")
    text = example.replace("      push: true\n", "      push: yes please\n      pusch: true\n")
    called = {
        f"{OWN}/.github/workflows/release.yml@v1": (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    }
    found = complaints({"examples/release.yml": text}, called)["examples/release.yml"]
    assert any("pusch is not defined" in about for about in found)


def test_actionlint_has_no_complaint():
    result = run(program("actionlint"), *(name_of(path) for path in (*WORKFLOWS, *EXAMPLES)))
    assert result.stdout + result.stderr == ""


def test_zizmors_pedantic_persona_has_no_complaint():
    files = [name_of(path) for path in EVERY]
    result = run(
        program("zizmor"),
        "--offline",
        "--no-progress",
        "--quiet",
        "--persona=pedantic",
        "--format=plain",
        *files,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_a_finding_is_ignored_only_with_its_reason_beside_it(path):
    for line in path.read_text("utf-8").splitlines():
        ignored = re.search(r"# (?:zizmor: ignore\[[\w-]+\]|shellcheck disable=\w+)(.*)", line)
        assert not ignored or len(ignored[1].split()) > 3, line


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_actions_of_others_are_pinned_to_a_commit_with_their_version_beside_it(path):
    text = path.read_text("utf-8")
    for reference, _ in uses(path):
        if own_file(reference) is None:
            assert re.search(rf"{re.escape(reference)} # v\d+(\.\d+)*$", text, re.MULTILINE), reference
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", reference)


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_our_own_files_are_referred_to_at_the_running_commit(path):
    for reference, _ in uses(path):
        if own_file(reference) is None:
            continue
        assert own_file(reference).is_file(), f"{reference} leads nowhere"
        if path in EXAMPLES:
            assert reference.startswith(f"{OWN}/.github/workflows/")
            assert reference.endswith("@v1")
        else:
            assert re.fullmatch(r"\$/[\w./-]+|\./|\./published", reference), reference


def test_each_action_of_others_is_used_in_one_version():
    versions = {}
    for path in EVERY:
        for reference, _ in uses(path):
            if own_file(reference) is None:
                name, _, commit = reference.partition("@")
                versions.setdefault(name, set()).add(commit)
    assert {name: commits for name, commits in versions.items() if len(commits) > 1} == {}


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_what_is_given_is_what_is_declared(path):
    for reference, given in uses(path):
        target = own_file(reference)
        if target is not None:
            declared = declared_inputs(target)
            required = {name for name, about in declared.items() if about.get("required") == "true"}
            assert required <= set(given) <= set(declared), f"{reference} in {name_of(path)}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_snippets_of_our_pages_use_inputs_that_exist(path):
    for snippet in snippets(path):
        for part in parts_with_uses(snippet):
            target = own_file(part["uses"])
            if target is not None:
                assert target.is_file(), part["uses"]
                assert set(part.get("with", {})) <= set(declared_inputs(target)), part["uses"]


def test_a_workflow_hands_the_action_every_input_the_two_share():
    shared = {
        "validate.yml": {"environment", "config-dir", "settings", "fail-on", "working-directory"},
        "release.yml": set(load(ROOT / "action.yml")["inputs"]) - {"notes", "github-token"},
    }
    for name, expected in shared.items():
        path = ROOT / ".github" / "workflows" / name
        (given,) = [given for reference, given in uses(path) if reference == "$/action"]
        assert set(given) - {"stages"} == expected - {"stages"}


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_no_expression_stands_in_a_script(path):
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", [path for path in EVERY if path not in ACTIONS], ids=name_of)
def test_a_script_is_one_line(path):
    for step in steps(path):
        assert step.get("run", "").strip().count("\n") == 0


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_every_script_of_an_action_is_one_line_that_names_its_shell(path):
    scripts = [step for step in steps(path) if "run" in step]
    assert scripts
    for step in scripts:
        assert step["shell"] == "bash"
        assert "\n" not in step["run"]


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=name_of)
def test_no_workflow_grants_anything_but_by_job(path):
    assert load(path)["permissions"] == {}
    for name, job in jobs(path).items():
        assert "permissions" in job, f"{name} does not say what it needs"


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=name_of)
def test_every_permission_says_what_it_is_for(path):
    text = path.read_text("utf-8")
    for line in re.findall(r"^ +(?:[\w-]+): (?:read|write)\b.*$", text, re.MULTILINE):
        assert re.search(r" # \w+ \w+", line), line


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=name_of)
def test_every_job_that_runs_ends_by_a_deadline(path):
    for name, job in jobs(path).items():
        if "uses" not in job:
            given = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", job["timeout-minutes"])
            minutes = declared_inputs(path)[given[1]]["default"] if given else job["timeout-minutes"]
            assert int(minutes) <= 60, name


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_no_checkout_leaves_its_token_behind(path):
    for reference, given in uses(path):
        if reference.startswith("actions/checkout@"):
            assert given["persist-credentials"] == "false"


def permissions_of(path):
    """What the jobs of a reusable workflow ask for, all together."""
    needed = {}
    for job in jobs(path).values():
        for name, level in job["permissions"].items():
            needed[name] = max(level, needed.get(name, ""))  # "read" < "write"
    return needed


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("validate.yml", {"contents": "read"}),
        ("comment.yml", {"pull-requests": "write"}),
        ("release.yml", {"contents": "write", "packages": "write", "id-token": "write"}),
        (
            "deploy.yml",
            {
                "contents": "read",
                "id-token": "write",
                "issues": "write",
                "packages": "read",
                "pull-requests": "write",
            },
        ),
        ("rollback.yml", {"contents": "read", "id-token": "write"}),
    ],
)
def test_a_reusable_workflow_asks_for_no_more_than_documented(name, needed):
    assert permissions_of(ROOT / ".github" / "workflows" / name) == needed


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=name_of)
def test_a_caller_grants_what_the_called_workflow_asks_for(path):
    """GitHub refuses to start the run otherwise, and says no more than "startup failure"."""
    for name, job in jobs(path).items():
        target = own_file(job.get("uses", ""))
        if target is not None:
            needed = permissions_of(target)
            granted = job["permissions"]
            missing = {each for each, level in needed.items() if granted.get(each, "") < level}
            assert not missing, f"{name} in {name_of(path)} does not grant {missing}"


def test_the_job_that_builds_cannot_write_to_the_repository():
    release = jobs(ROOT / ".github" / "workflows" / "release.yml")["release"]
    assert release["permissions"]["contents"] == "read"


def test_releases_wait_for_each_other_by_environment_and_are_never_cancelled():
    release = jobs(ROOT / ".github" / "workflows" / "release.yml")["release"]
    assert "${{ matrix.environment }}" in release["concurrency"]["group"]
    assert release["concurrency"]["cancel-in-progress"] == "false"
    assert release["environment"]["name"] == "${{ matrix.environment }}"
    assert release["needs"] == "environments"


def deploy_jobs():
    return jobs(ROOT / ".github" / "workflows" / "deploy.yml")


def test_only_what_was_planned_is_deployed_and_only_after_every_plan_was_made():
    deploy = deploy_jobs()["deploy"]
    assert deploy["needs"] == ["environments", "plan", "collect"]
    assert all(f"needs.{name}.result == 'success'" in deploy["if"] for name in ("plan", "collect"))
    assert "needs.environments.outputs.mode == 'deploy'" in deploy["if"]
    (given,) = (step["with"] for step in deploy["steps"] if step.get("uses") == "$/action/deploy")
    assert given["reviewed"] == "${{ needs.collect.outputs.plans }}"
    assert "release" not in given
    assert "from-tree" not in given


def test_a_deployment_waits_behind_its_environment_and_takes_no_rollbacks_place():
    found = deploy_jobs()
    deploy = found["deploy"]
    assert deploy["environment"]["name"] == "${{ matrix.environment }}"
    assert deploy["concurrency"]["cancel-in-progress"] == "false"
    assert "${{ matrix.environment }}" in deploy["concurrency"]["group"]
    rollback = jobs(ROOT / ".github" / "workflows" / "rollback.yml")["rollback"]
    groups = [job["concurrency"]["group"].partition("$")[0] for job in (deploy, rollback)]
    assert len(set(groups)) == 2
    assert [name for name, job in found.items() if "concurrency" in job] == ["deploy"]


def test_the_job_that_plans_may_write_nothing_and_is_handed_no_more_than_the_key():
    plan = deploy_jobs()["plan"]
    assert {name for name, level in plan["permissions"].items() if level == "write"} == {"id-token"}
    text = yaml.safe_dump(plan)
    assert set(re.findall(r"secrets\.([\w-]+)", text)) == {"plan-key", "registry-password"}
    assert not re.search(r"(inputs\.aws-role|vars\.MLOPS_AWS_ROLE|inputs\.gcp-service-account)\b", text)


def test_the_jobs_that_write_to_github_check_nothing_out():
    for name, job in deploy_jobs().items():
        written = {each for each, level in job["permissions"].items() if level == "write"} - {"id-token"}
        if written:
            assert not any("checkout" in step["uses"] for step in job["steps"]), name


def test_a_plan_that_leaves_its_job_is_gone_after_days():
    (kept,) = (
        step["with"] for step in deploy_jobs()["plan"]["steps"] if "upload-artifact@" in step.get("uses", "")
    )
    assert int(kept["retention-days"]) <= 5


def test_every_provisioner_is_installed_without_its_wrapper():
    found = 0
    for name in ("deploy.yml", "rollback.yml"):
        for reference, given in uses(ROOT / ".github" / "workflows" / name):
            for program in ("terraform", "tofu"):
                if f"{program}_version" in given:
                    assert given[f"{program}_wrapper"] == "false", reference
                    found += 1
    assert found == 8


@pytest.mark.parametrize("name", ["release.yml", "deploy.yml", "rollback.yml"])
def test_no_job_leaves_its_condition_to_what_the_callers_other_jobs_came_to(name):
    """success(), where no status is asked for, is false after any job that was skipped, however far up."""
    for title, job in jobs(ROOT / ".github" / "workflows" / name).items():
        assert "!cancelled()" in job["if"], title
        assert "needs" not in job or re.search(r"needs\.[\w-]+\.result", job["if"]), title


FROM_ENVIRONMENT = {"store": "STORE", "stores": "STORE", "registry": "REGISTRY", "image": "IMAGE"}
"""What each environment has of its own, by the input that comes before it."""


@pytest.mark.parametrize("name", ["release.yml", "deploy.yml", "rollback.yml"])
def test_what_a_caller_leaves_out_is_of_the_environment_the_job_runs_in(name):
    found = jobs(ROOT / ".github" / "workflows" / name)
    for title, job in found.items():
        text = yaml.safe_dump(job, width=10_000)
        for given, rest in re.findall(r"inputs\.(stores?|registry|image)\b(?!-)(.{0,40})", text):
            assert rest.startswith(f" || vars.MLOPS_{FROM_ENVIRONMENT[given]}"), f"{title}: {given}{rest}"
        if "vars." in text:
            assert "environment" in job, f"{title} reads variables and runs in no environment"


@pytest.mark.parametrize("name", ["deploy.yml", "rollback.yml"])
def test_an_example_hands_over_nothing_that_each_environment_has_of_its_own(name):
    for title, job in jobs(ROOT / "examples" / name).items():
        assert not set(job.get("with", {})) & set(FROM_ENVIRONMENT), title
        assert "vars." not in yaml.safe_dump(job), f"{title}: a caller sees the repository's variables alone"


def test_what_follows_a_login_to_google_can_use_it_and_artifact_registry_gets_its_token():
    found = 0
    for name in ("release.yml", "deploy.yml", "rollback.yml"):
        for job in jobs(ROOT / ".github" / "workflows" / name).values():
            logins = {step["name"]: step for step in job["steps"] if step["name"].startswith("Log in to ")}
            if "Log in to Google Cloud" not in logins:
                continue
            google = logins["Log in to Google Cloud"]
            assert google["with"].get("create_credentials_file", "true") == "true"
            if registry := logins.get("Log in to the registry"):
                found += 1
                assert "'.pkg.dev'" in google["with"]["token_format"]
                assert f"steps.{google['id']}.outputs.access_token" in registry["with"]["password"]
    assert found == 3


def test_a_rollback_is_planned_first_then_approved_and_waits_for_no_release():
    found = jobs(ROOT / ".github" / "workflows" / "rollback.yml")
    plan, rollback = found["plan"], found["rollback"]
    assert (plan["needs"], rollback["needs"]) == ("environments", ["environments", "plan"])
    assert rollback["environment"]["name"] == "${{ inputs.environment }}"
    release = jobs(ROOT / ".github" / "workflows" / "release.yml")["release"]["concurrency"]["group"]
    group = rollback["concurrency"]["group"]
    assert "${{ inputs.environment }}" in group
    assert group.partition("$")[0] != release.partition("$")[0]
    assert rollback["concurrency"]["cancel-in-progress"] == "false"


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("rollback.yml", "rollback")])
def test_the_session_with_aws_lasts_as_long_as_the_job_may(name, job):
    found = jobs(ROOT / ".github" / "workflows" / name)[job]
    minutes = f"inputs.{job}-minutes"
    (login,) = (step for step in found["steps"] if step["name"] == "Log in to AWS")
    assert found["timeout-minutes"] == f"${{{{ {minutes} }}}}"
    assert login["with"]["role-duration-seconds"] == (
        f"${{{{ ({minutes} > 120 && 21600) || ({minutes} > 60 && 7200) || 3600 }}}}"
    )


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("rollback.yml", "rollback")])
def test_the_step_that_applies_knows_its_jobs_minutes_and_what_it_leaves_is_kept_of_a_job_that_is_stopped(
    name, job
):
    steps = jobs(ROOT / ".github" / "workflows" / name)[job]["steps"]
    (applying,) = (step["with"] for step in steps if step.get("uses") == f"$/action/{job}")
    assert applying["minutes"] == f"${{{{ inputs.{job}-minutes }}}}"
    assert applying["plan-key"] == "${{ secrets.plan-key }}"
    place = "${{ runner.temp }}/mlops-config-state"
    (kept,) = (step for step in steps if step.get("with", {}).get("path") == place)
    assert "upload-artifact@" in kept["uses"]
    assert kept["if"] == "always()"


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("rollback.yml", "rollback")])
def test_no_attempt_of_a_job_replaces_the_state_that_another_one_left(name, job):
    steps = jobs(ROOT / ".github" / "workflows" / name)[job]["steps"]
    (kept,) = (step["with"] for step in steps if "mlops-config-state" in step.get("with", {}).get("path", ""))
    assert kept["name"].startswith("${{ inputs.artifact }}-state-")
    assert kept["name"].endswith("-${{ github.run_attempt }}")
    assert "overwrite" not in kept


def test_a_rollback_carries_out_what_was_planned_and_no_more():
    path = ROOT / ".github" / "workflows" / "rollback.yml"
    plan, rollback = (given for reference, given in uses(path) if reference == "$/action/rollback")
    assert plan["dry-run"] == "true"
    assert "dry-run" not in rollback
    assert rollback["planned"] == "${{ needs.plan.outputs.planned }}"
    assert jobs(path)["plan"]["outputs"]["planned"] == "${{ steps.plan.outputs.planned }}"
    differing = {"dry-run", "to", "model-version", "planned", "minutes", "plan-key"}
    assert not {"to", "model-version"} & set(rollback), "one output may be dropped, and another be left"
    assert {name: value for name, value in plan.items() if name not in differing} == {
        name: value for name, value in rollback.items() if name not in differing
    }
    assert {*plan, *rollback} == set(declared_inputs(ROOT / "action" / "rollback" / "action.yml"))
