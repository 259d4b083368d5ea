"""Logging in to real registries: by password, by token server, by refresh token, and being refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.services.certificates import make_certificate
from tests.services.flaky_proxy import Answer, flaky_proxy
from tests.services.registry import PASSWORD, USER, Registry, running_registry
from tests.services.token_server import REFRESH_TOKEN, TokenServer, running_token_server

from mlops_config.errors import ServiceError
from mlops_config.http import HttpClient
from mlops_config.registry.auth import Challenge, is_loopback, parse_challenges
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.credentials import Credentials
from mlops_config.registry.reference import Reference
from mlops_config.retrying import Retries

NOBODY = Credentials("nowhere")
ADA = Credentials("the test", USER, PASSWORD)
WRONG = Credentials("the test", USER, "wrong")

Connect = Callable[[str, Credentials], RegistryClient]


def never(seconds: float) -> None:
    """In place of sleeping: what is refused must not be tried again."""
    raise AssertionError(f"waited {seconds} s")


def connect_to(host: str) -> Connect:
    http = HttpClient(retries=Retries(sleep=never))
    return lambda name, found: RegistryClient(Reference(host, name), http=http, find=lambda _: found)


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Basic realm="a b"', [Challenge("basic", {"realm": "a b"})]),
        (
            'Bearer realm="https://x/t",service="s",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer", {"realm": "https://x/t", "service": "s", "scope": "repository:a/b:pull,push"}
                )
            ],
        ),
        (
            'BASIC realm="say \\"x\\"", bearer realm=y , error="a, b=c"',
            [
                Challenge("basic", {"realm": 'say "x"'}),
                Challenge("bearer", {"realm": "y", "error": "a, b=c"}),
            ],
        ),
        ("Negotiate", []),
        ("", []),
        ('realm="of nothing"', []),
    ],
)
def test_challenges_are_read(header: str, challenges: list[Challenge]) -> None:
    assert parse_challenges(header) == challenges


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.10", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("ghcr.io", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.e2e
class TestPassword:
    """A registry that asks for Basic."""

    @pytest.fixture
    def connect(self, locked_registry: Registry) -> Connect:
        return connect_to(locked_registry.host)

    def test_the_right_password_may_write_and_read(self, connect: Connect) -> None:
        client = connect("acme/fares", ADA)
        assert client.blob(client.push_blob(b"hello")) == b"hello"

    def test_without_credentials_the_error_says_where_none_were_found(
        self, connect: Connect, locked_registry: Registry
    ) -> None:
        with pytest.raises(ServiceError) as refused:
            connect("acme/fares", NOBODY).head("prod")
        assert (
            f"{locked_registry.host} wants credentials; none were found in nowhere" in refused.value.message
        )
        assert refused.value.hint == f"run: docker login {locked_registry.host}"

    def test_a_wrong_password_fails_at_once_and_names_registry_user_and_source(
        self, connect: Connect, locked_registry: Registry
    ) -> None:
        with pytest.raises(ServiceError) as refused:
            connect("acme/fares", WRONG).push_blob(b"hello")
        expected = f"{locked_registry.host} refuses the credentials of user 'ada' from the test"
        assert expected in refused.value.message
        assert "wrong" not in refused.value.message


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """A token server that knows one user."""
    with running_token_server(make_certificate(tmp_path_factory.mktemp("certificate"))) as running:
        yield running


@pytest.fixture(scope="module")
def token_registry(tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that trusts it."""
    with running_registry(tmp_path_factory.mktemp("token-registry"), auth=tokens.auth) as running:
        yield running


