"""References are read as Docker reads them."""

import pytest

from mlops_config.errors import UsageError
from mlops_config.registry.reference import Reference

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("alpine", "docker.io", "library/alpine", None, None),
        ("alpine:3.20", "docker.io", "library/alpine", "3.20", None),
        ("acme/fares", "docker.io", "acme/fares", None, None),
        ("docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/acme/fares", "docker.io", "acme/fares", None, None),
        ("ghcr.io/acme/fares:1.2.0", "ghcr.io", "acme/fares", "1.2.0", None),
        ("localhost/fares", "localhost", "fares", None, None),
        ("localhost:5000/fares:prod", "localhost:5000", "fares", "prod", None),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c", None, None),
        ("[::1]:5000/fares", "[::1]:5000", "fares", None, None),
        (f"ghcr.io/acme/fares@{DIGEST}", "ghcr.io", "acme/fares", None, DIGEST),
        (f"ghcr.io/acme/fares:x@{DIGEST}", "ghcr.io", "acme/fares", "x", DIGEST),
        ("REGISTRY/fares", "REGISTRY", "fares", None, None),
        ("ghcr.io/a__b/c-d.e_f--g", "ghcr.io", "a__b/c-d.e_f--g", None, None),
    ],
)
def test_a_reference_is_read(
    text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    assert Reference.parse(text) == Reference(registry, repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ghcr.io/",
        "ghcr.io/Acme/fares",
        "ghcr.io/acme//fares",
        "ghcr.io/acme/fares:",
        "ghcr.io/acme/fares:a b",
        "ghcr.io/acme/fares:.x",
        "ghcr.io/acme/fares:" + "x" * 129,
        "ghcr.io/acme/fares@sha256:12",
        "ghcr.io/acme/fares@md5:" + "0" * 32,
        "https://ghcr.io/acme/fares",
        "user:secret@ghcr.io/acme/fares",
        "ghcr.io/acme/../fares",
        "ghcr.io:port/fares",
        "ghcr.io/" + "a" * 260,
        "ghcr.io/acme/fares\n",
    ],
)
def test_what_is_no_reference_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        Reference.parse(text)


def test_a_reference_is_written_as_it_was_read() -> None:
    text = f"localhost:5000/acme/fares:prod@{DIGEST}"
    reference = Reference.parse(text)
    assert str(reference) == text
    assert str(reference.tagged("dev")) == "localhost:5000/acme/fares:dev"
    assert str(reference.at(DIGEST)) == f"localhost:5000/acme/fares@{DIGEST}"
    assert reference.name == "localhost:5000/acme/fares"
