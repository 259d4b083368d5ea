"""Terraform is found, run without questions or a shell, and stopped in good order."""

import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_config.console import TerminalConsole
from mlops_config.errors import ServiceError, UsageError
from mlops_config.infrastructure.failures import ApplyFailedError, ApplyInterruptedError
from mlops_config.infrastructure.known_failures import LEFT_STATE
from mlops_config.infrastructure.plan import Action
from mlops_config.infrastructure.program import Program
from mlops_config.infrastructure.rendering import as_markdown, as_text
from mlops_config.infrastructure.running import STOPPING, answer, environment, follow
from tests.infrastructure.roots import Workbench

pytestmark = pytest.mark.usefixtures("terraform")

SMALL = """
variable "name" { default = "fares" }
variable "password" {
  default   = "hunter2-hunter2"
  sensitive = true
}
resource "terraform_data" "name" { input = var.name }
output "name" { value = var.name }
output "password" {
  value     = var.password
  sensitive = true
}
"""


def fake(folder: Path, name: str, script: str) -> Path:
    """A program of that name on a PATH of its own."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_terraform_is_found_on_the_path(terraform: Path) -> None:
    found = Program.find()
    assert found.path.name == terraform.name
    assert not found.is_opentofu
    assert found.name == f"Terraform {found.version}"


def test_opentofu_is_taken_where_there_is_no_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "tofu", "echo 'OpenTofu v1.10.3'; echo 'on linux_amd64'")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Program.find()
    assert found.name == "OpenTofu 1.10.3"
    assert found.is_opentofu


def test_the_settings_name_the_program(tmp_path: Path) -> None:
    path = fake(tmp_path, "tofu", "echo 'OpenTofu v1.11.0'")
    assert Program.find(str(path)).path == path


@pytest.mark.parametrize("version", ["0.15.5", "1.9.8"])
def test_an_old_one_is_refused_with_where_to_get_a_newer(tmp_path: Path, version: str) -> None:
    path = fake(tmp_path, "terraform", f"echo 'Terraform v{version}'")
    with pytest.raises(UsageError, match=rf"Terraform {version} .* is too old: 1\.10 or later") as refused:
        Program.find(str(path))
    assert "https://developer.hashicorp.com/terraform/install" in (refused.value.hint or "")
    assert "setup-opentofu" in (refused.value.hint or "")


def test_none_at_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no terraform and no tofu on PATH"):
        Program.find()
    with pytest.raises(UsageError, match="no tofu on PATH"):
        Program.find("tofu")


def test_something_else_of_that_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither Terraform nor OpenTofu"):
        Program.find(str(fake(tmp_path, "terraform", "echo hello")))


HALF_A_PLAN = """
case "$1" in
  version) echo 'Terraform v1.11.4' ;;
  plan) for last; do :; done; echo half > "${last#-out=}" ;;
  show) echo 'Error: Failed to read the given file as a state or plan file' >&2; exit 1 ;;
