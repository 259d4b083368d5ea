"""Rules that hold in an environment for what it is for: development, staging or production."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, Environment, File, Role, environment_rule, file_rule
from mlops_config.contract.rules.serving import MOVING_ALIASES
from mlops_config.contract.rules.walk import nodes
from mlops_config.contract.rules.wording import listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig, RetrainConfig, TrainingConfig

RELEASED = (Role.STAGING, Role.PRODUCTION)
LEAST_INSTANCES_IN_PRODUCTION = 2
MOST_INSTANCES_IN_DEVELOPMENT = 2
MOST_VOLUME_GIB_IN_DEVELOPMENT = 100
MOST_CPUS_IN_DEVELOPMENT = 8
_MOVING = re.compile(rf"(?:^|[/@:=])(?:{'|'.join(MOVING_ALIASES)})(?:/|$)")
_AWS_SIZE = re.compile(r"(\d*)x?(nano|micro|small|medium|large)")
_GCP_SIZE = re.compile(r"-(\d+)(?:g|-|$)")


@file_rule("E01", "Data that is not fixed", *Kind, roles=RELEASED)
def data_is_fixed(file: File) -> Iterator[Breach]:
    """In staging and production `data.source.version` pins the training data, no URI has `latest` in it,
    and no URI is a `file://`.

    Why: nobody could train the same model again, or say what it learned from; and a file of one machine is
    not there on the next.

    Mend: write the version id, ETag or date of the snapshot, and a URI of a bucket.
    """
    for path, value in nodes(file.config):
        if not isinstance(value, str):
            continue
        if value.startswith("file://"):
            yield file.breach(
                path,
                f"{value} is on one machine only, and {file.environment} runs on others as well",
                "write a URI of a bucket: s3:// or gs://",
            )
        elif "://" in value and _MOVING.search(value.partition("://")[2]):
            yield file.breach(
                path,
                f"{value} is something else tomorrow",
                "write the URI of a snapshot",
            )
    if file.kind is Kind.TRAINING:
        version = file.config.data.source.version
        if version is None or _MOVING.search(version):
            yield file.breach(
                ("data", "source", "version"),
                f"the training data of {file.environment} has no fixed version"
                + ("" if version is None else f": {version} moves"),
                "write the version id, ETag or date of the snapshot",
            )


@environment_rule(
    "E02",
    "Production without a safety net",
    Kind.INFERENCE,
    Kind.MONITORING,
    Kind.RETRAIN,
    roles=(Role.PRODUCTION,),
)
def production_has_a_safety_net(environment: Environment) -> Iterator[Breach]:
    """In production an endpoint rolls out in steps and has at least two machines; at least one alert pages,
    and each that pages has a `runbook_url`; promotion is manual, or watched by a canary or linear rollout
    with an alarm.

    Why: each of these is what keeps one bad model, one broken machine or one silent failure from reaching
    everybody.

    Mend: the message says what is missing.
    """
    yield from _endpoint_net(environment)
    alerts = environment.monitoring.alerts
    if not any(alert.severity == "page" for alert in alerts):
        yield environment.breach(
            Kind.MONITORING,
            ("alerts",),
            f"no alert of {environment.name} pages anybody",
            "give an alert such as that of the signal errors severity: page and a runbook_url",
        )
    for index, alert in enumerate(alerts):
        if alert.severity == "page" and alert.runbook_url is None:
            yield environment.breach(
                Kind.MONITORING,
                ("alerts", index, "runbook_url"),
                f"the alert {alert.name} wakes somebody and does not say what to do",
                "add a runbook_url",
            )
    endpoint = environment.inference.endpoint
    watched = (
        endpoint is not None
        and endpoint.rollout.type != "all_at_once"
        and bool(endpoint.rollout.rollback_alarms)
    )
    if environment.retrain.promotion.mode == "automatic" and not watched:
        yield environment.breach(
            Kind.RETRAIN,
            ("promotion", "mode"),
            "models are promoted without asking anybody, and no rollout with an alarm watches them",
            "write mode: manual, or roll out as a canary with rollback_alarms",
            environment.see(Kind.INFERENCE, ("endpoint",) if endpoint else ("mode",), "what serves"),
        )


def _endpoint_net(environment: Environment) -> Iterator[Breach]:
    inference = environment.inference
    endpoint = inference.endpoint
    if endpoint is None:
        return
    if endpoint.rollout.type == "all_at_once":
        yield environment.breach(
            Kind.INFERENCE,
            ("endpoint", "rollout", "type"),
            f"in {environment.name} a new version would get all traffic at once",
            "write type: canary, with rollback_alarms",
        )
    scaling = endpoint.autoscaling
    least = scaling.min_instance_count if scaling else endpoint.initial_instance_count
    if inference.deployer.target != "local" and least < LEAST_INSTANCES_IN_PRODUCTION:
        path: ConfigPath = ("autoscaling", "min_instance_count") if scaling else ("initial_instance_count",)
        yield environment.breach(
            Kind.INFERENCE,
            ("endpoint", *path),
            f"with {least} machine {environment.name} is down whenever it is",
            f"write {LEAST_INSTANCES_IN_PRODUCTION} or more",
        )


@file_rule(
    "E05",
    "Development without a limit",
    Kind.TRAINING,
    Kind.INFERENCE,
    Kind.RETRAIN,
    roles=(Role.DEVELOPMENT,),
)
def development_is_small(file: File) -> Iterator[Breach]:
    """In development `guards.budget_usd_per_month` is set, and machines are few and small: at most 2 for a
    job or an endpoint, of at most 8 processors each, with disks of at most 100 GiB.

    Why: things are tried out and forgotten in development, where nobody looks at the bill.

    Mend: write smaller numbers, or try it in staging; a need that is real goes into the settings as a
    waiver.

    Source: on AWS a `2xlarge` has 8 processors, and each step up or down doubles or halves them; on Google
    Cloud the number behind the series says how many there are.
    """
    if file.kind is Kind.RETRAIN:
        retrain: RetrainConfig = file.config
        if retrain.guards.budget_usd_per_month is None:
            yield file.breach(
                ("guards", "budget_usd_per_month"),
                f"{file.environment} has no budget",
                "add guards.budget_usd_per_month, such as 20",
            )
        return
    for path, value, most in _sizes(file):
        if value > most:
            yield file.breach(
                path,
                f"{value} is more than {file.environment} should take: at most {most}"
                f" {'processors' if path[-1] == 'instance_type' else ''}".rstrip(),
                "write less, or waive the rule for a while",
            )


def _sizes(file: File) -> Iterator[tuple[ConfigPath, int, int]]:
    if file.kind is Kind.TRAINING:
        training: TrainingConfig = file.config
        compute = training.compute
        if compute.target != "local":
            yield ("compute", "instance_count"), compute.instance_count, MOST_INSTANCES_IN_DEVELOPMENT
            yield ("compute", "volume_size_gib"), compute.volume_size_gib, MOST_VOLUME_GIB_IN_DEVELOPMENT
            yield ("compute", "instance_type"), processors(compute.instance_type), MOST_CPUS_IN_DEVELOPMENT
        return
    inference: InferenceConfig = file.config
    endpoint, batch = inference.endpoint, inference.batch
    if endpoint is not None:
        scaling = endpoint.autoscaling
        most = MOST_INSTANCES_IN_DEVELOPMENT
        yield ("endpoint", "initial_instance_count"), endpoint.initial_instance_count, most
        if scaling is not None:
            yield ("endpoint", "autoscaling", "max_instance_count"), scaling.max_instance_count, most
    if batch is not None:
        yield ("batch", "instance_count"), batch.instance_count, MOST_INSTANCES_IN_DEVELOPMENT
    for name, block in (("endpoint", endpoint), ("batch", batch)):
        if block is not None and block.instance_type is not None:
            yield (name, "instance_type"), processors(block.instance_type), MOST_CPUS_IN_DEVELOPMENT


def processors(instance_type: str) -> int:
    """How many virtual processors a machine type has by its name; 1 where the name does not say.

    AWS: ``large`` has 2, ``xlarge`` 4, ``<n>xlarge`` 4n; bare metal counts as 96. Google Cloud: the last
    number.
    """
    if not instance_type.startswith("ml."):
        numbers = _GCP_SIZE.findall(instance_type)
        return int(numbers[-1]) if numbers else 1
    size = instance_type.rsplit(".", 1)[1]
    match = _AWS_SIZE.fullmatch(size)
    if size.startswith("metal"):
        return 96
    if match is None:
        return 1
    if size.endswith("xlarge"):
        return 4 * int(match[1] or 1)
    return 2 if match[2] == "large" else 1


@file_rule("E08", "Production compared with a moving reference", Kind.MONITORING, roles=(Role.PRODUCTION,))
def production_is_compared_with_training(file: File) -> Iterator[Breach]:
    """In production `reference` is the `training_baseline`.

    Why: against the window before, slow drift never shows; against a profile of its own, nobody knows
    whether the model that serves was trained on it.

    Mend: write `reference: {type: training_baseline}`, the default.
    """
    reference = file.config.reference.type
    if reference != "training_baseline":
        yield file.breach(
            ("reference", "type"),
            f"{file.environment} is compared with {reference}, not with what the model was trained on",
            "write type: training_baseline, or leave the reference out",
        )


@file_rule("E09", "Production without a gate", Kind.TRAINING, roles=(Role.PRODUCTION,))
def production_has_a_gate(file: File) -> Iterator[Breach]:
    """In production `evaluation.thresholds` holds at least one metric.

    Why: without a threshold every model passes, whatever its metrics say.

    Mend: add a threshold for the primary metric.
    """
    evaluation = file.config.evaluation
    if not evaluation.thresholds:
        yield file.breach(
            ("evaluation", "thresholds"),
            f"every model passes in {file.environment}: no metric has a threshold",
            f"add one for {evaluation.primary}",
        )


@file_rule("E10", "Production retrained with other values", Kind.RETRAIN, roles=(Role.PRODUCTION,))
def production_overrides_nothing(file: File) -> Iterator[Breach]:
    """In production `training.overrides` is empty.

    Why: a model must follow from the training file whose digest it carries; with an override it does not.

    Mend: change the training file.
    """
    overrides = file.config.training.overrides
    if overrides:
        yield file.breach(
            ("training", "overrides"),
            f"{file.environment} would retrain with other values than its training file: {listed(overrides)}",
            "write them into the training file, and remove the overrides",
        )
