"""Finding and reading the files: each way it can go wrong is a finding, and nothing dangerous is opened."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_config.contract.reading.sources import Sources, read_sources
from mlops_config.findings import Finding, Severity
from mlops_config.kinds import Kind

ENVIRONMENTS = ("dev", "prod")
posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for environment in ENVIRONMENTS:
        folder = tmp_path / "configs" / environment
        folder.mkdir(parents=True)
        for kind in Kind:
            (folder / f"{environment}_{kind}_config.yaml").write_text(f"kind: {kind}\n")
    return tmp_path


def read(root: Path, *environments: str, config_dir: str = "configs") -> Sources:
    return read_sources(root, config_dir, environments or ENVIRONMENTS, ENVIRONMENTS)


def only(sources: Sources) -> Finding:
    assert len(sources.findings) == 1, sources.findings
    return sources.findings[0]


def file_of(finding: Finding) -> str:
    assert finding.place is not None
    return finding.place.file


def test_every_file_is_read_under_its_path_from_the_root(root: Path) -> None:
    sources = read(root)
    assert sources.findings == ()
    file = sources.files["prod"][Kind.RETRAIN]
    assert (file.path, file.data) == ("configs/prod/prod_retrain_config.yaml", b"kind: retrain\n")
    assert sum(len(files) for files in sources.files.values()) == 8


@pytest.mark.parametrize("config_dir", ["configs/", "./configs", "configs/."])
def test_the_folder_may_be_spelled_in_other_ways(root: Path, config_dir: str) -> None:
    assert read(root, config_dir=config_dir).files["dev"][Kind.TRAINING].path.startswith("configs/dev/")


def test_the_environments_may_lie_at_the_root(root: Path) -> None:
    sources = read(root / "configs", config_dir=".")
    assert sources.files["dev"][Kind.TRAINING].path == "dev/dev_training_config.yaml"


def test_the_short_name_is_accepted_too(root: Path) -> None:
    folder = root / "configs" / "dev"
    (folder / "dev_training_config.yaml").rename(folder / "training_config.yaml")
    sources = read(root)
    assert sources.findings == ()
    assert sources.files["dev"][Kind.TRAINING].path == "configs/dev/training_config.yaml"


def test_a_missing_configuration_folder_says_what_to_make(tmp_path: Path) -> None:
    finding = only(read(tmp_path))
    assert (finding.code, file_of(finding)) == ("F01", "configs")
    assert "configs/dev" in (finding.hint or "")


def test_a_missing_environment_leaves_the_others_their_findings(root: Path) -> None:
    for file in (root / "configs" / "dev").iterdir():
        file.unlink()
    (root / "configs" / "dev").rmdir()
    (root / "configs" / "prod" / "prod_training_config.yaml").unlink()
    assert [each.code for each in read(root).findings] == ["F01", "F02"]


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "configs" / "prod" / "prod_monitoring_config.yaml").unlink()
    finding = only(read(root))
    assert (finding.code, file_of(finding)) == ("F02", "configs/prod/prod_monitoring_config.yaml")
    assert Kind.MONITORING not in read(root).files["prod"]


@pytest.mark.parametrize(
    "name",
    [
        "prod_monitorin_config.yaml",
        "prod_monitoring_config.yml",
        "prod-monitoring-config.yaml",
        "Prod_Monitoring_Config.yaml",
        "monitoring_conf.yaml",
    ],
)
def test_a_name_that_comes_near_is_offered_instead_of_a_second_finding(root: Path, name: str) -> None:
    folder = root / "configs" / "prod"
    (folder / "prod_monitoring_config.yaml").rename(folder / name)
    finding = only(read(root))
    assert finding.code == "F02"
    assert finding.hint is not None
    assert f"did you mean {name}?" in finding.hint
    assert finding.related[0].place.file == f"configs/prod/{name}"


def test_a_file_that_nothing_reads_is_a_warning(root: Path) -> None:
    (root / "configs" / "prod" / "notes.txt").write_text("hello")
    finding = only(read(root))
    assert (finding.code, finding.severity) == ("F03", Severity.WARNING)
    assert file_of(finding) == "configs/prod/notes.txt"


def test_hidden_files_are_left_alone(root: Path) -> None:
    (root / "configs" / "prod" / ".gitkeep").touch()
    (root / "configs" / ".idea").mkdir()
    assert read(root).findings == ()


def test_a_yaml_file_outside_any_environment_is_a_warning(root: Path) -> None:
    (root / "configs" / "training_config.yaml").touch()
    (root / "configs" / "README.md").touch()
    assert (only(read(root)).code, file_of(only(read(root)))) == ("F03", "configs/training_config.yaml")


def test_a_folder_that_is_no_environment_is_a_warning(root: Path) -> None:
    (root / "configs" / "prodd").mkdir()
    finding = only(read(root))
    assert (finding.code, file_of(finding)) == ("F04", "configs/prodd")


def test_a_misspelled_environment_is_offered_the_right_name(root: Path) -> None:
    (root / "configs" / "prod").rename(root / "configs" / "prodd")
    strange, missing = read(root).findings
    assert (strange.code, missing.code) == ("F04", "F01")
    assert "did you mean prod?" in (strange.hint or "")


def test_other_folders_are_not_looked_at_when_one_environment_is_asked_for(root: Path) -> None:
    (root / "configs" / "prodd").mkdir()
    sources = read(root, "dev")
    assert sources.findings == ()
    assert list(sources.files) == ["dev"]


def test_two_files_for_one_kind_are_an_error(root: Path) -> None:
    (root / "configs" / "dev" / "training_config.yaml").write_text("kind: training\n")
    finding = only(read(root))
    assert finding.code == "F05"
    assert finding.related[0].place.file == "configs/dev/training_config.yaml"


@posix_only
def test_a_link_within_the_configuration_is_followed(root: Path) -> None:
    target = root / "configs" / "prod" / "prod_training_config.yaml"
    link = root / "configs" / "dev" / "dev_training_config.yaml"
    link.unlink()
    link.symlink_to(target)
    assert read(root).files["dev"][Kind.TRAINING].data == b"kind: training\n"


@posix_only
@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../secret.yaml", "../../.git/config", "/proc/self/environ"]
)
def test_a_link_that_leads_out_is_not_followed(root: Path, target: str) -> None:
    (root / "secret.yaml").write_text("password: x\n")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[x]\n")
    link = root / "configs" / "dev" / "dev_training_config.yaml"
    link.unlink()
    link.symlink_to(target)
    sources = read(root)
    assert only(sources).code == "F06"
    assert Kind.TRAINING not in sources.files["dev"]


@posix_only
def test_a_folder_that_is_a_link_out_is_not_followed(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (root / "configs" / "prod").rename(outside / "prod")
    (root / "configs" / "prod").symlink_to(outside / "prod")
    assert only(read(root)).code == "F06"


@posix_only
@pytest.mark.parametrize("target", ["nowhere.yaml", "dev_training_config.yaml"])
def test_a_link_to_nowhere_or_to_itself_is_an_error(root: Path, target: str) -> None:
    link = root / "configs" / "dev" / "dev_training_config.yaml"
    link.unlink()
    link.symlink_to(target)
    assert only(read(root)).code in ("F06", "F08")


@pytest.mark.parametrize("config_dir", ["..", "../elsewhere", "/etc", "configs/../.."])
def test_a_configuration_folder_outside_the_repository_is_refused(root: Path, config_dir: str) -> None:
    finding = only(read(root, config_dir=config_dir))
    assert finding.code == "F09"


@posix_only
def test_a_configuration_folder_that_is_a_link_out_is_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (root / "linked").symlink_to(tmp_path_factory.mktemp("outside"))
    assert only(read(root, config_dir="linked")).code == "F09"


def test_a_folder_in_a_files_place_is_an_error(root: Path) -> None:
    path = root / "configs" / "dev" / "dev_training_config.yaml"
    path.unlink()
    path.mkdir()
    finding = only(read(root))
    assert finding.code == "F07"
    assert "a folder" in finding.message


def test_a_file_in_an_environments_place_is_an_error(root: Path) -> None:
    (root / "configs" / "prod").rename(root / "elsewhere")
    (root / "configs" / "prod").write_text("x")
    assert "F07" in {each.code for each in read(root).findings}


@pytest.fixture
def unix_socket(root: Path) -> Iterator[Path]:
    path = root / "configs" / "dev" / "dev_training_config.yaml"
    path.unlink()
    folder = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
        os.chdir(folder)
        yield path


@posix_only
@pytest.mark.usefixtures("unix_socket")
def test_a_socket_is_not_opened(root: Path) -> None:
    assert "a socket" in only(read(root)).message


READ_IN_A_PROCESS = """
import sys
from pathlib import Path
from mlops_config.contract.reading.sources import read_sources
for finding in read_sources(Path(sys.argv[1]), "configs", ("dev", "prod"), ("dev", "prod")).findings:
    print(finding.code, finding.message)
