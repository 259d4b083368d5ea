"""Rules that the four files speak of one model, under names that providers accept."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, Environment, environment_rule
from mlops_config.contract.rules.schedules import gaps
from mlops_config.contract.rules.wording import duration, instead, listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig

LONGEST_NAME = {"aws": 63, "gcp": 128}
"""SageMaker: EndpointName, EndpointConfigName and TrainingJobName. Vertex AI: displayName of any resource."""

DIGEST_SUFFIX = 1 + 8
TIME_SUFFIX = 1 + 14
"""Behind names that must be new each time: eight digits of a digest, or a UTC time to the second."""

SHORTEST_PERIOD_AWS = timedelta(hours=1)


def endpoint_name(inference: "InferenceConfig") -> str:
    """The endpoint's name: as given, or the model's name and the environment's."""
    given = inference.endpoint.name if inference.endpoint else None
    return given or f"{inference.metadata.model_name}-{inference.metadata.environment}"


@environment_rule("X01", "Four files of different models", *Kind)
def files_are_of_one_model(environment: Environment) -> Iterator[Breach]:
    """`metadata.project` and `metadata.model_name` are the same in all four files.

    Why: names, tags and storage prefixes are made of them; a file copied from another project would write
    into that project.

    Mend: write the training file's value. That `metadata.environment` equals the folder is rule F10.
    """
    for field in ("project", "model_name"):
        path: ConfigPath = ("metadata", field)
        expected = getattr(environment.training.metadata, field)
        for kind in (Kind.INFERENCE, Kind.MONITORING, Kind.RETRAIN):
            given = getattr(environment.file(kind).config.metadata, field)
            if given != expected:
                yield environment.breach(
                    kind,
                    path,
                    f"{field} is {given} here, but {expected} in the training file",
                    f"write {expected}",
                    environment.see(Kind.TRAINING, path, f"{expected} in the training file"),
                )


@environment_rule("X03", "Inference takes other columns than training", Kind.TRAINING, Kind.INFERENCE)
def signature_is_the_schemas(environment: Environment) -> Iterator[Breach]:
    """A `declared` signature has the training file's features, with their types, and its target; the
    columns of `record.extra_columns` are in the training file's schema.

    Why: a model that is asked with other columns than it learned answers wrong, or not at all.

    Mend: write the training file's columns, or `signature: {source: training}`, which takes them from
    there.
    """
    training, inference = environment.training, environment.inference
    types = {feature.name: feature.type for feature in training.schema_.features}
    seen = environment.see(Kind.TRAINING, ("schema", "features"), "the features")
    signature = inference.signature
    if signature.source == "declared":
        for index, column in enumerate(signature.inputs):
            path: ConfigPath = ("signature", "inputs", index)
            if column.name not in types:
                yield environment.breach(
                    Kind.INFERENCE,
                    (*path, "name"),
                    f"{column.name} is no feature of the training file",
                    instead(column.name, types, f"its features are {listed(types)}"),
                    seen,
                )
            elif column.type != types[column.name]:
                yield environment.breach(
                    Kind.INFERENCE,
                    (*path, "type"),
                    f"{column.name} is {column.type} here, but {types[column.name]} in the training file",
                    f"write type: {types[column.name]}",
                    seen,
                )
        missing = [name for name in types if name not in {column.name for column in signature.inputs}]
        if missing:
            yield environment.breach(
                Kind.INFERENCE,
                ("signature", "inputs"),
                f"the model also learns from {listed(missing)}",
                "add what is missing, or write signature: {source: training}",
                seen,
            )
        yield from _output(environment, signature.output.name, signature.output.type)
    columns = [*types, *(column.name for column in training.schema_.identifiers)]
    for index, name in enumerate(inference.record.extra_columns):
        if name not in columns:
            yield environment.breach(
                Kind.INFERENCE,
                ("record", "extra_columns", index),
                f"{name} is no column of a request",
                instead(name, columns, f"its columns are {listed(columns, 10)}"),
                environment.see(Kind.TRAINING, ("schema",), "the columns"),
            )


def _output(environment: Environment, name: str, column_type: str) -> Iterator[Breach]:
    target = environment.training.schema_.target
    seen = environment.see(Kind.TRAINING, ("schema", "target"), f"the target is {target.name}")
    if name != target.name:
        yield environment.breach(
            Kind.INFERENCE,
            ("signature", "output", "name"),
            f"the answer is called {name} here, but {target.name} in the training file",
            f"write name: {target.name}",
            seen,
        )
    numbers = ("integral", "fractional")
    fitting = numbers if target.problem_type == "regression" else (*numbers, "string", "boolean")
    if column_type not in fitting:
        yield environment.breach(
            Kind.INFERENCE,
            ("signature", "output", "type"),
            f"{target.problem_type} does not answer with a {column_type}",
            f"write one of {listed(fitting)}",
            seen,
        )


