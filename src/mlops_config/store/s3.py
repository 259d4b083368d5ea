"""A store in an S3 bucket, or one that speaks its protocol with conditional writes: ``s3://bucket/prefix``."""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_config import __version__
from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.retrying import TEMPORARY_STATUSES, Retries, TemporaryError, retry_after
from mlops_config.store.objects import OBJECT_LIMIT_BYTES, ObjectStore, StoredObject

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

CONNECT_SECONDS = 10
READ_SECONDS = 60
EXTRA_HINT = "run: pip install 'mlops-config-action[s3]'"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TAKEN = {412, 304}
"""412: the condition does not hold. Some S3-compatible servers answer 304 to ``If-None-Match`` on a write."""
_CONFLICT = 409
"""Someone else is writing the object this moment; S3 says to send the request again."""
_DAMAGED_ON_THE_WAY = {"BadDigest", "XAmzContentSHA256Mismatch", "RequestTimeout", "IncompleteBody"}
_FORBIDDEN = 403
_NEW_CREDENTIALS = "get new AWS credentials; see whose are in use with: aws sts get-caller-identity"
_OTHER_REGION = "set AWS_REGION to the bucket's region"
_HINTS = {
    "InvalidAccessKeyId": _NEW_CREDENTIALS,
    "SignatureDoesNotMatch": _NEW_CREDENTIALS,
    "ExpiredToken": _NEW_CREDENTIALS,
    "InvalidToken": _NEW_CREDENTIALS,
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "RequestTimeTooSkewed": "set this machine's clock",
    "NotImplemented": "use another server: without conditional writes nothing would stop an overwrite",
}
_CONTENT_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "html": "text/html; charset=utf-8",
}


