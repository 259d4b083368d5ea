"""Pushes a job's series to a Prometheus Pushgateway."""

import base64
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient, Timeouts, answer_excerpt
from mlops_config.retrying import Retries

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RETRIES = Retries(tries=4, first_wait=0.5, longest_backoff=4.0, longest_wait=10.0, deadline=30.0)
TIMEOUTS = Timeouts(connect=5.0, read=10.0)


def push(
    url: str,
    text: str,
    grouping: Mapping[str, str],
    *,
    replace: Literal["group", "families"],
    retries: Retries = RETRIES,
) -> None:
    """Sends ``text`` into the group that ``grouping`` names; ``job`` is one of its labels and comes first.

    ``replace`` says what goes: all that the group held (PUT), or the families of the same names (POST).
    Source: README of prometheus/pushgateway, API.

    Raises:
        ServiceError: the gateway stayed away within the bounds of ``retries``, or refused the series.
        UsageError: ``url`` is not an http or https address.
    """
    address, headers = _address_of(url)
    where = "".join(
        f"/{quote(name, safe='')}/{quote(value, safe='')}" for name, value in _job_first(grouping)
    )
    with HttpClient(retries=retries, timeouts=TIMEOUTS) as client:
        response = client.request(
            "PUT" if replace == "group" else "POST",
            f"{address}/metrics{where}",
            doing=f"pushing the metrics of {grouping['job']} to {urlsplit(address).netloc}",
            headers={"Content-Type": CONTENT_TYPE, **headers},
            body=text.encode(),
            repeatable=True,  # the same series again change nothing
        )
    if not response.ok:
        raise ServiceError(
            f"{urlsplit(address).netloc} refused the metrics of {grouping['job']}:"
            f" {response.status_code} {response.reason}{answer_excerpt(response)}",
            hint="is MLOPS_PUSHGATEWAY_URL the address of a Pushgateway, with its path prefix if it has one?",
        )


def _job_first(grouping: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(grouping.items(), key=lambda item: item[0] != "job")


def _address_of(url: str) -> tuple[str, dict[str, str]]:
    """The gateway's address without a final slash, and the header that carries the address' credentials."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        raise UsageError(
            f"the push gateway {shown!r} is not an address:"
            " expected http:// or https://, a host, and no query",
            hint="set MLOPS_PUSHGATEWAY_URL, such as http://pushgateway:9091",
        )
    headers = {}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(address).rstrip("/"), headers
