"""Rules over where jobs read and write: nothing lies in anything else, and environments share nothing."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.contract.rules.engine import Breach, Environment, environment_rule, project_rule
from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.contract.rules.uris import names_environment, overlap
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig, MonitoringConfig, TrainingConfig


class Place(NamedTuple):
    """A URI in one of the files, and what it is for."""

    kind: Kind
    path: ConfigPath
    uri: str
    role: str


def written_places(inference: "InferenceConfig", monitoring: "MonitoringConfig") -> list[Place]:
    """Where jobs write: predictions, captured rows, reports."""
    places = []
    if inference.batch is not None:
        uri = inference.batch.output_uri
        places.append(Place(Kind.INFERENCE, ("batch", "output_uri"), uri, "batch predictions"))
    if inference.data_capture is not None:
        uri = inference.data_capture.destination_uri
        places.append(Place(Kind.INFERENCE, ("data_capture", "destination_uri"), uri, "captured rows"))
    report = monitoring.report.destination_uri
    places.append(Place(Kind.MONITORING, ("report", "destination_uri"), report, "monitoring reports"))
    return places


def read_places(
    training: "TrainingConfig", inference: "InferenceConfig", monitoring: "MonitoringConfig"
) -> list[Place]:
    """What jobs read and never write: training data, batch input, labels, a reference of its own."""
    source = training.data.source.uri
    places = [Place(Kind.TRAINING, ("data", "source", "uri"), source, "the training data")]
    if inference.batch is not None:
        uri = inference.batch.input_uri
        places.append(Place(Kind.INFERENCE, ("batch", "input_uri"), uri, "the batch input"))
    if monitoring.performance is not None:
        uri = monitoring.performance.labels_uri
        places.append(Place(Kind.MONITORING, ("performance", "labels_uri"), uri, "the labels"))
    if monitoring.reference.type == "uri":
        uri = monitoring.reference.uri
        places.append(Place(Kind.MONITORING, ("reference", "uri"), uri, "the reference"))
    return places


@environment_rule("X14", "Places that lie in each other", Kind.TRAINING, Kind.INFERENCE, Kind.MONITORING)
def places_are_apart(environment: Environment) -> Iterator[Breach]:
    """Batch predictions, captured rows and monitoring reports each go to a place of their own, apart from
    each other and from everything that is read, and each of these URIs names the environment.

    Why: a job that reads a prefix reads all that lies below it. Predictions taken for labels, or reports
    for rows, spoil a model without any error.

    Mend: give each its own prefix, with the environment's name as a word of the bucket or of the path.
    """
    training, inference, monitoring = environment.training, environment.inference, environment.monitoring
    written = written_places(inference, monitoring)
    read = read_places(training, inference, monitoring)
    for place in written:
        if not names_environment(place.uri, environment.name):
            yield environment.breach(
                place.kind,
                place.path,
                f"{place.role} go to {place.uri}, which does not name the environment {environment.name}",
                f"put {environment.name} into the bucket or the path",
            )
    pairs = [*combinations(written, 2), *((out, source) for out in written for source in read)]
    for place, other in pairs:
        both = {place.path, other.path}
        if both == {("batch", "output_uri"), ("batch", "input_uri")}:
            continue  # that is rule C24, which needs no other file
        if overlap(place.uri, other.uri):
            yield environment.breach(
                place.kind,
                place.path,
                f"{place.role} go to {place.uri}, which overlaps with {other.role} at {other.uri}",
                "give each a prefix of its own",
                environment.see(other.kind, other.path, other.role),
            )


@project_rule(
    "X17", "Environments that share what one of them changes", Kind.TRAINING, Kind.INFERENCE, Kind.MONITORING
)
def environments_share_nothing(environments: Sequence[Environment]) -> Iterator[Breach]:
    """No two environments have the same `tracking.registered_model_name` or the same endpoint name, or
    write to places that lie in each other, and none writes where a later one reads. A later environment may
    read what an earlier one reads or writes.

    Why: an experiment in dev must not be able to change what prod serves, learns from or reports.

    Mend: put the environment's name into each of them.
    """
    for earlier, later in combinations(environments, 2):
        name = earlier.training.tracking.registered_model_name
        if name == later.training.tracking.registered_model_name:
            path: ConfigPath = ("tracking", "registered_model_name")
            yield earlier.breach(
                Kind.TRAINING,
                path,
                f"{earlier.name} and {later.name} both register their models as {name}, so they share its"
                " aliases",
                f"write a name for {earlier.name} alone, such as {_own(name, later.name, earlier.name)}",
                later.see(Kind.TRAINING, path, f"the same in {later.name}"),
            )
        ours, theirs = earlier.inference, later.inference
        if ours.endpoint is not None and theirs.endpoint is not None:
            name = endpoint_name(ours)
            if name == endpoint_name(theirs):
                yield earlier.breach(
                    Kind.INFERENCE,
                    ("endpoint", "name"),
                    f"{earlier.name} and {later.name} both serve from an endpoint called {name}",
                    f"write {_own(name, later.name, earlier.name)}",
                    later.see(Kind.INFERENCE, ("endpoint", "name"), f"the same in {later.name}"),
                )
        yield from _shared_places(earlier, later)


def _shared_places(earlier: Environment, later: Environment) -> Iterator[Breach]:
    written = written_places(later.inference, later.monitoring)
    read = read_places(later.training, later.inference, later.monitoring)
    for place in written_places(earlier.inference, earlier.monitoring):
        other = next((each for each in (*written, *read) if overlap(place.uri, each.uri)), None)
        if other:
            yield earlier.breach(
                place.kind,
                place.path,
                f"{place.role} of {earlier.name} go to {place.uri}, where {later.name} keeps {other.role}",
                f"give {earlier.name} a bucket or prefix of its own",
                later.see(other.kind, other.path, f"{other.role} of {later.name}"),
            )


def _own(name: str, theirs: str, ours: str) -> str:
    """``name`` with our environment's name in place of theirs, or behind it."""
    return name.replace(theirs, ours) if theirs in name else f"{name}-{ours}"