class S3Store(ObjectStore):
    """Objects below ``prefix`` of a bucket. Every write is conditional, so none replaces what it did not see.

    Credentials, region and endpoint come from where every AWS program reads them (``AWS_PROFILE``,
    ``AWS_ENDPOINT_URL_S3``, …), unless a ``client`` is given.
    """

    reads_at_once = 8

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        client: "S3Client | None" = None,
        retries: Retries | None = None,
    ) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{bucket!r} is not the name of an S3 bucket: 3 to 63 of a-z, 0-9, . and -")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._retries = retries or Retries()
        self._opened = client
        self.uri = f"s3://{bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> StoredObject | None:
        def once() -> StoredObject:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED"
            )
            if answer["ContentLength"] > OBJECT_LIMIT_BYTES:
                size = answer["ContentLength"]
                raise IntegrityError(
                    f"{self.address(key)} has {size} bytes; this store writes nothing that large"
                )
            return StoredObject(answer["Body"].read(), answer["ETag"])

        from botocore.exceptions import ClientError

        try:
            return self._run(once, f"reading {self.address(key)}")
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise self._refused(error, f"reading {self.address(key)}") from error

    def put_if_absent(self, key: str, data: bytes) -> bool:
        written = self._put(key, data, {"IfNoneMatch": "*"}) is not None
        return written or self.refuse_other_content(key, data)

    def compare_and_swap(self, key: str, data: bytes, expected: str | None) -> str | None:
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        token = self._put(key, data, condition)
        if token is None:
            # Maybe an earlier try of ours arrived and its answer got lost.
            stored = self.get(key)
            token = stored.token if stored and stored.data == data and stored.token != expected else None
        return token

    def keys(self, prefix: str) -> Iterator[str]:
        from botocore.exceptions import ClientError

        start: dict[str, str] = {}
        while True:

            def once(start: dict[str, str] = start) -> Any:
                return self._client.list_objects_v2(
                    Bucket=self._bucket,
                    Prefix=self._prefix + prefix,
                    **start,  # type: ignore[arg-type] # a ContinuationToken or nothing
                )

            doing = f"listing {self.address(prefix)}"
            try:
                page = self._run(once, doing)
            except ClientError as error:
                raise self._refused(error, doing) from error
            for entry in page.get("Contents", ()):
                yield entry["Key"].removeprefix(self._prefix)
            if not page.get("IsTruncated"):
                return
            start = {"ContinuationToken": page["NextContinuationToken"]}

    def address(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    @property
    def _client(self) -> "S3Client":
        if self._opened is None:
            self._opened = open_client()
        return self._opened

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> str | None:
        """Writes under the condition and returns the new ETag; ``None`` when the condition does not hold."""
        from botocore.exceptions import ClientError

        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        content_type = _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")

        def once() -> str:
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=data,
                ContentType=content_type,
                ChecksumSHA256=checksum,
                **condition,  # type: ignore[arg-type] # one of IfMatch and IfNoneMatch
            )
            return answer["ETag"]

        doing = f"writing {self.address(key)}"
        try:
            return self._run(once, doing)
        except ClientError as error:
            if _status(error) in _TAKEN or ("IfMatch" in condition and _code(error) == "NoSuchKey"):
                return None
            raise self._refused(error, doing) from error

    def _run(self, once: Callable[[], T], doing: str) -> T:
        """What ``once`` returns; a :class:`ClientError` that will not pass is raised as it is."""
        from botocore import exceptions as aws

        def translated() -> T:
            try:
                return once()
            except aws.ClientError as error:
                status, code = _status(error), _code(error)
                if status in TEMPORARY_STATUSES or status == _CONFLICT or code in _DAMAGED_ON_THE_WAY:
                    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
                    reason = f"S3 answered {status} {code}: {_message(error)}"
                    raise TemporaryError(reason, wait=retry_after(headers.get("retry-after"))) from error
                raise
            except aws.SSLError as error:
                raise ServiceError(
                    f"{doing} failed: S3 cannot be reached safely: {error}",
                    hint="if the certificate comes from your own authority, set AWS_CA_BUNDLE",
                ) from error
            except (
                aws.ConnectionError,
                aws.HTTPClientError,
                aws.IncompleteReadError,
                aws.FlexibleChecksumError,
            ) as error:
                raise TemporaryError(
                    f"no whole answer from S3: {error}",
                    hint="is the endpoint right (AWS_ENDPOINT_URL_S3, region) and reachable from here?",
                ) from error
            except aws.BotoCoreError as error:
                raise _not_configured(error, doing) from error

        return self._retries.run(translated, doing=doing)

    def _refused(self, error: "ClientError", doing: str) -> MlopsConfigError:
        status, code, message = _status(error), _code(error), _message(error)
        hint = _HINTS.get(code)
        if code == "NoSuchBucket":
            message = f"there is no bucket {self._bucket}"
            hint = f"create it, or mend the store's URI: aws s3 mb s3://{self._bucket}"
        elif hint is None and status == _FORBIDDEN:
            hint = (
                f"let the AWS identity in use have s3:GetObject, s3:PutObject and s3:ListBucket on {self.uri}"
                " (docs/stores.md has the policy)"
            )
        return ServiceError(f"{doing} failed: S3 answered {status} {code}: {message}", hint=hint)


def open_client() -> "S3Client":
    """A client with bounded times, set up from the environment.

    Raises:
        UsageError: boto3 is not installed.
        ServiceError: the AWS configuration is broken.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise UsageError("stores in S3 need boto3, and it is not installed", hint=EXTRA_HINT) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # One try each: our own loop goes on, since it also honours Retry-After and knows 429 and 409.
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=f"mlops-config-action/{__version__}",
        # Servers other than Amazon's seldom have a host name for every bucket.
        s3={"addressing_style": "path"} if endpoint else {},
    )
    try:
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise _not_configured(error, "opening S3") from error


def _not_configured(error: Exception, doing: str) -> ServiceError:
    from botocore import exceptions as aws

    hint = None
    if isinstance(error, aws.NoCredentialsError):
        hint = (
            "give some: AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
            " (in GitHub Actions: aws-actions/configure-aws-credentials before this step)"
        )
    elif isinstance(error, (aws.PartialCredentialsError, aws.ProfileNotFound)):
        hint = "mend ~/.aws/credentials, ~/.aws/config or the AWS_ variables"
    elif isinstance(error, (aws.UnauthorizedSSOTokenError, aws.SSOTokenLoadError, aws.TokenRetrievalError)):
        hint = "run: aws sso login"
    return ServiceError(f"{doing} failed: {error}", hint=hint)


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _status(error: "ClientError") -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
