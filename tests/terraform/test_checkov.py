"""What checkov says of the modules."""

from pathlib import Path

import pytest
from tools import check_terraform as checking

from tests.services import unavailable
from tests.terraform import standin


@pytest.fixture(autouse=True)
def _there_is_checkov() -> None:
    if not checking.CHECKOV.exists():
        unavailable(f"no {checking.CHECKOV}: run `make environments` first")


def test_checkov_finds_what_is_seeded_and_nothing_else(tmp_path: Path) -> None:
    """An open bucket, a skip without a reason and a file it cannot read, beside every module as it is."""
    tree = standin.stage(checking.SOURCE, tmp_path / "terraform")
    (seeded := tree / "modules" / "seeded").mkdir()
    (seeded / "main.tf").write_text(
        'resource "aws_s3_bucket_public_access_block" "this" {\n'
        "  #checkov:skip=CKV_AWS_56\n"
        '  bucket                  = "acme-models"\n'
        "  block_public_acls       = true\n"
        "  block_public_policy     = false\n"
        "  ignore_public_acls      = true\n"
        "  restrict_public_buckets = false\n"
        "}\n"
    )
    (seeded / "unread.tf").write_text(
        'variable "alert" {\n  type = object({ for = string })\n}\nresource "aws_sns_topic" "this" {}\n'
    )
    outcome = checking.scanned(tree)

    assert not outcome.passed
    first, *others = outcome.words.splitlines()
    place = "aws_s3_bucket_public_access_block.this (/modules/seeded/main.tf)"
    assert first.startswith(f"CKV_AWS_54 {place}: ")
    assert others == [
        "modules/seeded/unread.tf has resources, and checkov cannot read it",
        "modules/seeded/main.tf: #checkov:skip=CKV_AWS_56 has no reason",
    ]
