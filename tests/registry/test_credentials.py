"""Credentials are found where docker login and its helpers keep them, and the place is told."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_config.errors import UsageError
from mlops_config.registry.credentials import config_file, find_credentials

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def config(tmp_path: Path) -> Write:
    """Writes a Docker configuration and returns its path."""

    def write(document: dict[str, Any]) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a credential helper on PATH: a shell script of the given body."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def make(name: str, body: str) -> None:
        script = folder / f"docker-credential-{name}"
        script.write_text(f'#!/bin/sh\n[ "$1" = get ] || exit 9\nread server\n{body}\n')
        script.chmod(0o755)

    return make


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_configuration_is_in_the_home_folder_unless_docker_config_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_file() == tmp_path / ".docker" / "config.json"
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    assert config_file() == tmp_path / "elsewhere" / "config.json"


def test_no_configuration_means_anonymous_and_says_where_it_looked(tmp_path: Path) -> None:
    found = find_credentials("ghcr.io", tmp_path / "config.json")
    assert found.anonymous
    assert found.source == f"{tmp_path / 'config.json'} (no such file)"


def test_an_entry_holds_user_and_password(config: Write) -> None:
    path = config({"auths": {"ghcr.io": {"auth": encoded("ada:a:b")}}})
    found = find_credentials("ghcr.io", path)
    assert (found.username, found.password, found.source) == ("ada", "a:b", str(path))


@pytest.mark.parametrize("key", ["https://ghcr.io", "https://ghcr.io/v1/", "ghcr.io/v2/", "http://ghcr.io"])
def test_an_entry_may_be_named_by_an_address(config: Write, key: str) -> None:
    found = find_credentials("ghcr.io", config({"auths": {key: {"auth": encoded("ada:x")}}}))
    assert found.username == "ada"


def test_an_entry_of_another_registry_is_not_taken(config: Write) -> None:
    path = config({"auths": {"ghcr.io.evil.example": {"auth": encoded("ada:x")}, "ghcr.io:8443": {}}})
    assert find_credentials("ghcr.io", path).anonymous


def test_docker_hub_has_a_name_of_its_own(config: Write) -> None:
    path = config({"auths": {"https://index.docker.io/v1/": {"auth": encoded("ada:x")}}})
    assert find_credentials("docker.io", path).username == "ada"


def test_an_entry_may_hold_tokens(config: Write) -> None:
    path = config({"auths": {"a.example": {"identitytoken": "i"}, "b.example": {"registrytoken": "r"}}})
    assert find_credentials("a.example", path).identity_token == "i"
    assert find_credentials("b.example", path).registry_token == "r"


def test_secrets_do_not_show_when_printed(config: Write) -> None:
    path = config({"auths": {"ghcr.io": {"auth": encoded("ada:hunter2"), "identitytoken": "hunter3"}}})
    assert "hunter" not in repr(find_credentials("ghcr.io", path))


def test_an_entry_that_is_not_base64_says_so(config: Write) -> None:
    with pytest.raises(UsageError, match="not base64") as wrong:
        find_credentials("ghcr.io", config({"auths": {"ghcr.io": {"auth": "%%%"}}}))
    assert wrong.value.hint == "run: docker login ghcr.io"


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_broken_configuration_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="JSON"):
        find_credentials("ghcr.io", path)


def test_a_helper_of_the_registry_is_asked_first(config: Write, helper: Callable[[str, str], None]) -> None:
    helper(
        "own", 'echo "{\\"ServerURL\\": \\"$server\\", \\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"'
    )
    path = config({"credHelpers": {"ghcr.io": "own"}, "auths": {"ghcr.io": {"auth": encoded("ada:x")}}})
    found = find_credentials("ghcr.io", path)
    assert (found.username, found.password, found.source) == ("ghcr.io", "s", "docker-credential-own")


def test_a_helper_may_give_an_identity_token(config: Write, helper: Callable[[str, str], None]) -> None:
    helper("own", 'echo \'{"Username": "<token>", "Secret": "refresh"}\'')
    found = find_credentials("ghcr.io", config({"credsStore": "own"}))
    assert (found.identity_token, found.password) == ("refresh", None)


def test_where_the_default_helper_has_none_the_file_is_read(
    config: Write, helper: Callable[[str, str], None]
) -> None:
    helper("own", "echo 'credentials not found in native keychain'; exit 1")
    path = config({"credsStore": "own", "auths": {"ghcr.io": {"auth": encoded("ada:x")}}})
    assert find_credentials("ghcr.io", path).username == "ada"


def test_all_places_without_credentials_are_told(config: Write, helper: Callable[[str, str], None]) -> None:
    helper("own", "echo 'credentials not found in native keychain'; exit 1")
    path = config({"credsStore": "gone", "credHelpers": {"ghcr.io": "own"}})
    found = find_credentials("ghcr.io", path)
    assert found.source == (
        f"docker-credential-own (it has none for ghcr.io), docker-credential-gone (not on PATH), {path}"
    )


def test_a_registrys_helper_that_is_missing_is_named(config: Write) -> None:
    with pytest.raises(UsageError, match=r"docker-credential-gone for .* no such program"):
        find_credentials("ghcr.io", config({"credHelpers": {"ghcr.io": "gone"}}))


def test_a_registrys_helper_that_fails_says_what_it_said(
    config: Write, helper: Callable[[str, str], None]
) -> None:
    helper("own", "echo 'token expired, log in again' >&2; exit 1")
    with pytest.raises(UsageError, match=r"docker-credential-own failed for ghcr\.io: token expired"):
        find_credentials("ghcr.io", config({"credHelpers": {"ghcr.io": "own"}}))


def test_a_helper_that_talks_nonsense_is_named(config: Write, helper: Callable[[str, str], None]) -> None:
    helper("own", "echo nonsense")
    with pytest.raises(UsageError, match="docker-credential-own gave no usable answer"):
        find_credentials("ghcr.io", config({"credHelpers": {"ghcr.io": "own"}}))
