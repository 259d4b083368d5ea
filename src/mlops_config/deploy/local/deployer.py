"""Deploys to this machine: blue/green behind a router, with the steps, waits and alarms of the clouds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlops_config.deploy.alarms import Alarms, alarms_of_environment
from mlops_config.deploy.interface import (
    Deployer,
    DeployFailedError,
    Deployment,
    EndpointStatus,
    Progress,
    State,
)
from mlops_config.deploy.labels import server_variables
from mlops_config.deploy.local import loopback
from mlops_config.deploy.local.processes import Processes
from mlops_config.deploy.local.programs import Command, Programs, serving_command
from mlops_config.deploy.local.state import EndpointFolder, EndpointState, Route, StoredRevision
from mlops_config.deploy.rollout import ALL, Pace, raise_when_firing, steps
from mlops_config.deploy.smoke import HEADER, predictions_of, smoke_test
from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient
from mlops_config.retrying import Retries
from mlops_config.store.locks import exclusive

PREDICT_PATH = "/invocations"

_LOCK_SECONDS = 5.0
_ALARM_SECONDS = 15.0
_PREDICT_SECONDS = 60.0


class LocalDeployer(Deployer):
    """Endpoints below ``<root>/.mlops-config/endpoints``, each with a router on its own port of loopback."""

    def __init__(
        self,
        root: Path,
        *,
        command: Command | None = None,
        alarms: Alarms | None = None,
        pace: Pace | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.root = root.resolve()
        self.processes = Processes(pace)
        self._endpoints = self.root / ".mlops-config" / "endpoints"
        self._command = command or serving_command(self.root)
        self._alarms = alarms or alarms_of_environment()
        self._pace = pace or Pace()
        self._retries = retries or Retries()

    def deploy(
        self,
        deployment: Deployment,
        progress: Progress,
        *,
        wait: bool = True,  # noqa: ARG002 nobody else moves the traffic of this machine
    ) -> EndpointStatus:
        """Starts the revision's server, tests it, moves the traffic, then drains and ends the one before.

        It waits in any case.
        """
        with self._locked(deployment.endpoint) as folder:
            programs = self._programs(folder)
            state = folder.load() or EndpointState(endpoint=deployment.endpoint)
            key = deployment.revision.id
            state = _mended(state, folder, programs, keep=key)
            if state.serving == key and programs.running(state.revisions[key].program):
                state = programs.start_router(state, _port(deployment))
                self._send(folder, programs, state, {key: ALL})
                progress(f"{deployment.revision.name} serves already")
                return self._status(_tidied(state, folder, programs), folder, programs)
            state = self._enter(folder, state, deployment)
            try:
                state = self._take_over(folder, programs, state, deployment, progress)
            except BaseException:
                self._take_back(folder, programs, key, progress)
                raise
            return self._status(_tidied(state, folder, programs), folder, programs)

    def status(self, endpoint: str) -> EndpointStatus | None:
        """The endpoint as its files and its processes say."""
        folder = self._folder(endpoint)
        state = folder.load()
        if state is None or (state.serving is None and state.candidate is None):
            return None
        return self._status(state, folder, self._programs(folder))

    def rollback(self, endpoint: str, progress: Progress) -> EndpointStatus:
        """Starts the previous revision again when it was ended, and gives it all traffic."""
        with self._existing(endpoint) as folder:
            programs = self._programs(folder)
            state = _loaded(folder, endpoint)
            if state.candidate is not None and state.serving is not None:
                progress(f"taking {state.name_of(state.candidate)} back: it had not taken over yet")
                self._take_back(folder, programs, state.candidate, progress)
                state = _loaded(folder, endpoint)
                return self._status(_tidied(state, folder, programs), folder, programs)
            back = state.previous
            if back is None or back not in state.revisions:
                raise UsageError(
                    f"{endpoint} has no previous revision to go back to",
                    hint="deploy the model version that is to serve",
                )
            progress(f"starting {state.name_of(back)}")
            state = programs.start_server(state, back)
            port = state.router.port if state.router else None
            if port is not None:
                state = programs.start_router(state, port)
            self._send(folder, programs, state, {back: ALL}, leaving=state.serving)
            state = folder.save(state.changed(serving=back, previous=None))
            progress(f"{state.name_of(back)} has all traffic")
            return self._status(_tidied(state, folder, programs), folder, programs)

    def predict(self, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Asks through the router, as any client does."""
        state = _loaded(self._folder(endpoint), endpoint)
        if state.router is None:
            raise ServiceError(f"{endpoint} has no router yet", hint="deploy again")
        with HttpClient(retries=self._retries) as http:
            answer = http.request(
                "POST",
                f"{_url(state.router.port)}{PREDICT_PATH}",
                json={"instances": list(rows)},
                doing=f"asking {endpoint} for {len(rows)} predictions",
                # A prediction changes nothing.
                repeatable=True,
            )
        if not answer.ok:
            raise ServiceError(f"{endpoint} answered {answer.status_code}: {answer.text[:300]}")
        return _checked(answer.content, len(rows), endpoint)

    def delete(self, endpoint: str, progress: Progress) -> None:
        """Ends the router and every server, and removes the endpoint's files."""
        import shutil

        if not self._folder(endpoint).path.is_dir():
            return
        with self._locked(endpoint) as folder:
            state = folder.load()
            if state is not None:
                programs = self._programs(folder)
                if state.router is not None:
                    programs.stop(state.router)
                for key in state.revisions:
                    state = programs.stop_server(state, key)
            shutil.rmtree(folder.path, ignore_errors=True)
            progress(f"{endpoint} is gone")

    def _enter(self, folder: EndpointFolder, state: EndpointState, deployment: Deployment) -> EndpointState:
        """Writes the revision down as the one that is taking over."""
        key = deployment.revision.id
        variables = server_variables(deployment)
        new = StoredRevision.of(deployment.revision, deployment.environment, variables).model_copy(
            update={"package_uri": str(self._package(deployment.revision.package_uri))}
        )
        running = state.revisions[key].program if key in state.revisions else None
        new = new.model_copy(update={"program": running})
        return folder.save(state.with_revision(key, new).changed(candidate=key))

    def _take_over(
        self,
        folder: EndpointFolder,
        programs: Programs,
        state: EndpointState,
        deployment: Deployment,
        progress: Progress,
    ) -> EndpointState:
        key, old = deployment.revision.id, state.serving
        name = deployment.revision.name
        progress(f"starting {name}")
        state = programs.start_server(state, key)
        progress(smoke_test(deployment, self._asking(state, key), clock=self._pace.clock))
        state = programs.start_router(state, _port(deployment))
        if old is None or programs.running(state.revisions[old].program) is None:
            self._send(folder, programs, state, {key: ALL})
            progress(f"{name} has all traffic")
        else:
            self._shift(folder, programs, state, deployment, progress)
        previous = old if old not in (None, key) else state.previous
        return folder.save(state.changed(serving=key, previous=previous, candidate=None))

    def _shift(
        self,
        folder: EndpointFolder,
        programs: Programs,
        state: EndpointState,
        deployment: Deployment,
        progress: Progress,
    ) -> None:
        """Moves the traffic step by step, watching the alarms, and then drains the revision before."""
        key, old, rollout = deployment.revision.id, state.serving, _endpoint(deployment).rollout
        assert old is not None  # noqa: S101 the caller looked
        look = self._watching(programs, state, key, deployment)
        for percent in steps(rollout):
            self._send(folder, programs, state, {key: percent, old: ALL - percent})
            progress(f"{deployment.revision.name} has {percent} % of the traffic")
            self._pace.watch(rollout.wait.total_seconds(), look, every=_ALARM_SECONDS)
        self._pace.watch(rollout.termination_wait.total_seconds(), look, every=_ALARM_SECONDS)
        self._send(folder, programs, state, {key: ALL}, leaving=old)

    def _watching(
        self, programs: Programs, state: EndpointState, key: str, deployment: Deployment
    ) -> Callable[[], None]:
        def look() -> None:
            if programs.running(state.revisions[key].program) is None:
                raise DeployFailedError(f"the server of {deployment.revision.name} ended while it took over")
            raise_when_firing(lambda: self._alarms(deployment))

        return look

    def _take_back(self, folder: EndpointFolder, programs: Programs, key: str, progress: Progress) -> None:
        """Gives all traffic to the revision that served, and ends the one that was taking over."""
        state = folder.load()
        if state is None or state.candidate != key:
            return
        if state.serving is not None and state.serving != key:
            self._send(folder, programs, state, {state.serving: ALL}, leaving=key)
            progress(f"{state.name_of(state.serving)} has all traffic")
        elif state.serving is None and state.router is not None:
            programs.stop(state.router)
            folder.route(())
            state = folder.save(state.changed(router=None))
        folder.save(programs.stop_server(state, key).changed(candidate=None))

    def _send(
        self,
        folder: EndpointFolder,
        programs: Programs,
        state: EndpointState,
        percents: Mapping[str, int],
        *,
        leaving: str | None = None,
    ) -> None:
        """Shares the traffic out, and waits until the router does so."""
        routes = []
        for key, percent in percents.items():
            revision = state.revisions[key]
            port = revision.program.port if revision.program else 0
            if percent:
                routes.append(Route(revision=key, name=revision.revision.name, port=port, percent=percent))
        if tuple(routes) == folder.routes().routes and leaving is None:
            return
        new = folder.route(tuple(routes))
        if state.router is not None and programs.running(state.router):
            programs.settle(state, new, leaving)

    def _asking(self, state: EndpointState, key: str) -> Callable[[Sequence[Mapping[str, Any]]], list[Any]]:
        """Asks the revision's own server, past the router."""
        program = state.revisions[key].program
        assert program is not None  # noqa: S101 it was started

        def ask(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
            answer = loopback.post(
                program.port,
                PREDICT_PATH,
                {"instances": list(rows)},
                seconds=_PREDICT_SECONDS,
                headers={HEADER: program.token},
            )
            if answer is None:
                raise ValueError("the server did not answer")
            if answer[0] != 200:
                raise ValueError(
                    f"the server answered {answer[0]}: {answer[1][:300].decode(errors='replace')}"
                )
            return predictions_of(answer[1], len(rows))

        return ask

    def _status(self, state: EndpointState, folder: EndpointFolder, programs: Programs) -> EndpointStatus:
        traffic: dict[str, int] = {}
        dead: list[str] = []
        for route in folder.routes().routes:
            traffic[route.name] = traffic.get(route.name, 0) + route.percent
            revision = state.revisions.get(route.revision)
            if revision is None or programs.running(revision.program) is None:
                dead.append(f"the server of {route.name} is not running")
        if state.router is None or programs.running(state.router) is None:
            dead.append("its router is not running")
        now, reason = State.IN_SERVICE, None
        if state.candidate is not None:
            now = State.UPDATING if state.serving else State.CREATING
        elif dead:
            now, reason = State.FAILED, f"{' and '.join(dead)}; deploy again to start it"
        return EndpointStatus(
            endpoint=state.endpoint,
            state=now,
            traffic=traffic,
            previous=state.name_of(state.previous),
            url=_url(state.router.port) if state.router else None,
            reason=reason,
        )

    def _package(self, uri: str) -> Path:
        """The package's folder: an absolute path, or one below the root."""
        path = Path(url2pathname(urlsplit(uri).path)) if uri.startswith("file:///") else None
        return path or self.root / uri.removeprefix("file://")

    def _programs(self, folder: EndpointFolder) -> Programs:
        return Programs(folder, self.processes, self._command, self._pace)

    def _folder(self, endpoint: str) -> EndpointFolder:
        return EndpointFolder(self._endpoints / endpoint)

    @contextmanager
    def _locked(self, endpoint: str) -> Iterator[EndpointFolder]:
        """The endpoint's folder while nobody else changes it."""
        from mlops_config.files import make_output_folder

        make_output_folder(self.root / ".mlops-config")
        folder = self._folder(endpoint)
        folder.path.mkdir(parents=True, exist_ok=True)
        with exclusive(self._endpoints / f"{endpoint}.lock", limit=_LOCK_SECONDS):
            folder.path.mkdir(parents=True, exist_ok=True)
            yield folder

    @contextmanager
    def _existing(self, endpoint: str) -> Iterator[EndpointFolder]:
        _loaded(self._folder(endpoint), endpoint)
        with self._locked(endpoint) as folder:
            yield folder


def _mended(state: EndpointState, folder: EndpointFolder, programs: Programs, *, keep: str) -> EndpointState:
    """The state with what an interrupted deploy of another revision left cleared away."""
    if state.candidate is None or state.candidate == keep:
        return state
    left = state.candidate
    if state.serving is not None:
        program = state.revisions[state.serving].program
        name = state.revisions[state.serving].revision.name
        if program is not None:
            route = Route(revision=state.serving, name=name, port=program.port, percent=ALL)
            routes = folder.route((route,))
            if state.router is not None and programs.running(state.router):
                programs.settle(state, routes, left)
    if left != state.serving:
        state = programs.stop_server(state, left)
    return folder.save(state.changed(candidate=None))


def _tidied(state: EndpointState, folder: EndpointFolder, programs: Programs) -> EndpointState:
    """Ends every server but the serving one, and forgets revisions that nothing goes back to."""
    for key in state.revisions:
        if key != state.serving:
            state = programs.stop_server(state, key)
    kept = {key: value for key, value in state.revisions.items() if key in (state.serving, state.previous)}
    return folder.save(state.changed(revisions=kept)) if kept != state.revisions else state


def _loaded(folder: EndpointFolder, endpoint: str) -> EndpointState:
    state = folder.load()
    if state is None:
        raise UsageError(f"there is no endpoint {endpoint} on this machine", hint="deploy it first")
    return state


def _endpoint(deployment: Deployment) -> Any:
    endpoint = deployment.inference.endpoint
    if endpoint is None:
        raise UsageError("the inference file has no endpoint", hint="write mode: endpoint, and endpoint: {}")
    return endpoint


def _port(deployment: Deployment) -> int:
    deployer = deployment.inference.deployer
    if deployer.target != "local":
        raise UsageError(f"the inference file deploys to {deployer.target}, not to this machine")
    return deployer.port


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _checked(body: bytes, count: int, endpoint: str) -> list[Any]:
    try:
        return predictions_of(body, count)
    except ValueError as error:
        raise ServiceError(f"{endpoint}: {error}") from error
