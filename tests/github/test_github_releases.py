"""The tag's release is made or updated, and what people wrote into it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.github_api import GitHubApi

from mlops_config.errors import UsageError
from mlops_config.github.client import PermissionDeniedError, RejectedError
from mlops_config.github.limits import RELEASE_CHARACTERS
from mlops_config.github.releases import publish_release, with_section

TAG = "release/v1.2.0"
KEY = "fares/prod"
REST = "*Cut here: the rest is in the artifact.*"


def publish(client, section="notes", *, tag=TAG, key=KEY, **changes):
    return publish_release(client, tag, name="fares 1.2.0", key=key, section=section, rest=REST, **changes)


def test_the_release_is_made(api, client):
    result = publish(client)
    (release,) = api.state.releases
    assert result.created
    assert result.url.endswith("/releases/tag/release/v1.2.0")
    assert (release["tag_name"], release["name"], release["draft"]) == (TAG, "fares 1.2.0", False)
    assert "\nnotes\n" in release["body"]


def test_a_release_candidate_is_a_prerelease_and_a_draft_a_draft(api, client):
    publish(client, prerelease=True, draft=True)
    (release,) = api.state.releases
    assert release["prerelease"]
    assert release["draft"]


def test_hand_written_text_survives_an_update(api, client):
    publish(client, "old notes")
    release = api.state.releases[0]
    release["body"] = f"# Dear users\r\n\r\n{release['body']}\r\nThanks to all.\r\n"
    result = publish(client, "new notes")
    assert not result.created
    assert release["body"].startswith("# Dear users\r\n\r\n<!--")
    assert release["body"].endswith("-->\n\r\nThanks to all.\r\n")
    assert "new notes" in release["body"]
    assert "old notes" not in release["body"]


def test_a_release_made_by_hand_gets_a_section_and_keeps_name_and_state(api, client):
    api.add_release(TAG, name="Summer", body="Hello.", prerelease=True)
    publish(client, prerelease=False)
    (release,) = api.state.releases
    assert (release["name"], release["prerelease"]) == ("Summer", True)
    assert release["body"].startswith("Hello.\n\n<!--")


def test_a_draft_of_the_tag_is_found_and_stays_a_draft(api, client):
    for number in range(120):
        api.add_release(f"v0.{number}")
    draft = api.add_release(TAG, draft=True, body="Soon.")
    publish(client)
    assert len(api.state.releases) == 121
    assert draft["draft"]
    assert "notes" in draft["body"]


def test_two_environments_have_a_section_each(api, client):
    publish(client, "for staging", key="fares/staging")
    publish(client, "for prod", key="fares/prod")
    publish(client, "again for staging", key="fares/staging")
    body = api.state.releases[0]["body"]
    assert body.index("again for staging") < body.index("for prod")
    assert body.count(":begin ") == 2


def test_the_same_notes_are_not_sent_again(api, client):
    publish(client)
    del api.state.requests[:]
    publish(client)
    assert [request.split()[0] for request in api.state.requests] == ["GET"]


def test_a_release_made_meanwhile_is_updated(api, client):
    def other_run_comes_first(request):
        if request.method == "POST" and not api.state.releases:
            api.add_release(TAG, body="By the other run.")

    api.before = other_run_comes_first
    result = publish(client)
    (release,) = api.state.releases
    assert not result.created
    assert release["body"].startswith("By the other run.\n\n<!--")


def test_a_lost_answer_does_not_make_a_second_release(api, client):
    api.answer_next(None, method="POST", carried_out=True)
    publish(client)
    assert len(api.state.releases) == 1


def test_a_missing_tag_is_not_made_by_the_way(api, client):
    with pytest.raises(UsageError, match=r"no tag 'release/v9\.9\.9'"):
        publish(client, tag="release/v9.9.9")
    assert api.state.releases == []
    assert "release/v9.9.9" not in api.state.tags


def test_a_token_that_may_not_write_is_refused(connect):
    with pytest.raises(PermissionDeniedError) as caught:
        publish(connect("fork-token"))
    assert "contents: write" in caught.value.hint


def test_another_refusal_is_passed_on(api, client):
    api.answer_next(422, "Validation Failed", method="POST")
    with pytest.raises(RejectedError):
        publish(client)


def test_notes_beyond_the_limit_are_cut_and_the_hand_written_text_is_not(api, client):
    written = "By hand.\n" * 1_000
    api.add_release(TAG, body=written)
    publish(client, "a line of notes\n" * 10_000)
    body = api.state.releases[0]["body"]
    assert body.startswith(written.rstrip())
    assert RELEASE_CHARACTERS - 40 < len(body) <= RELEASE_CHARACTERS
    assert f"{REST}\n<!-- mlops-config-action:end" in body


def test_the_stand_in_makes_a_missing_tag_as_github_does():
    api = GitHubApi()
    api.add_release("new")
    assert "new" in api.state.tags


def test_a_section_whose_end_was_deleted_loses_nothing():
    body = with_section("", KEY, "old").replace("mlops-config-action:end", "gone") + "by hand"
    assert with_section(body, KEY, "new").endswith("by hand")


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(before=TEXT, section=TEXT, again=TEXT)
def test_putting_a_section_in_again_replaces_it_alone(before, section, again):
    once = with_section(before, KEY, section)
    assert once.startswith(before.rstrip())
    assert with_section(once, KEY, section) == once
    assert with_section(once, KEY, again) == with_section(before, KEY, again)


@given(section=TEXT)
def test_a_section_cannot_end_itself(section):
    hostile = f"{with_section('', KEY, section)}{section}"
    body = with_section("", KEY, hostile) + "by hand"
    assert with_section(body, KEY, "new").endswith("-->\nby hand")
