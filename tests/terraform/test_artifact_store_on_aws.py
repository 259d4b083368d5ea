"""The bucket policy of the artifact store on AWS, as Terraform makes it, against what the store sends to S3.

The server knows no bucket policies, so a hook in front of each request judges it by the policy, as S3 would:
whatever one statement denies is refused, and what none allows.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mlops_config.errors import ServiceError
from mlops_config.store.interface import LedgerName
from mlops_config.store.s3 import S3Store, open_client
from tests.services.s3 import lead_to
from tests.services.terraform import Workspace
from tests.store.examples import example_bundle, example_record
from tests.terraform import authorization
from tests.terraform.standin import Environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET, PREFIX = "acme-releases", "configs"
WRITER = "arn:aws:iam::123456789012:role/publish"
READER = "arn:aws:iam::123456789012:role/jobs"
ADMINISTRATOR = "arn:aws:iam::123456789012:role/administrator"
_HEADERS = {
    "IfNoneMatch": "s3:if-none-match",
    "IfMatch": "s3:if-match",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
}
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "CreateMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
}
UNCONDITIONAL = r"EverythingIsWriteOnce|PointersAreComparedAndSwapped"
SAFELY = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

Policy = list[dict[str, Any]]
As = Callable[[str], "S3Client"]


def refused(policy: Policy, who: str, action: str, arn: str, context: Mapping[str, str]) -> str | None:
    """Why S3 would refuse it, ``None`` if it would not. An administrator's own policies allow everything."""
    mine = [each for each in policy if each["Principal"] == "*" or who in each["Principal"]["AWS"]]
    reason = authorization.refused(mine, action, arn, context)
    return None if reason == authorization.NOTHING and who == ADMINISTRATOR else reason


@pytest.fixture(scope="module")
def policy(
    initialised: Callable[[str], Path],
    terraform: Path,
    standin_mirror: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Policy:
    """The bucket's policy in a plan of the module."""
    folder = tmp_path_factory.mktemp("policy")
    workspace = Workspace(
        initialised("modules/artifact_store/aws"), terraform, standin_mirror.with_cloud(folder / "cloud")
    )
    values = {
        "name": "fares-prod",
        "environment": "prod",
        "bucket_name": BUCKET,
        "prefix": PREFIX,
        "writers": json.dumps([WRITER]),
        "readers": json.dumps([READER]),
    }
    given = {f"TF_VAR_{name}": value for name, value in values.items()}
    plan = folder / "plan"
    workspace.done("plan", "-input=false", f"-out={plan}", **given, AWS_REGION="eu-central-1")
    resources = json.loads(workspace.done("show", "-json", str(plan)))["planned_values"]["root_module"][
        "resources"
    ]
    (found,) = (
        each["values"]["policy"] for each in resources if each["address"] == "aws_s3_bucket_policy.this"
    )
    statements: Policy = json.loads(found)["Statement"]
    return statements


@pytest.fixture(scope="module")
def as_role(policy: Policy, s3_endpoint: str) -> As:
    """Makes clients whose requests are judged by the policy, one for each role."""

    @cache
    def client_of(who: str) -> "S3Client":
        with pytest.MonkeyPatch.context() as patch:
            lead_to(s3_endpoint, patch)
            client = open_client()

        def judge(params: Mapping[str, Any], model: Any, **_: object) -> None:
            action = _ACTIONS.get(model.name, f"s3:{model.name}")
            arn = f"arn:aws:s3:::{params['Bucket']}" + (f"/{params['Key']}" if "Key" in params else "")
            context = SAFELY | {key: str(params[name]) for name, key in _HEADERS.items() if name in params}
            reason = refused(policy, who, action, arn, context)
            if reason:
                answer: Any = {
                    "Error": {"Code": "AccessDenied", "Message": reason},
                    "ResponseMetadata": {"HTTPStatusCode": 403},
                }
                raise ClientError(answer, model.name)

        client.meta.events.register("provide-client-params.s3.*", judge)
        return client

    return client_of


@pytest.fixture
def bucket(s3_client: "S3Client") -> Iterator[str]:
    """A bucket, emptied again behind the policy's back."""
    s3_client.create_bucket(Bucket=BUCKET)
    yield BUCKET
    for each in s3_client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3_client.delete_object(Bucket=BUCKET, Key=each["Key"])
    s3_client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def released(as_role: As, bucket: str) -> As:
    """A release was published and is in force."""
    bundle = example_bundle()
    store = S3Store(bucket, PREFIX, client=as_role(WRITER))
    store.publish_bundle(bundle)
    store.publish_release(example_record(bundle))
    store.set_current(example_record(bundle), None)
    store.append_entry(LedgerName("fares", "fare-amount", "prod"), 1, b"{}")
    return as_role


def test_a_writer_publishes_points_and_keeps_the_ledger_and_moves_the_pointer_again(released: As) -> None:
    store = S3Store(BUCKET, PREFIX, client=released(WRITER))
    other = example_bundle(rows=4)
    store.publish_bundle(other)
    store.publish_release(example_record(other, "1.3.0"))
    before = store.current("fares", "prod")
    assert before is not None
    assert store.set_current(example_record(other, "1.3.0"), before).release == "1.3.0"


def test_a_reader_reads_everything_and_writes_nothing(released: As) -> None:
    store, bundle = S3Store(BUCKET, PREFIX, client=released(READER)), example_bundle()
    assert store.fetch_bundle("fares", bundle.digest) == bundle
    assert store.fetch_release("fares", "prod", "1.2.0") == example_record(bundle)
    assert store.fetch_release("fares", "prod", "9.9.9") is None
    assert list(store.entry_numbers(LedgerName("fares", "fare-amount", "prod"))) == [1]
    with pytest.raises(ServiceError, match="nothing allows it"):
        store.publish_bundle(example_bundle(rows=5))


@pytest.mark.parametrize("who", [WRITER, ADMINISTRATOR])
def test_nobody_replaces_or_removes_anything_with_a_program_of_their_own(released: As, who: str) -> None:
    client = released(who)
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert len(keys) == 8
    for key in keys:
        with pytest.raises(ClientError, match=UNCONDITIONAL):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"other")
        with pytest.raises(ClientError, match=UNCONDITIONAL):
            client.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": keys[0]})
        with pytest.raises(ClientError, match=UNCONDITIONAL):
            client.create_multipart_upload(Bucket=BUCKET, Key=key)
        with pytest.raises(ClientError, match="NothingIsDeleted"):
            client.delete_object(Bucket=BUCKET, Key=key)