esac
"""


def test_half_a_plan_is_a_full_disk_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program.find(str(fake(tmp_path / "bin", "terraform", HALF_A_PLAN)))
    (tmp_path / "main.tf").write_text(SMALL, encoding="utf-8")
    root = program.at(tmp_path, TerminalConsole(quiet=True))
    with pytest.raises(UsageError, match="Failed to read the given file"):
        root.plan()
    free = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(ServiceError, match="the disk is full") as full:
        root.plan()
    assert "free some space" in (full.value.hint or "")


def test_a_folder_without_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no root module"):
        Program.find().at(tmp_path, TerminalConsole(quiet=True))


def test_a_backend_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(SMALL, encoding="utf-8")
    with pytest.raises(UsageError, match=r"no .*backend\.hcl") as refused:
        Program.find().at(tmp_path, TerminalConsole(quiet=True), backend_config=tmp_path / "backend.hcl")
    assert "backend.hcl.example" in (refused.value.hint or "")


def test_a_plan_is_applied_and_its_outputs_are_read_without_the_secret_ones(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    saved = bench.root.plan()
    assert [(each.address, each.action) for each in saved.plan.changes] == [
        ("terraform_data.name", Action.CREATE)
    ]
    applied = bench.root.apply(saved)
    assert applied.in_words() == "1 created, 0 changed, 0 deleted"
    assert applied.outputs == {"name": "fares"}
    assert [each["address"] for each in applied.document()["done"]] == ["terraform_data.name"]
    assert "+ terraform_data.name created" in bench.told
    assert "hunter2" not in bench.told + repr(saved) + repr(applied)
    assert not bench.root.plan().plan.has_changes


def test_only_we_can_read_a_saved_plan_and_it_goes_with_its_object(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    saved = bench.root.plan()
    path = saved.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again = bench.root.saved(saved.read_bytes())
    assert again.plan.digest == saved.plan.digest
    del saved
    assert not path.exists()
    again.close()
    assert not again.path.exists()


def test_a_plan_that_is_none_is_refused(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    with pytest.raises(UsageError, match="show failed"):
        bench.root.saved(b"no plan")


def test_arguments_from_the_environment_do_not_alter_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-destroy")
    monkeypatch.setenv("TF_CLI_ARGS", "-no-such-option")
    monkeypatch.setenv("MLOPS_PLAN_KEY", "the key of the plan")
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    assert bench.root.plan().plan.count(Action.CREATE) == 1
    assert not {"TF_CLI_ARGS", "TF_CLI_ARGS_plan", "MLOPS_PLAN_KEY"} & environment().keys()
    assert environment()["TF_IN_AUTOMATION"] == "1"


def test_a_folder_with_signs_of_the_shell_in_its_name_is_a_folder(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "a b; touch $(pwd)'x", SMALL)
    bench.root.init()
    assert bench.root.plan().plan.has_changes
    assert [path.name for path in tmp_path.iterdir()] == ["a b; touch $(pwd)'x"]


def test_what_a_hint_says_to_give_is_what_a_shell_takes(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "a b", 'resource "terraform_data" "a" {\n  inputt = 1\n}\n')
    bench.root.init()
    with pytest.raises(UsageError, match="Unsupported argument") as refused:
        bench.root.plan()
    told = (refused.value.hint or "").partition("with: ")[2]
    assert shlex.split(told) == ["terraform", f"-chdir={tmp_path}/a b", "validate"]


def test_a_state_that_could_not_be_saved_is_brought_to_its_place_before_anything(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    bench.root.apply(bench.root.plan())
    state = json.loads((tmp_path / "terraform.tfstate").read_bytes())
    (tmp_path / LEFT_STATE).write_text(json.dumps(state | {"serial": state["serial"] + 2}))
    with pytest.raises(UsageError, match="would be made once more") as refused:
        bench.root.require_saved()
    told = (refused.value.hint or "").removeprefix("give: ").partition(";")[0]
    subprocess.run(shlex.split(told), check=True, capture_output=True)
    bench.root.require_saved()
    (tmp_path / LEFT_STATE).write_text(json.dumps(state | {"lineage": "another", "serial": 99}))
    bench.root.require_saved()
    (tmp_path / "terraform.tfstate").unlink()
    with pytest.raises(UsageError, match="would be made once more"):  # nothing was ever saved
        bench.root.require_saved()


@pytest.mark.parametrize("left", [b"", b'{"version": 4, "serial": 7, "lin'])
def test_a_state_that_was_cut_short_is_not_passed_over(tmp_path: Path, left: bytes) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    (tmp_path / LEFT_STATE).write_bytes(left)
    for _ in range(2):  # nothing was ever saved; something was
        with pytest.raises(UsageError, match="is cut short") as refused:
            bench.root.require_saved()
        assert f"import ADDRESS ID; then remove {tmp_path / LEFT_STATE}" in (refused.value.hint or "")
        assert "state push" not in (refused.value.hint or "")  # Terraform takes no part of one
        bench.root.apply(bench.root.plan())


def test_a_plan_for_another_workspaces_state_says_so_and_is_another_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    usual = bench.root.plan().plan
    assert "workspace" not in as_text(usual) + as_markdown(usual) + bench.told
    program = str(Program.find().path)
    subprocess.run([program, "workspace", "new", "blue"], cwd=tmp_path, check=True, capture_output=True)
    plans = [bench.root.plan().plan]
    monkeypatch.setenv("TF_WORKSPACE", "green")
    bench.root.init()
    plans.append(bench.root.plan().plan)
    assert [plan.workspace for plan in plans] == ["blue", "green"]
    assert len({plan.digest for plan in (usual, *plans)}) == 3
    assert as_text(plans[0]).startswith("1 to create, 0 to change, 0 to delete in workspace blue\n")
    assert as_markdown(plans[1]).startswith(
        "**1 to create, 0 to change, 0 to delete** in workspace `green` · "
    )
    assert "workspace green" in bench.told


def test_a_plan_that_only_refreshes_plans_no_change_of_ours(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    bench.root.apply(bench.root.plan())
    bench.write(SMALL.replace('"fares"', '"rides"'))
    saved = bench.root.plan(refresh_only=True)
    assert saved.plan.changes == ()


def test_huge_output_on_both_streams_never_blocks(tmp_path: Path) -> None:
    script = "import sys\nfor n in range(3000): print('o' * 2000); print('e' * 2000, file=sys.stderr)"
    lines: list[str] = []
    ended = follow([sys.executable, "-c", script], tmp_path, lines.append, lines.append)
    assert ended.code == 0
    assert len(lines) == 3000
    assert len(ended.complaint) <= 4000


HALFWAY = """
resource "terraform_data" "first" {}
resource "terraform_data" "broken" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "echo no space left >&2; exit 3" }
}
resource "terraform_data" "later" { input = terraform_data.broken.id }
"""


def test_an_apply_that_fails_half_way_says_what_was_done_and_goes_on_when_asked_again(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, HALFWAY)
    bench.root.init()
    with pytest.raises(ApplyFailedError, match="1 done, 1 failed, 1 not begun") as failed:
        bench.root.apply(bench.root.plan())
    document = failed.value.document
    assert [each["address"] for each in document["done"]] == ["terraform_data.first"]
    assert [each["address"] for each in document["failed"]] == ["terraform_data.broken"]
    assert document["not_begun"] == [{"address": "terraform_data.later", "action": Action.CREATE}]
    assert "no space left" in failed.value.message
    assert "the same command again" in (failed.value.hint or "")
    assert failed.value.exit_code == 3
    json.dumps(document)
    bench.write(HALFWAY.replace("; exit 3", ""))
    saved = bench.root.plan()
    assert [each.reason for each in saved.plan.destructive] == ["replace_because_tainted"]
    bench.root.apply(saved)
    assert not bench.root.plan().plan.has_changes


HANGING = """
resource "terraform_data" "first" {}
resource "terraform_data" "hanging" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "echo $$ > started; exec sleep 600" }
}
resource "terraform_data" "later" { input = terraform_data.hanging.id }
"""


def when(there: Callable[[], bool], then: Callable[[], None]) -> threading.Thread:
    """A thread that acts once something is there."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while not there() and time.monotonic() < deadline:
            time.sleep(0.02)
        then()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_an_interrupted_apply_ends_in_good_order_with_its_state_saved(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, HANGING)
    bench.root.init()
    saved = bench.root.plan()
    started = tmp_path / "started"
    before = signal.getsignal(signal.SIGINT)
    watcher = when(
        lambda: started.exists() and started.read_text() != "",
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    )
    with pytest.raises(ApplyInterruptedError, match="interrupted: 1 done, 1 failed, 1 not begun") as stopped:
        bench.root.apply(saved)
    watcher.join()
    assert stopped.value.exit_code == 130
    assert "the state is saved: give the same command again" in (stopped.value.hint or "")
    assert "finishes what it is at and saves its state" in bench.told
    assert signal.getsignal(signal.SIGINT) is before
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    assert "first" in {each["name"] for each in state["resources"]}
    bench.root.plan()  # and the lock is gone


