"""Stores over a network that fails: for a while, for good, in the middle, and at a Ctrl-C."""

import itertools
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest
from tests.services.flaky_proxy import (
    ALWAYS,
    Answer,
    Corrupt,
    CutShort,
    Drop,
    Fault,
    FlakyProxy,
    Stall,
    When,
    flaky_proxy,
)
from tests.services.registry import Registry
from tests.services.s3 import BUCKET, environment, lead_to
from tests.store.backends import OciBackend, S3Backend
from tests.store.examples import PROJECT, example_bundle, example_record

from mlops_config.errors import ServiceError
from mlops_config.http import HttpClient
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.reference import Reference
from mlops_config.retrying import Retries
from mlops_config.store.interface import Store
from mlops_config.store.oci import OciStore
from mlops_config.store.s3 import S3Store, open_client

pytestmark = pytest.mark.e2e


class Remote(ABC):
    """One store reached twice: through a proxy that fails, and directly."""

    proxy: FlakyProxy
    uri: str
    """Through the proxy."""

    @abstractmethod
    def flaky(self, waits: list[float]) -> Store:
        """The store through the proxy; it does not sleep but notes how long it would."""

    @abstractmethod
    def direct(self) -> Store:
        """The store without the proxy."""


class S3Remote(Remote):
    def __init__(self, backend: S3Backend, proxy: FlakyProxy) -> None:
        self.backend = backend
        self.proxy = proxy
        self.uri = backend.uri

    def flaky(self, waits: list[float]) -> Store:
        with pytest.MonkeyPatch.context() as patch:
            lead_to(f"http://{self.proxy.host}", patch)
            client = open_client()
        retries = Retries(sleep=waits.append, jitter=lambda: 0.0)
        return S3Store(BUCKET, self.backend.prefix, client=client, retries=retries)

    def direct(self) -> Store:
        return self.backend.open()


class OciRemote(Remote):
    def __init__(self, backend: OciBackend, proxy: FlakyProxy) -> None:
        self.backend = backend
        self.proxy = proxy
        self.uri = f"oci://{proxy.host}/{backend.repository}"

    def flaky(self, waits: list[float]) -> Store:
        http = HttpClient(retries=Retries(sleep=waits.append, jitter=lambda: 0.0))
        return OciStore(RegistryClient(Reference(self.proxy.host, self.backend.repository), http=http))

    def direct(self) -> Store:
        return self.backend.open()


@pytest.fixture(params=["s3", "oci"])
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    if request.param == "s3":
        endpoint: str = request.getfixturevalue("s3_endpoint")
        backend = S3Backend(request.getfixturevalue("s3_client"), BUCKET)
        with flaky_proxy(endpoint.removeprefix("http://")) as proxy:
            yield S3Remote(backend, proxy)
    else:
        registry: Registry = request.getfixturevalue("store_registry")
        with flaky_proxy(registry.host) as proxy:
            yield OciRemote(OciBackend(registry), proxy)


@pytest.fixture
def waits() -> list[float]:
    return []


def writes(method: str, _path: str) -> bool:
    return method in {"PUT", "POST"}


def reads(method: str, _path: str) -> bool:
    return method in {"GET", "HEAD"}


def nth(number: int, when: When) -> When:
    """Picks only the ``number``-th (from 1) of the requests that ``when`` picks, and those after it."""
    seen = itertools.count(1)
    return lambda method, path: when(method, path) and next(seen) >= number


def every_third(first: int, when: When) -> When:
    """Picks every third of the requests that ``when`` picks, from the ``first`` (from 0) on."""
    seen = itertools.count()
    return lambda method, path: when(method, path) and next(seen) % 3 == first


FAULTS = [Answer(503), Answer(500), Answer(429), Drop(), Drop(delivered=True)]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_bundle_is_published_though_every_third_write_fails(
    remote: Remote, waits: list[float], fault: Fault, first: int
) -> None:
    store, bundle = remote.flaky(waits), example_bundle()
    remote.proxy.fail(fault, when=every_third(first, writes), times=ALWAYS)
    store.publish_bundle(bundle)
    assert waits
    assert remote.direct().fetch_bundle(PROJECT, bundle.digest) == bundle