@environment_rule("X04", "Serving another model than is trained", Kind.TRAINING, Kind.INFERENCE, Kind.RETRAIN)
def served_model_is_the_trained_one(environment: Environment) -> Iterator[Breach]:
    """`model.registered_model_name` of the inference file is `tracking.registered_model_name` of the
    training file, and an alias that serves is the one that a promotion moves, `promotion.alias_to` of the
    retrain file.

    Why: otherwise new models are trained, judged and promoted, and the old one goes on serving.

    Mend: write the same name, and the same alias, in both files.
    """
    served, trained = environment.inference.model, environment.training.tracking.registered_model_name
    if served.registered_model_name != trained:
        yield environment.breach(
            Kind.INFERENCE,
            ("model", "registered_model_name"),
            f"{served.registered_model_name} serves, but {trained} is trained",
            f"write {trained}",
            environment.see(Kind.TRAINING, ("tracking", "registered_model_name"), f"{trained} is trained"),
        )
    promoted = environment.retrain.promotion.alias_to
    if served.alias is not None and served.alias != promoted:
        yield environment.breach(
            Kind.INFERENCE,
            ("model", "alias"),
            f"the alias {served.alias} serves, but a promotion moves {promoted}",
            f"write alias: {promoted}",
            environment.see(Kind.RETRAIN, ("promotion", "alias_to"), f"a promotion moves {promoted}"),
        )


@environment_rule("X11", "A rollback alarm that does not exist", Kind.INFERENCE, Kind.MONITORING)
def rollback_alarms_exist(environment: Environment) -> Iterator[Breach]:
    """Each of the rollout's `rollback_alarms` is the name of an alert in the monitoring file.

    Why: an alarm that does not exist never fires, so the rollout would go through whatever happens.

    Mend: correct the name, or add the alert.
    """
    endpoint = environment.inference.endpoint
    if endpoint is None:
        return
    alerts = [alert.name for alert in environment.monitoring.alerts]
    for index, name in enumerate(endpoint.rollout.rollback_alarms):
        if name not in alerts:
            otherwise = f"the alerts are {listed(alerts, 10)}" if alerts else "add it to the monitoring file"
            yield environment.breach(
                Kind.INFERENCE,
                ("endpoint", "rollout", "rollback_alarms", index),
                f"the monitoring file has no alert {name}",
                instead(name, alerts, otherwise),
                environment.see(Kind.MONITORING, ("alerts",), "the alerts"),
            )


@environment_rule("X16", "Beyond what the provider accepts", Kind.TRAINING, Kind.INFERENCE, Kind.MONITORING)
def names_fit_the_provider(environment: Environment) -> Iterator[Breach]:
    """The names made from the configuration are short enough for the provider: the endpoint's with a digest
    of 8 digits behind it, and `<model_name>-<environment>` with a time of 14 digits, at most 63 on AWS and
    128 on Google Cloud. On AWS monitoring runs at most once an hour.

    Why: the provider would refuse the name when the release is already out.

    Mend: shorten `metadata.model_name` or `endpoint.name`; run monitoring less often.

    Source: EndpointConfigName, TrainingJobName and ScheduleExpression of the SageMaker API; displayName of
    Vertex AI's Endpoint and CustomJob.
    """
    training, inference = environment.training, environment.inference
    served = inference.deployer.target
    if inference.endpoint is not None and served != "local":
        name = endpoint_name(inference)
        longest = LONGEST_NAME[served] - DIGEST_SUFFIX
        if len(name) > longest:
            given = inference.endpoint.name is not None
            yield environment.breach(
                Kind.INFERENCE,
                ("endpoint", "name") if given else ("metadata", "model_name"),
                f"the endpoint's name {name} has {len(name)} characters; {served} takes {longest}, or"
                f" {LONGEST_NAME[served]} with a digest behind it",
                f"write a name of at most {longest} characters in endpoint.name",
                environment.see(Kind.INFERENCE, ("deployer", "target"), f"the deployer is {served}"),
            )
    trained = training.compute.target
    if trained != "local":
        name = f"{training.metadata.model_name}-{training.metadata.environment}"
        longest = LONGEST_NAME[trained] - TIME_SUFFIX
        if len(name) > longest:
            yield environment.breach(
                Kind.TRAINING,
                ("metadata", "model_name"),
                f"training jobs are called {name} and the time, {len(name) + TIME_SUFFIX} characters;"
                f" {trained} takes {LONGEST_NAME[trained]}",
                f"shorten model_name by {len(name) - longest}",
                environment.see(Kind.TRAINING, ("compute", "target"), f"trained on {trained}"),
            )
    shortest, _ = gaps(environment.monitoring.schedule.cron)
    if environment.monitoring.enabled and served == "aws" and shortest < SHORTEST_PERIOD_AWS:
        yield environment.breach(
            Kind.MONITORING,
            ("schedule", "cron"),
            f"monitoring would run every {duration(shortest)}; on aws once an hour is the most",
            'write a schedule such as "0 * * * *"',
            environment.see(Kind.INFERENCE, ("deployer", "target"), "the deployer is aws"),
        )
