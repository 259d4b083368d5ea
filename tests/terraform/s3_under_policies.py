"""S3 as somebody with policies meets it: a server that knows none, and a judge of what is asked of it.

Refused is answered with 403; so is the read of an object that is not there, but to whom may list the bucket
in a request without a prefix: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import ClientError

from tests.services.flaky_proxy import ALWAYS, Answer, FlakyProxy, flaky_proxy
from tests.terraform.authorization import Statement, refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DENIED = Answer(
    403,
    {"Content-Type": "application/xml"},
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
)


@contextmanager
def s3_under(statements: Sequence[Statement], endpoint: str, client: "S3Client") -> Iterator[FlakyProxy]:
    """The server at ``endpoint``, asked by whom the statements are for; ``client`` sees it as it is."""
    with flaky_proxy(urlsplit(endpoint).netloc) as proxy:
        proxy.fail(_DENIED, times=ALWAYS, when=_judge(statements, client))
        yield proxy


def _judge(statements: Sequence[Statement], client: "S3Client") -> Callable[[str, str], bool]:
    """Whether a request is refused."""

    def forbidden(action: str, bucket: str, key: str = "", **context: str) -> bool:
        arn = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        return refused(statements, action, arn, context) is not None

    def is_there(bucket: str, key: str) -> bool:
        try:
            client.head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True

    def of(method: str, path: str) -> bool:
        parts = urlsplit(path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = parse_qs(parts.query)
        if not key:
            prefix = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
            return forbidden("s3:ListBucket", bucket, **prefix)
        if method in ("GET", "HEAD"):
            missing = not is_there(bucket, key)
            return forbidden("s3:GetObject", bucket, key) or (missing and forbidden("s3:ListBucket", bucket))
        aborts = method == "DELETE" and "uploadId" in query
        removes = "s3:AbortMultipartUpload" if aborts else "s3:DeleteObject"
        return forbidden(removes if method == "DELETE" else "s3:PutObject", bucket, key)

    return of
