"""What the local deployer remembers of an endpoint, on disk, so that a later call finds it again."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_config.deploy.interface import Revision
from mlops_config.deploy.local.processes import Process
from mlops_config.errors import IntegrityError
from mlops_config.files import write_atomically

_Model = TypeVar("_Model", bound=BaseModel)

STATE_NAME = "state.json"
ROUTES_NAME = "routes.json"
_LOG_END_CHARACTERS = 600


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Program(_Stored):
    """A process that was started, or is about to be: then only its token is known."""

    token: str
    port: int
    process: Process | None = None


class StoredRevision(_Stored):
    """A revision with what its server needs, so that a rollback can start it again."""

    model_name: str
    model_version: int
    config_digest: str
    image: str | None
    package_uri: str
    environment: str
    variables: dict[str, str]
    program: Program | None = None

    @classmethod
    def of(cls, revision: Revision, environment: str, variables: Mapping[str, str]) -> "StoredRevision":
        """The revision, its server not started."""
        return cls(**asdict(revision), environment=environment, variables=dict(variables))

    @property
    def revision(self) -> Revision:
        """The revision itself."""
        return Revision(self.model_name, self.model_version, self.config_digest, self.image, self.package_uri)


class EndpointState(_Stored):
    """An endpoint. Revisions are named by :attr:`Revision.id`."""

    schema_version: Literal[1] = 1
    endpoint: str
    router: Program | None = None
    serving: str | None = None
    previous: str | None = None
    candidate: str | None = None
    """The revision that is taking over."""
    revisions: dict[str, StoredRevision] = {}

    def changed(self, **fields: Any) -> "EndpointState":
        """A copy with other fields."""
        return self.model_copy(update=fields)

    def with_revision(self, key: str, revision: StoredRevision) -> "EndpointState":
        """A copy with this revision."""
        return self.changed(revisions={**self.revisions, key: revision})

    def with_program(self, key: str, program: Program | None) -> "EndpointState":
        """A copy with another server of a revision."""
        return self.with_revision(key, self.revisions[key].model_copy(update={"program": program}))

    def name_of(self, key: str | None) -> str | None:
        """A revision's name for people."""
        return self.revisions[key].revision.name if key in self.revisions else None


class Route(_Stored):
    """Where a share of the requests goes."""

    revision: str
    """The revision's id."""
    name: str
    port: int
    percent: int


class Routes(_Stored):
    """What the router reads. A new generation counts for every request that begins after it was written."""

    generation: int = 0
    routes: tuple[Route, ...] = ()


class EndpointFolder:
    """An endpoint's files: state, routes, and the programs' logs."""

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def load(self) -> EndpointState | None:
        """The endpoint's state, or ``None`` when there is no endpoint.

        Raises:
            IntegrityError: the file is not one of ours.
        """
        return self._read(STATE_NAME, EndpointState)

    def save(self, state: EndpointState) -> EndpointState:
        """Writes the state down and returns it."""
        write_atomically(self.path / STATE_NAME, state.model_dump_json(indent=2).encode() + b"\n")
        return state

    def routes(self) -> Routes:
        """Where requests go now."""
        return self._read(ROUTES_NAME, Routes) or Routes()

    def route(self, routes: tuple[Route, ...]) -> Routes:
        """Sends requests elsewhere from now on."""
        new = Routes(generation=self.routes().generation + 1, routes=routes)
        write_atomically(self.path / ROUTES_NAME, new.model_dump_json(indent=2).encode() + b"\n")
        return new

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.path / f"{name}.log"

    def log_end(self, name: str) -> str:
        """The last words of a program on one line."""
        try:
            text = self.log(name).read_bytes()[-8 * _LOG_END_CHARACTERS :].decode(errors="replace")
        except OSError:
            return ""
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[-_LOG_END_CHARACTERS:]

    def _read(self, name: str, model: type[_Model]) -> _Model | None:
        path = self.path / name
        try:
            return model.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise IntegrityError(
                f"{path} is not what this version writes: {error.errors()[0]['msg']}",
                hint="stop the processes named in it, remove the folder, and deploy again",
            ) from error
