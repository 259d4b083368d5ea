"""tools/publish_release.py: what is tagged, what follows, and what the notes say."""

import importlib.util
from pathlib import Path

import pytest

from mlops_config.errors import UsageError
from mlops_config.github.context import GitHubContext

ROOT = Path(__file__).resolve().parents[2]
SHA, OTHER = "a" * 40, "b" * 40
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-30

### Added

- Something.

## [1.1.0] - 2026-11-01

- Older.

[1.2.0]: https://example.org
"""


def load():
    spec = importlib.util.spec_from_file_location("publish_release", ROOT / "tools" / "publish_release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load()


class Forge:
    """Tags of a repository, and what was asked of it."""

    def __init__(self, **tags):
        self.tags = {name.replace("_", "."): sha for name, sha in tags.items()}
        self.asked = []

    def pages(self, path):
        assert path == "/git/matching-refs/tags/v"
        return [{"ref": f"refs/tags/{name}", "object": {"sha": sha}} for name, sha in self.tags.items()]

    def post(self, path, body):
        self.asked.append(("POST", path, body))

    def patch(self, path, body):
        self.asked.append(("PATCH", path, body))


def context(tmp_path, ref="refs/heads/main"):
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"default_branch": "main"}}')
    return GitHubContext.from_env(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "org/mlops-config-action",
            "GITHUB_SHA": SHA,
            "GITHUB_REF": ref,
            "GITHUB_EVENT_NAME": "workflow_dispatch",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_RUN_ID": "1",
        }
    )


@pytest.fixture
def publish(tmp_path):
    def publish(forge, version="1.2.0", ref="refs/heads/main"):
        tool.publish(forge, context(tmp_path, ref), version, CHANGELOG)
        return forge.asked

    return publish


def test_the_first_version_makes_its_release_and_the_tags_that_follow(publish):
    release, major, minor = publish(Forge())
    assert release[:2] == ("POST", "/releases")
    assert (release[2]["tag_name"], release[2]["target_commitish"]) == ("v1.2.0", SHA)
    assert release[2]["body"] == "### Added\n\n- Something."
    assert major == ("POST", "/git/refs", {"ref": "refs/tags/v1", "sha": SHA})
    assert minor == ("POST", "/git/refs", {"ref": "refs/tags/v1.2", "sha": SHA})


def test_the_notes_compare_with_the_version_before_whatever_v1_points_at(publish):
    asked = publish(Forge(v1=OTHER, v1_0_0=OTHER, v1_1_0=OTHER, v1_9=OTHER))
    body = asked[0][2]["body"]
    assert body.endswith("https://github.com/org/mlops-config-action/compare/v1.1.0...v1.2.0")


def test_a_tag_that_is_there_is_moved(publish):
    asked = publish(Forge(v1=OTHER, v1_1_0=OTHER))
    assert ("PATCH", "/git/refs/tags/v1", {"sha": SHA, "force": True}) in asked


def test_a_patch_of_an_older_line_moves_only_its_own_line(publish):
    asked = publish(Forge(v1=OTHER, v1_2=OTHER, v1_3_0=OTHER, v2_0_0=OTHER))
    assert asked[0][2]["make_latest"] == "false"
    assert [each[1] for each in asked[1:]] == ["/git/refs/tags/v1.2"]


def test_versions_are_compared_as_numbers(publish):
    asked = publish(Forge(v1_1_9=OTHER, v1_1_10=OTHER))
    assert "compare/v1.1.10..." in asked[0][2]["body"]


def test_starting_again_goes_on_where_it_stopped(publish):
    assert publish(Forge(v1_2_0=SHA, v1=SHA, v1_2=OTHER)) == [
        ("PATCH", "/git/refs/tags/v1.2", {"sha": SHA, "force": True})
    ]


@pytest.mark.parametrize(
    ("version", "ref", "said"),
    [
        ("1.2.0", "refs/heads/topic", "releases are made from main"),
        ("1.3.0", "refs/heads/main", r"CHANGELOG.md has no section \[1.3.0\]"),
        ("1.1.0", "refs/heads/main", "v1.1.0 is out already, at bbbbbbbbbbbb"),
        ("1.2", "refs/heads/main", "1.2 is no version"),
    ],
)
def test_what_cannot_be_released_is_refused_before_anything_is_made(publish, version, ref, said):
    forge = Forge(v1_1_0=OTHER)
    with pytest.raises(UsageError, match=said):
        publish(forge, version, ref)
    assert forge.asked == []
