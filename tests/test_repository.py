"""House rules that no linter knows: what may stand in a tracked file, and what must agree with what."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import mlops_config

ROOT = Path(__file__).resolve().parent.parent


@cache
def tracked() -> tuple[Path, ...]:
    """Every file git knows or would add, relative to the root: so a new file is checked before its commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return tuple(Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """The file's text, or None for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def matches(pattern: str, *, beside: tuple[str, ...] = ()) -> list[str]:
    """``file:line: text`` of every line of a tracked text file that matches."""
    compiled = re.compile(pattern)
    found = []
    for path in tracked():
        if path.as_posix() in beside or (text := text_of(path)) is None:
            continue
        found += [
            f"{path}:{number}: {line.strip()[:160]}"
            for number, line in enumerate(text.splitlines(), 1)
            if compiled.search(line)
        ]
    return found


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    # Written in pieces, or this file would be found.
    assert not matches(
        r"(?<![\w/.-])/(work/(main|shared|\.library)|root/|home/(?!runner/|airflow/gcs/)[a-z]+/|Users/[a-z]+/)"
    )
    assert not matches("bash" + "_jobs")


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = ["pypi" + r"\.org", "python" + r"hosted\.org", "npmjs" + r"\.(org|com)", "deb" + r"\.debian\.org"]
    assert not matches("|".join(hosts))


def test_no_file_holds_a_note_to_do_something_later() -> None:
    assert not matches(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")


def test_every_text_file_ends_its_lines_with_lf_alone_and_has_a_last_one() -> None:
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if data and text_of(path) is not None and "\0" not in data.decode() and not is_bad_on_purpose(path):
            assert b"\r\n" not in data, path
            assert data.endswith(b"\n"), path


def is_bad_on_purpose(path: Path) -> bool:
    """Whether the file is a sample of bad input."""
    return "tests" in path.parts and path.suffix != ".py"


def test_a_source_file_fits_in_a_readers_head() -> None:
    # Longer than 400 lines needs a reason, written beside the name here.
    allowed: dict[str, str] = {}
    lengths = {
        path.as_posix(): len((ROOT / path).read_text(encoding="utf-8").splitlines())
        for path in tracked()
        if path.suffix == ".py" and path.parts[0] in {"src", "action", "tools", "benchmarks"}
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400 and name not in allowed} == {}
    assert [name for name in allowed if lengths.get(name, 0) <= 400] == []


def test_no_module_is_named_after_nothing_in_particular() -> None:
    vague = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
    assert [
        path for path in tracked() if path.suffix == ".py" and vague & {*path.parts[:-1], path.stem}
    ] == []


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", mlops_config.__version__)
    literal = re.escape(f'"{mlops_config.__version__}"')
    package_files = [hit for hit in matches(rf"version\w*\s*(=|:)\s*{literal}") if hit.startswith("src/")]
    assert [hit.split(":")[0] for hit in package_files] == ["src/mlops_config/__init__.py"]


def test_the_changelog_follows_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    release = r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}"
    assert [heading for heading in headings[1:] if not re.fullmatch(release, heading)] == []
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds
    for heading in headings:
        name = heading.split("]")[0].lstrip("[")
        assert re.search(rf"^\[{re.escape(name)}\]: https://", text, re.MULTILINE), f"no link for {name}"


def test_the_changelog_knows_the_version_being_made() -> None:
    assert mlops_config.__version__ in (ROOT / "CHANGELOG.md").read_text()


def without_code(text: str) -> str:
    """The Markdown with fenced blocks and code spans blanked."""
    text = re.sub(r"^( *)(```|~~~).*?^\1\2", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "``", text)


def anchors(path: Path) -> set[str]:
    """The anchors GitHub gives the headings of a Markdown file, and those set by hand."""
    text = re.sub(r"^( *)(```|~~~).*?^\1\2", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    seen: Counter[str] = Counter()
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for title in re.findall(r"^#{1,6} +(.*?) *#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@pytest.mark.parametrize("page", [p for p in tracked() if p.suffix == ".md"], ids=str)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = without_code((ROOT / page).read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", text)
    targets += re.findall(r"^\[[^\]]+\]: +(\S+)", text, re.MULTILINE)
    targets += re.findall(r'(?:src|href|srcset)="([^"]+)"', text)
    dead = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / page.parent / name) if name else ROOT / page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = set()
    waiting = [index]
    while waiting:
        page = waiting.pop()
        linked.add(page)
        for target in re.findall(r"\]\(<?([^)\s>#]+)[^)]*\)", without_code(page.read_text(encoding="utf-8"))):
            file = (page.parent / target).resolve()
            if file.is_dir():
                linked |= set(file.glob("*.md"))
            elif file.suffix == ".md" and file.exists() and file not in linked and file not in waiting:
                waiting.append(file)
    pages = {ROOT / path for path in tracked() if path.suffix == ".md" and path.parts[0] == "docs"}
    assert sorted(str(page.relative_to(ROOT)) for page in pages - linked) == []


def generators() -> list[Path]:
    """The tools that write what is generated from this repository alone, and can tell whether it is stale."""
    tools = sorted((ROOT / "tools").glob("*.py"))
    return [tool for tool in tools if '"--check"' in tool.read_text(encoding="utf-8")]


@pytest.mark.parametrize("tool", generators(), ids=lambda tool: tool.stem)
def test_what_is_generated_is_up_to_date(tool: Path) -> None:
    done = subprocess.run(
        [sys.executable, tool, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run `make docs`\n{done.stdout}{done.stderr}"
