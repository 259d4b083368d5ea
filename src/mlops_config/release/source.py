"""Where the files come from: what git says of the checkout, or what GitHub Actions says where it runs."""

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.settings import DEFAULT_BRANCH, Settings

GIT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is known of the checkout before anything is built."""

    repository: str | None
    """``owner/name`` on the forge, else the remote's address without credentials; ``None`` for a folder."""
    commit: str | None
    """Full SHA, or ``None`` outside git or before the first commit."""
    commit_time: datetime | None
    """When it was committed, UTC."""
    ref: str | None
    """``refs/…``, or ``None`` for a detached HEAD that nothing names."""
    default_branch: str
    changed: tuple[str, ...]
    """Paths of tracked files that differ from the commit, and of untracked files among ``inputs``."""

    @property
    def dirty(self) -> bool:
        """Whether the work tree differs from the commit."""
        return bool(self.changed)


@dataclass(frozen=True, slots=True)
class Target:
    """What a ref releases: the environment, and the version where the ref names one."""

    environment: str
    version: str | None


def read_checkout(
    root: Path, inputs: list[Path], *, ref: str | None = None, default_branch: str | None = None
) -> Checkout:
    """What git knows of ``root``; a folder outside git gives a checkout without commit.

    ``inputs`` are the paths a release is made from: an untracked file there counts as a change. ``ref`` and
    ``default_branch`` are what the CI service says, which knows better than a detached checkout.

    Raises:
        UsageError: git is there but refuses to read the checkout (foreign owner, broken repository).
    """
    if _git(root, "rev-parse", "--is-inside-work-tree") is None:
        return Checkout(None, None, None, ref, default_branch or "main", ())
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    remote = _git(root, "remote", "get-url", "origin")
    return Checkout(
        repository=_repository_name(remote) if remote else None,
        commit=commit,
        commit_time=_commit_time(root) if commit else None,
        ref=ref or _git(root, "symbolic-ref", "--quiet", "HEAD"),
        default_branch=default_branch or _default_branch(root),
        changed=_changed(root, inputs) if commit else (),
    )


def extract_at_commit(root: Path, commit: str, path: str, folder: Path) -> None:
    """Writes what ``path`` (relative to ``root``) held at ``commit`` below ``folder``, if anything.

    Links are left out: a configuration folder has none.

    Raises:
        UsageError: the commit is not in this clone (a shallow one, as a rule).
    """
    if _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise UsageError(
            f"commit {commit[:12]} is not in this clone",
            hint="a shallow clone lacks history: fetch it with 'git fetch --depth=1 origin <commit>',"
            " or set fetch-depth: 0 on actions/checkout",
        )
    result = _run(root, "archive", "--format=tar", commit, "--", path)
    if result is None or result.returncode != 0:
        return
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        for member in archive:
            if member.isreg() or member.isdir():
                archive.extract(member, folder, filter="data")


def target_of(ref: str | None, settings: Settings, *, default_branch: str) -> Target:
    """The environment and version that ``ref`` releases to by the settings' ref rules.

    Raises:
        UsageError: there is no ref (a detached HEAD), no rule matches it, or the rule is one of the defaults
            and its environment none of the settings'.
    """
    if ref is None:
        raise UsageError(
            "HEAD is detached, so no branch or tag says which environment this is for",
            hint="name it with --environment, or the ref with --ref refs/tags/release/v1.2.0",
        )
    target = next(_targets(ref, settings, default_branch), None)
    if target is not None and target.environment not in settings.environments:
        known = ", ".join(settings.environments)
        raise UsageError(
            f"{ref} releases to {target.environment}, and environments are {known}",
            hint="write 'refs' into mlops-config.yaml: the defaults are for dev, staging and prod",
        )
    if target is not None:
        return target
    known = "\n".join(
        f"  {_described(rule.match, default_branch)} -> {rule.environment}" for rule in settings.refs
    )
    raise UsageError(
        f"no environment belongs to {ref}; the rules are\n{known}",
        hint="name the environment with --environment, or add a rule under 'refs' in mlops-config.yaml",
    )


def _targets(ref: str, settings: Settings, default_branch: str) -> Iterator[Target]:
    for rule in settings.refs:
        if rule.match == DEFAULT_BRANCH:
            if ref == f"refs/heads/{default_branch}":
                yield Target(rule.environment, None)
        elif match := re.fullmatch(rule.match, ref):
            yield Target(rule.environment, match.groupdict().get("version"))


def _described(match: str, default_branch: str) -> str:
    return f"refs/heads/{default_branch}" if match == DEFAULT_BRANCH else match


def _repository_name(remote: str) -> str | None:
    """``owner/name`` on a forge, another address without its credentials, nothing for a folder."""
    address = re.sub(r"^(\w+://)[^/@]*@", r"\1", remote)
    on_forge = re.fullmatch(
        r"(?:(?!file)\w+://[^/]+/|[\w.-]+@[\w.-]+:)([\w.-]+/[\w.-]+?)(?:\.git)?/?", address
    )
    if on_forge:
        return on_forge[1]
    is_folder = "://" not in address or address.startswith("file:")
    return None if is_folder else address


def _default_branch(root: Path) -> str:
    remote_head = _git(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    return remote_head.removeprefix("origin/") if remote_head else "main"


def _commit_time(root: Path) -> datetime | None:
    seconds = _git(root, "show", "--no-patch", "--format=%ct", "HEAD")
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None


def _changed(root: Path, inputs: list[Path]) -> tuple[str, ...]:
    tracked = (
        _git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", ":/") or ""
    )
    untracked = ""
    present = [str(path) for path in inputs if path.exists()]
    if present:
        untracked = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *present) or ""
    paths = {entry[3:] for entry in tracked.split("\0") if entry} | {
        path for path in untracked.split("\0") if path
    }
    return tuple(sorted(paths))


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or ``None`` where it says no."""
    result = _run(root, *arguments)
    if result is None:
        return None
    if result.returncode == 0:
        return result.stdout.decode("utf-8", "surrogateescape").strip("\n")
    complaint = result.stderr.decode("utf-8", "replace").strip()
    if "dubious ownership" in complaint:
        raise UsageError(
            f"git does not trust {root}, which belongs to another user",
            hint=f"tell it to: git config --global --add safe.directory '{root}'",
        )
    return None


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes] | None":
    command = ["git", "-C", str(root), "--no-optional-locks", *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=GIT_TIMEOUT_S)  # noqa: S603 a list, no shell
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"git did not answer within {GIT_TIMEOUT_S} s: git {arguments[0]}") from error