def test_only_a_pointer_is_replaced_by_who_has_read_it(released: As) -> None:
    client = released(WRITER)
    for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        key = each["Key"]
        if key.endswith("/current.json"):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"next", IfMatch=each["ETag"])
        else:
            with pytest.raises(ClientError, match="EverythingIsWriteOnce"):
                client.put_object(Bucket=BUCKET, Key=key, Body=b"next", IfMatch=each["ETag"])


def test_no_key_but_the_buckets_encrypts(released: As) -> None:
    client, key = released(WRITER), f"{PREFIX}/fares/releases/prod/new.json"
    with pytest.raises(ClientError, match="OnlyTheBucketsKey"):
        client.put_object(
            Bucket=BUCKET, Key=key, IfNoneMatch="*", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/mine"
        )
    with pytest.raises(ClientError, match="OnlyKms"):
        client.put_object(Bucket=BUCKET, Key=key, IfNoneMatch="*", ServerSideEncryption="AES256")


def test_a_writer_stays_below_the_prefix(released: As) -> None:
    with pytest.raises(ClientError, match="nothing allows it"):
        released(WRITER).put_object(Bucket=BUCKET, Key="elsewhere/file", IfNoneMatch="*")


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"aws:SecureTransport": "false"}, "OnlyEncryptedConnections"),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, "OnlyTls12AndLater"),
    ],
)
def test_a_weak_connection_reads_nothing(policy: Policy, context: dict[str, str], why: str) -> None:
    arn = f"arn:aws:s3:::{BUCKET}/{PREFIX}/fares/releases/prod/1.2.0.json"
    assert refused(policy, READER, "s3:GetObject", arn, context) == why
    assert refused(policy, READER, "s3:GetObject", arn, SAFELY) is None


def test_versions_stay_too(policy: Policy) -> None:
    arn = f"arn:aws:s3:::{BUCKET}/{PREFIX}/fares/environments/prod/current.json"
    assert refused(policy, ADMINISTRATOR, "s3:DeleteObjectVersion", arn, SAFELY) == "NothingIsDeleted"
    assert refused(policy, ADMINISTRATOR, "s3:BypassGovernanceRetention", arn, SAFELY) == "NothingIsDeleted"


def test_the_policy_in_the_docs_says_what_the_modules_says(policy: Policy) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "stores.md").read_text("utf-8")
    (shown,) = (
        json.loads(block)["Statement"]
        for block in re.findall(r"```json\n(.*?)```", page, re.S)
        if "EverythingIsWriteOnce" in block
    )
    ours = json.loads(json.dumps(policy).replace(f"arn:aws:s3:::{BUCKET}", "arn:aws:s3:::acme-ml"))
    assert shown == [each for each in ours if each["Sid"] in {statement["Sid"] for statement in shown}]