@pytest.mark.e2e
class TestTokenServer:
    """A registry that sends its clients to a token server."""

    @pytest.fixture
    def connect(self, token_registry: Registry, tokens: TokenServer) -> Connect:
        tokens.asked.clear()
        return connect_to(token_registry.host)

    def test_user_and_password_are_exchanged_for_a_token(self, connect: Connect) -> None:
        client = connect("acme/fares", ADA)
        assert client.blob(client.push_blob(b"hello")) == b"hello"

    def test_a_refresh_token_is_exchanged_for_a_token(self, connect: Connect, tokens: TokenServer) -> None:
        client = connect("acme/fares", Credentials("the test", identity_token=REFRESH_TOKEN))
        assert client.blob(client.push_blob(b"hello")) == b"hello"
        assert {asked["method"] for asked in tokens.asked} == {"POST"}

    def test_an_access_token_is_shown_as_it_is(self, connect: Connect, tokens: TokenServer) -> None:
        token = tokens.token("repository:acme/fares:pull,push", known=True)
        client = connect("acme/fares", Credentials("the test", registry_token=token))
        assert client.blob(client.push_blob(b"hello")) == b"hello"
        assert tokens.asked == []

    def test_a_token_is_asked_for_once_and_only_for_what_is_needed(
        self, connect: Connect, tokens: TokenServer
    ) -> None:
        client = connect("acme/fares", ADA)
        for number in range(3):
            client.push_blob(f"{number}".encode())
            client.head("prod")
        assert [asked["scope"] for asked in tokens.asked] == [
            "repository:acme/fares:pull,push",
            "repository:acme/fares:pull",
        ]

    def test_a_token_that_ran_out_is_renewed(
        self, connect: Connect, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tokens, "lifetime_seconds", -3600)
        client = connect("acme/fares", ADA)
        with pytest.raises(ServiceError, match="refuses the credentials"):
            client.push_blob(b"hello")
        monkeypatch.setattr(tokens, "lifetime_seconds", 300)
        assert client.push_blob(b"hello").size == 5

    def test_everyone_may_read_what_is_open(self, connect: Connect) -> None:
        connect("open/fares", ADA).push_blob(b"hello")
        assert connect("open/fares", NOBODY).head("prod") is None

    def test_without_credentials_nothing_is_written(self, connect: Connect) -> None:
        with pytest.raises(ServiceError, match="wants credentials; none were found in nowhere"):
            connect("open/fares", NOBODY).push_blob(b"not there yet")

    def test_a_wrong_password_fails_at_once(self, connect: Connect) -> None:
        with pytest.raises(ServiceError, match="refuses the credentials of user 'ada' from the test"):
            connect("acme/fares", WRONG).push_blob(b"hello")

    def test_a_refresh_token_that_is_not_known_fails_at_once(self, connect: Connect) -> None:
        with pytest.raises(ServiceError, match="refuses the credentials from the test"):
            connect("acme/fares", Credentials("the test", identity_token="old")).push_blob(b"hello")

    def test_a_user_without_the_permission_is_told_so(self, connect: Connect) -> None:
        with pytest.raises(ServiceError, match="refuses the credentials of user 'ada'") as refused:
            connect("locked/fares", ADA).push_blob(b"hello")
        assert refused.value.hint
        assert "permission" in refused.value.hint

    def test_a_token_is_not_asked_for_over_plain_http_elsewhere(self, registry: Registry) -> None:
        header = {"WWW-Authenticate": 'Bearer realm="http://registry.example/token",service="s"'}
        with flaky_proxy(registry.host) as proxy:
            proxy.fail(Answer(401, header))
            with pytest.raises(ServiceError, match="only go to https"):
                connect_to(proxy.host)("acme/fares", ADA).head("prod")

    @pytest.mark.parametrize("answer", [Answer(200, body=b"{}"), Answer(200, body=b"hello"), Answer(404)])
    def test_a_token_server_that_gives_no_token_is_told(self, registry: Registry, answer: Answer) -> None:
        with flaky_proxy(registry.host) as proxy:
            proxy.fail(Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{proxy.host}/token"'}))
            proxy.fail(answer)
            with pytest.raises(ServiceError, match=r"logging in to .* holds no token"):
                connect_to(proxy.host)("acme/fares", ADA).head("prod")

    @pytest.mark.parametrize("header", [{}, {"WWW-Authenticate": 'Digest realm="x"'}])
    def test_a_way_to_log_in_that_is_not_known_is_told(
        self, registry: Registry, header: dict[str, str]
    ) -> None:
        with flaky_proxy(registry.host) as proxy:
            proxy.fail(Answer(401, header))
            with pytest.raises(ServiceError, match="no way to log in that we know"):
                connect_to(proxy.host)("acme/fares", ADA).head("prod")


@pytest.mark.e2e
def test_a_registry_with_a_certificate_of_its_own_is_reached_when_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    with running_registry(tmp_path / "registry", certificate=certificate) as registry:
        reference = Reference(registry.host, "acme/fares")
        http = HttpClient(retries=Retries(sleep=never))
        client = RegistryClient(reference, http=http, find=lambda _: NOBODY, plain_http=False)
        with pytest.raises(ServiceError, match="cannot be reached safely") as refused:
            client.head("prod")
        assert refused.value.hint
        assert "REQUESTS_CA_BUNDLE" in refused.value.hint
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
        assert client.blob(client.push_blob(b"hello")) == b"hello"