@pytest.mark.parametrize("fault", [*FAULTS, CutShort()], ids=repr)
def test_a_bundle_is_fetched_through_faults(remote: Remote, waits: list[float], fault: Fault) -> None:
    store, bundle = remote.flaky(waits), example_bundle()
    remote.direct().publish_bundle(bundle)
    remote.proxy.fail(fault, when=reads, times=2)
    assert store.fetch_bundle(PROJECT, bundle.digest) == bundle


def test_what_arrives_changed_is_sent_again(remote: Remote, waits: list[float]) -> None:
    store, bundle = remote.flaky(waits), example_bundle()
    remote.proxy.fail(Corrupt(), when=lambda method, _: method == "PUT")
    store.publish_bundle(bundle)
    assert len(waits) == 1
    assert remote.direct().fetch_bundle(PROJECT, bundle.digest) == bundle


def test_retry_after_is_kept(remote: Remote, waits: list[float]) -> None:
    remote.proxy.fail(Answer(429, {"Retry-After": "33"}), when=writes)
    remote.flaky(waits).publish_bundle(example_bundle())
    assert waits == [33.0]


@pytest.mark.parametrize("fault", [Drop(), Drop(delivered=True)], ids=repr)
def test_the_pointer_moves_though_an_answer_got_lost(
    remote: Remote, waits: list[float], fault: Fault
) -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    store = remote.direct()
    store.publish_bundle(bundle)
    store.publish_release(record)
    flaky = remote.flaky(waits)
    remote.proxy.fail(fault, when=lambda method, _: method == "PUT")
    moved = flaky.set_current(record, None)
    assert store.current(PROJECT, "prod") == moved
    assert len(waits) == 1


@pytest.mark.parametrize("step", range(1, 14))
def test_a_store_that_goes_down_during_a_write_shows_nothing_half_done_and_takes_it_up_later(
    remote: Remote, waits: list[float], step: int
) -> None:
    store, bundle = remote.flaky(waits), example_bundle()
    remote.proxy.fail(Drop(), times=ALWAYS, when=nth(step, writes))
    failed = False
    try:
        store.publish_bundle(bundle)
    except ServiceError:
        failed = True
    assert (remote.direct().fetch_bundle(PROJECT, bundle.digest) is None) == failed
    remote.proxy.heal()
    store.publish_bundle(bundle)
    assert remote.direct().fetch_bundle(PROJECT, bundle.digest) == bundle


@pytest.mark.parametrize("fault", [Answer(503), Drop()], ids=repr)
def test_a_store_that_stays_down_is_a_service_error_that_says_how_often_it_was_tried(
    remote: Remote, waits: list[float], fault: Fault
) -> None:
    store = remote.flaky(waits)
    remote.proxy.fail(fault, times=ALWAYS)
    with pytest.raises(ServiceError, match="tried 5 times") as failed:
        store.current(PROJECT, "prod")
    assert failed.value.hint
    assert waits == [0.5, 1.0, 2.0, 4.0]


PUBLISH = """
import sys
from mlops_config.store import open_store
from tests.store.examples import example_bundle
open_store(sys.argv[1]).publish_bundle(example_bundle())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_before_the_manifest_leaves_nothing_and_the_next_run_completes_it(
    remote: Remote, request: pytest.FixtureRequest
) -> None:
    bundle = example_bundle()
    stall = Stall()
    remote.proxy.fail(
        stall,
        when=lambda method, path: (
            method == "PUT" and ("/manifests/" in path or path.endswith("/manifest.json"))
        ),
    )
    settings = {key: value for key, value in environment(f"http://{remote.proxy.host}").items() if value}
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, remote.uri],
        cwd=request.config.rootpath,
        env=os.environ | settings | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    try:
        assert stall.reached.wait(60), process.stderr
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        stall.release.set()
        process.kill()
        process.wait(20)
    assert b"KeyboardInterrupt" in said
    assert remote.direct().fetch_bundle(PROJECT, bundle.digest) is None
    assert remote.direct().publish_bundle(bundle).created
    assert remote.direct().fetch_bundle(PROJECT, bundle.digest) == bundle
