"""What checkov says of the modules."""

from pathlib import Path

import pytest
from tools import check_terraform as checking

from tests.services import unavailable


@pytest.fixture(autouse=True)
def _there_is_checkov() -> None:
    if not checking.CHECKOV.exists():
        unavailable(f"no {checking.CHECKOV}: run `make environments` first")


def test_checkov_finds_nothing() -> None:
    outcome = checking.scanned()

    assert outcome.passed, outcome.words


def test_an_open_bucket_a_skip_without_a_reason_and_a_file_it_cannot_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_s3_bucket_public_access_block" "this" {\n'
        "  #checkov:skip=CKV_AWS_56\n"
        '  bucket                  = "acme-models"\n'
        "  block_public_acls       = true\n"
        "  block_public_policy     = false\n"
        "  ignore_public_acls      = true\n"
        "  restrict_public_buckets = false\n"
        "}\n"
    )
    (tmp_path / "unread.tf").write_text(
        'variable "alert" {\n  type = object({ for = string })\n}\nresource "aws_sns_topic" "this" {}\n'
    )
    outcome = checking.scanned(tmp_path)

    assert not outcome.passed
    first, second, third = outcome.words.splitlines()
    assert first.startswith("CKV_AWS_54 aws_s3_bucket_public_access_block.this (/main.tf): ")
    assert second == "unread.tf has resources, and checkov cannot read it"
    assert third == "main.tf: #checkov:skip=CKV_AWS_56 has no reason"