def test_an_interrupted_plan_is_an_interruption(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, SMALL)
    bench.root.init()
    # Terraform takes a lock before it plans: what holds it makes the plan wait.
    bench.write(HANGING, "hanging.tf")
    bench.root.init()
    command = [str(Program.find().path), "apply", "-auto-approve", "-input=false"]
    holder = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started = tmp_path / "started"
        when(started.exists, lambda: None).join()
        waiting = bench.opened(lock_timeout="300s")
        before = signal.getsignal(signal.SIGINT)
        watcher = when(
            lambda: signal.getsignal(signal.SIGINT) is not before,
            lambda: os.kill(os.getpid(), signal.SIGINT),
        )
        with pytest.raises(KeyboardInterrupt):
            waiting.plan()
        watcher.join()
    finally:
        holder.send_signal(signal.SIGINT)
        holder.wait(timeout=60)


def test_a_listener_that_fails_stops_the_process(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    script = (
        "import pathlib, signal, time\n"
        f"signal.signal(signal.SIGINT, lambda *_: (pathlib.Path({str(mark)!r}).touch(), exit()))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )

    def heard(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="ready"):
        follow([sys.executable, "-c", script], tmp_path, heard, print)
    assert mark.exists()


def test_two_more_interrupts_give_up(tmp_path: Path) -> None:
    script = """
import signal, sys
heard = []
def hear(number, frame):
    heard.append(number)
    print("heard", len(heard), flush=True)
    if len(heard) == 2:
        sys.exit(7)
signal.signal(signal.SIGINT, hear)
print("ready", flush=True)
while True:
    signal.pause()
"""
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        for _ in range({"ready": 1, "heard 1": 2}.get(line, 0)):
            os.kill(os.getpid(), signal.SIGINT)

    said: list[str] = []
    ended = follow([sys.executable, "-c", script], tmp_path, heard, said.append)
    assert (ended.code, ended.interrupted) == (7, True)
    assert lines == ["ready", "heard 1", "heard 2"]
    assert said == [STOPPING]


def test_what_cannot_be_started_says_so(tmp_path: Path) -> None:
    for run in (lambda *given: follow(*given, print, print), answer):
        with pytest.raises(ServiceError, match=r"no-such cannot be started: No such file"):
            run([str(tmp_path / "no-such")], tmp_path)
        with pytest.raises(UsageError, match="there is no folder"):
            run([sys.executable, "-V"], tmp_path / "gone")


def test_one_that_gives_no_answer_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(ServiceError, match="gave no answer"):
        answer(command, tmp_path, seconds=0.01)
