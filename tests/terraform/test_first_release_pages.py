"""What the pages from an empty account to a first release say of GitHub, where no test can follow them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOUDS = ("aws", "gcp")


def shell(cloud: str) -> str:
    """What a reader types, without the answers."""
    text = (ROOT / "docs" / f"first-release-{cloud}.md").read_text("utf-8")
    blocks = re.findall(r"^```(sh|console)\n(.*?)^```", text, re.M | re.S)
    return "".join(block for _, block in blocks)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_repository_has_a_remote_before_one_is_needed(cloud: str) -> None:
    typed = shell(cloud)
    named = typed.index("git remote add origin https://github.com/acme/fares.git")
    needs = re.compile(r"^git push|^gh (?!api)|\| gh ", re.M)

    assert [found.start() for found in needs.finditer(typed) if found.start() < named] == []
    assert len(needs.findall(typed)) >= 5


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_file_that_is_to_be_edited_is_copied_as_it_is(cloud: str) -> None:
    """What a command replaces in it may be something else by now."""
    example = ROOT / "terraform" / "bootstrap" / cloud / "backend_override.tf.example"

    assert f"cp {example.name} backend_override.tf " in shell(cloud)
    assert example.exists()
