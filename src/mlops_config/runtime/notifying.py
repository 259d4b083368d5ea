"""Tells the channels of the retrain file what happened; a channel that is down fails nothing."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.retrain import NotificationEvent
from mlops_config.deploy.references import resolved
from mlops_config.errors import MlopsConfigError, ServiceError, UsageError

if TYPE_CHECKING:
    from mlops_config.retrying import Retries
    from mlops_config.runtime.context import JobContext

_TRIES = 3
_SECONDS = 10.0
_DEADLINE_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 15.0
_OK, _REDIRECTS = 200, 300
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")


def notify(
    context: "JobContext",
    event: NotificationEvent,
    text: str,
    details: Mapping[str, Any] | None = None,
    *,
    retries: "Retries | None" = None,
) -> None:
    """POSTs ``{"text": …}`` and some fields to every channel that wants to hear of ``event``.

    Chat services show ``text``; the rest is for programs. The channel's address is a secret: it is printed
    nowhere, and neither is what a service answered. Whatever goes wrong is one line on the console.
    """
    channels = [each for each in context.configs.retrain.notifications if event in each.when]
    message = {
        "text": f"{context.bundle.project}/{context.bundle.model_name} in {context.environment}: {text}",
        "event": event,
        "project": context.bundle.project,
        "model_name": context.bundle.model_name,
        "environment": context.environment,
        "release": context.provenance.release,
        "config_digest": context.config_digest,
        "job_id": context.job_id,
        "dag_run": context.dag_run,
        "details": dict(details or {}),
    }
    for channel in channels:
        try:
            _post(resolved(channel.channel_ref, what="the notification channel"), message, retries)
        except MlopsConfigError as error:
            context.console.say(f"warning: {channel.channel_ref} was not told that {text}: {error.message}")


def _post(address: str, message: Mapping[str, Any], retries: "Retries | None") -> None:
    """Raises MlopsConfigError without the address, which what libraries say may name, in logs too."""
    from mlops_config.http import HttpClient, Timeouts
    from mlops_config.retrying import Retries, TemporaryError

    if not _ADDRESS.fullmatch(address):
        raise UsageError("what the secret holds is no http(s):// address")

    def once() -> int:
        try:
            # A message that arrives twice is better than one that never does.
            return http.send("POST", address, json=dict(message), repeatable=True, follow=False).status_code
        except TemporaryError as error:
            raise TemporaryError("it does not answer", wait=error.wait) from None
        except MlopsConfigError:
            raise ServiceError("it cannot be reached safely") from None

    bounds = retries or Retries(tries=_TRIES, deadline=_DEADLINE_SECONDS, longest_wait=_LONGEST_WAIT_SECONDS)
    with HttpClient(timeouts=Timeouts(connect=_SECONDS, read=_SECONDS)) as http:
        status = bounds.run(once, doing="telling a channel")
    if not _OK <= status < _REDIRECTS:
        raise ServiceError(f"it answered {status}")
