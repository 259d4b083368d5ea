"""Calls to AWS: tried again while that may help, and refused ones worded with what to do."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_config import __version__
from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import TEMPORARY_STATUSES, Retries, TemporaryError, retry_after

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")

CONNECT_SECONDS = 10
READ_SECONDS = 70
"""SageMaker gives a container 60 s to answer."""
EXTRA_HINT = "run: pip install 'mlops-config-action[aws]'"

_PREFIXES = {
    "sagemaker": "sagemaker",
    "sagemaker-runtime": "sagemaker",
    "cloudwatch": "cloudwatch",
    "application-autoscaling": "application-autoscaling",
    "sts": "sts",
}
"""What the service's actions are called in IAM policies."""
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_NEW_CREDENTIALS = "get new AWS credentials; see whose are in use with: aws sts get-caller-identity"
_GIVE_CREDENTIALS = (
    "give some: AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
    " (in GitHub Actions: aws-actions/configure-aws-credentials before this step)"
)
_QUOTA = (
    "ask for more under Service Quotas > Amazon SageMaker in this region, or use fewer or other instances"
)
_HINTS = {
    "UnrecognizedClientException": _NEW_CREDENTIALS,
    "InvalidClientTokenId": _NEW_CREDENTIALS,
    "InvalidSignatureException": _NEW_CREDENTIALS,
    "SignatureDoesNotMatch": _NEW_CREDENTIALS,
    "ExpiredTokenException": _NEW_CREDENTIALS,
    "ExpiredToken": _NEW_CREDENTIALS,
    "OptInRequired": "enable this region for the account, or mend deployer.region",
    "ResourceLimitExceeded": _QUOTA,
    "LimitExceeded": _QUOTA,
}


class RefusedError(ServiceError):
    """AWS refused one call for good. ``code`` is its own word for it, ``said`` its sentence."""

    def __init__(self, message: str, code: str, said: str, *, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.said = said

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for is not there. SageMaker has no code of its own for that."""
        words = self.said.lower()
        return self.code in ("ObjectNotFoundException", "ResourceNotFound") or (
            self.code in ("ValidationException", "ValidationError")
            and ("could not find" in words or "not found" in words or "does not exist" in words)
        )


class Clients:
    """A client for each service, opened when first used, with the credentials that AWS programs find."""

    def __init__(self, region: str, *, address: str | None = None) -> None:
        """``address`` replaces every service's own, as ``AWS_ENDPOINT_URL`` does."""
        self.region = region
        self._address = address
        self._clients: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        """The client of a service.

        Raises:
            UsageError: boto3 is not installed.
            ServiceError: the AWS configuration is broken.
        """
        if service not in self._clients:
            self._clients[service] = self._opened(service)
        return self._clients[service]

    def _opened(self, service: str) -> Any:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise UsageError(
                "deploying to aws needs boto3, and it is not installed", hint=EXTRA_HINT
            ) from error
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # One try each: our own loop goes on, with the bounds of every other service.
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra=f"mlops-config-action/{__version__}",
        )
        try:
            open_client: Any = boto3.session.Session(region_name=self.region).client
            return open_client(service, config=config, endpoint_url=self._address)
        except (BotoCoreError, ValueError) as error:
            raise _not_configured(error, f"opening {service}") from error


class Calls:
    """Makes calls with the clients."""

    def __init__(self, clients: Clients, retries: Retries | None = None) -> None:
        self.clients = clients
        self._retries = retries or Retries()

    def __call__(self, service: str, operation: str, /, **parameters: Any) -> Any:
        """What the operation (``CreateModel``) answers.

        Raises:
            RefusedError: AWS said no.
            ServiceError: it stayed unreachable.
        """
        from botocore import xform_name

        method: Callable[..., Any] = getattr(self.clients[service], xform_name(operation))
        return self._run(lambda: method(**parameters), service, operation)

    def found(self, service: str, operation: str, /, **parameters: Any) -> Any:
        """The same, or ``None`` when it is not there."""
        try:
            return self(service, operation, **parameters)
        except RefusedError as error:
            if error.is_missing:
                return None
            raise

    def _run(self, once: Callable[[], T], service: str, operation: str) -> T:
        from botocore import exceptions as aws

        action = f"{_PREFIXES[service]}:{operation}"

        def translated() -> T:
            try:
                return once()
            except aws.ClientError as error:
                status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
                code = str(error.response.get("Error", {}).get("Code", ""))
                if status in TEMPORARY_STATUSES or code in _THROTTLED:
                    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
                    reason = f"AWS answered {status} {code}: {_said(error)}"
                    raise TemporaryError(reason, wait=retry_after(headers.get("retry-after"))) from error
                raise _refused(error, action, code) from error
            except aws.SSLError as error:
                raise ServiceError(
                    f"{action} failed: AWS cannot be reached safely: {error}",
                    hint="if the certificate comes from your own authority, set AWS_CA_BUNDLE",
                ) from error
            except (aws.ConnectionError, aws.HTTPClientError) as error:
                raise TemporaryError(
                    f"no whole answer from AWS: {error}",
                    hint="is deployer.region right, and is AWS reachable from here (proxy, firewall)?",
                ) from error
            except aws.ParamValidationError as error:
                raise UsageError(f"{action} cannot be asked for: {error}") from error
            except aws.BotoCoreError as error:
                raise _not_configured(error, action) from error

        return self._retries.run(translated, doing=action)


def _refused(error: "ClientError", action: str, code: str) -> RefusedError:
    said = _said(error)
    hint = _HINTS.get(code)
    if code in _DENIED:
        hint = f"let the AWS identity in use have {action} (docs/deployers.md has the whole policy)"
    return RefusedError(f"{action} failed: AWS answered {code}: {said}", code, said, hint=hint)


def _not_configured(error: Exception, doing: str) -> ServiceError:
    from botocore import exceptions as aws

    hint = None
    if isinstance(error, aws.NoCredentialsError):
        hint = _GIVE_CREDENTIALS
    elif isinstance(error, (aws.PartialCredentialsError, aws.ProfileNotFound)):
        hint = "mend ~/.aws/credentials, ~/.aws/config or the AWS_ variables"
    elif isinstance(error, (aws.UnauthorizedSSOTokenError, aws.SSOTokenLoadError, aws.TokenRetrievalError)):
        hint = "run: aws sso login"
    return ServiceError(f"{doing} failed: {error}", hint=hint)


def _said(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def reason_of(found: Mapping[str, Any] | None) -> str:
    """Why SageMaker says that an endpoint failed."""
    if found is None:
        return "it is gone"
    return str(found.get("FailureReason") or f"SageMaker says {found['EndpointStatus']}")


def logs_hint(name: str) -> str:
    """Where its server says more."""
    return (
        f"the server's log is in CloudWatch, /aws/sagemaker/Endpoints/{name}; when the image was not found:"
        " is it pushed to this region, and may deployer.role pull it?"
    )