"""


def read_in_a_process(root: Path, before: Callable[[], None] | None = None) -> str:
    """What a process of its own finds; it is stopped when it hangs on what it should not open."""
    command = [sys.executable, "-c", READ_IN_A_PROCESS, str(root)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=60, preexec_fn=before
    ).stdout


@posix_only
def test_a_named_pipe_keeps_nobody_waiting(root: Path) -> None:
    path = root / "configs" / "dev" / "dev_training_config.yaml"
    path.unlink()
    os.mkfifo(path)
    assert read_in_a_process(root).startswith("F07 dev_training_config.yaml is a named pipe")


@posix_only
def test_a_device_is_not_read(root: Path) -> None:
    path = root / "configs" / "dev" / "dev_training_config.yaml"
    path.unlink()
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("only root can make a device")
    assert read_in_a_process(root).startswith("F07 dev_training_config.yaml is a device")


@posix_only
def test_a_file_of_a_gigabyte_is_refused_by_its_size_alone(root: Path) -> None:
    import resource

    path = root / "configs" / "dev" / "dev_training_config.yaml"
    with path.open("wb") as file:
        file.truncate(2**30)

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))

    output = read_in_a_process(root, before=little_memory)
    assert output.startswith("Y13 the file has 1,073,741,824 bytes")


def test_a_file_is_refused_only_above_the_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_config.contract.reading.sources.MAX_BYTES", 20)
    folder = root / "configs" / "dev"
    (folder / "dev_training_config.yaml").write_bytes(b"x" * 20)
    (folder / "dev_inference_config.yaml").write_bytes(b"x" * 21)
    finding = only(read(root))
    assert (finding.code, file_of(finding)) == ("Y13", "configs/dev/dev_inference_config.yaml")


@contextmanager
def as_nobody() -> Iterator[None]:
    """A root process for whom the permissions of files hold."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix_only
def test_a_file_nobody_may_read_is_an_error(root: Path) -> None:
    if os.geteuid() != 0:
        (root / "configs" / "dev" / "dev_training_config.yaml").chmod(0)
        assert only(read(root)).code == "F08"
        return
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders can be entered by their owner only
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(root / "configs", folder / "configs")
        (folder / "configs" / "dev" / "dev_training_config.yaml").chmod(0o600)
        with as_nobody():
            finding = only(read(folder))
    assert finding.code == "F08"
    assert finding.message == "dev_training_config.yaml cannot be read: permission denied"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a name be any bytes")
def test_a_name_that_is_no_text_can_be_printed(root: Path) -> None:
    folder = os.fsencode(root / "configs" / "dev")
    with open(folder + b"/caf\xe9.yaml", "w"):  # noqa: PTH123 - pathlib takes no bytes
        pass
    finding = only(read(root))
    assert finding.code == "F03"
    assert finding.message.encode()
