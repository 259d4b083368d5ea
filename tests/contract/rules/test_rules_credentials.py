"""Credentials are told from ordinary values, and their text never shows."""

import pytest
from tests.contract.rules.example_configs import change, configs

from mlops_config.contract.rules.credentials import looks_like, names_a_secret
from mlops_config.contract.rules.engine import check

A = "aB3" * 20
"""The random part; whole tokens are put together here, so that no scanner takes them for a leak."""

CREDENTIALS = {
    "-----BEGIN RSA PRIVATE " + "KEY-----": "a private key",
    "AKIA" + "IOSFODNN7EXAMPLE": "an AWS access key id",
    "ASIA" + "IOSFODNN7EXAMPLE": "an AWS access key id",
    "https://b.s3.amazonaws.com/k?X-Amz-" + "Signature=0": "a signed AWS URL",
    "https://storage.googleapis.com/b/k?X-Goog-" + "Signature=0": "a signed Google Cloud URL",
    "AccountKey" + f"={A}": "an Azure storage key",
    f"https://x.blob.core.windows.net/c?sv=1&sig={A}": "an Azure storage signature",
    "AIza" + A[:35]: "a Google API key",
    "ya29." + A: "a Google OAuth token",
    "ghp_" + A[:36]: "a GitHub token",
    "ghs_" + A[:36]: "a GitHub token",
    "github_pat_" + A: "a GitHub token",
    "glpat-" + A[:20]: "a GitLab token",
    "xoxb-" + A: "a Slack token",
    "https://hooks.slack.com/services/" + A: "a Slack webhook address",
    "dapi" + "0123456789abcdef" * 2: "a Databricks token",
    "hf_" + A[:34]: "a Hugging Face token",
    "npm_" + A[:36]: "a package index token",
    "sk_live_" + A[:24]: "a Stripe key",
    "SG." + A[:22] + "." + A[:43]: "a SendGrid key",
    "sk-" + A[:40]: "an API key",
    "eyJ" + A[:20] + ".eyJ" + A[:20] + "." + A[:20]: "a signed token (JWT)",
    "https://user:" + "geheim@host.example/x": "a password in a URL",
}


@pytest.mark.parametrize(("value", "what"), CREDENTIALS.items(), ids=range(len(CREDENTIALS)))
def test_credentials_are_known_by_their_shape(value: str, what: str) -> None:
    assert looks_like(value) == what
    assert looks_like(f"token {value} for the job") == what


@pytest.mark.parametrize(
    "value",
    [
        "secret://slack-ml-alerts",
        "s3://acme-city-taxi-prod/trips/curated/",
        "arn:aws:iam::444455556666:role/sagemaker-execution",
        "fares@example.com",
        "https://runbooks.example.com/fares/errors?x=1",
        "https://user@host.example/",
        "https://[not-a-host/@",
        "sha256:" + "0123456789abcdef" * 4,
        "0123456789abcdef0123456789abcdef01234567",
        "eyJust-a-name",
        "night-shift risk-adjusted-loss-function-values",
        "",
    ],
)
def test_ordinary_values_are_left_alone(value: str) -> None:
    assert looks_like(value) is None


@pytest.mark.parametrize(
    "key", ["password", "db_password", "apiToken", "API_KEY", "private-key", "clientSecret", "aws_access_key"]
)
def test_keys_that_are_named_for_secrets_are_known(key: str) -> None:
    assert names_a_secret(key)


@pytest.mark.parametrize(
    "key", ["key", "entity_key", "join_key", "token_source", "max_tokens", "password_file", "secretary", ""]
)
def test_keys_that_only_sound_like_secrets_are_left_alone(key: str) -> None:
    assert not names_a_secret(key)


def test_the_message_never_repeats_the_credential() -> None:
    token = "ghp_" + A[:36]
    (found,) = check(configs([change("prod", "training", "tracking.tags.ci", token)]))
    assert found.code == "C01"
    assert token not in repr(found)
