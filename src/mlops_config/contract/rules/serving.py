"""Rules over one inference file: the model served, its machines, rollout, batch and records."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, File, file_rule
from mlops_config.contract.rules.uris import names_environment, overlap
from mlops_config.contract.rules.wording import duration, listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig
    from mlops_config.contract.models.inference import Rollout

RECORDED_ALWAYS = ("prediction_id", "event_time", "model_version", "config_digest")
MOVING_ALIASES = ("latest", "newest")


@file_rule("C17", "Not exactly one model version", Kind.INFERENCE)
def exactly_one_version(file: File) -> Iterator[Breach]:
    """`model` names the version that serves by an `alias` or by a `version`, by exactly one of them, and
    the alias is not one that moves by itself, such as `latest`.

    Why: with both nobody knows which one counts; with neither, or with `latest`, whatever was registered
    last serves, judged or not.

    Mend: write `alias: champion`, which a promotion moves, or pin a `version`.
    """
    model = file.config.model
    if model.alias is not None and model.version is not None:
        yield file.breach(
            ("model", "version"),
            f"both the alias {model.alias} and the version {model.version} are given",
            "keep one of the two",
            file.see(("model", "alias"), f"the alias is {model.alias}"),
        )
    if model.alias is None and model.version is None:
        yield file.breach(
            ("model",), "neither an alias nor a version says which model serves", "write alias: champion"
        )
    if model.alias in MOVING_ALIASES:
        yield file.breach(
            ("model", "alias"),
            f"{model.alias} is whatever was registered last, whether it was judged or not",
            "write alias: champion, or pin a version",
        )


@file_rule("C18", "A mode without its block, or a block without its mode", Kind.INFERENCE)
def mode_has_its_blocks(file: File) -> Iterator[Breach]:
    """The `mode` `endpoint` needs an `endpoint` block, `batch` a `batch` block, `both` needs both, and
    neither block is there without its mode.

    Why: what is to serve must be described, and a block that nothing reads says something that does not
    hold.

    Mend: add or remove the block, or change the mode.
    """
    inference: InferenceConfig = file.config
    for name, block in (("endpoint", inference.endpoint), ("batch", inference.batch)):
        if block is None and inference.mode in (name, "both"):
            yield file.breach(
                ("mode",),
                f"mode is {inference.mode}, but there is no block {name}",
                f"add the block {name}, or change the mode",
            )
        if block is not None and inference.mode not in (name, "both"):
            yield file.breach(
                (name,),
                f"mode is {inference.mode}, so nothing reads the block {name}",
                f"remove the block, or write mode: both or mode: {name}",
                file.see(("mode",), f"the mode is {inference.mode}"),
            )


@file_rule("C19", "A machine of another cloud", Kind.INFERENCE)
def machines_are_of_the_deployers_cloud(file: File) -> Iterator[Breach]:
    """`instance_type` of `endpoint` and `batch` is a machine type of the deployer's cloud; the `local`
    deployer takes none.

    Why: the deployer would be refused when it asks for the machine, long after the release.

    Mend: on AWS write a type such as `ml.m5.large`, on Google Cloud one such as `n2-standard-2`.

    Source: SageMaker ProductionVariantInstanceType; Compute Engine machine types, as Vertex AI takes them.
    """
    inference: InferenceConfig = file.config
    target = inference.deployer.target
    seen = file.see(("deployer", "target"), f"the deployer is {target}")
    for name, block in (("endpoint", inference.endpoint), ("batch", inference.batch)):
        if block is None:
            continue
        machine = block.instance_type
        path: ConfigPath = (name, "instance_type")
        example = "ml.m5.large" if target == "aws" else "n2-standard-2"
        if target == "local":
            if machine is not None:
                message = f"the local deployer runs on this machine and takes no instance_type {machine}"
                yield file.breach(path, message, "leave it out", seen)
        elif machine is None:
            yield file.breach(path, f"{target} needs an instance_type", f"add one, such as {example}", seen)
        elif machine.startswith("ml.") != (target == "aws"):
            message = f"{machine} is no machine type of {target}"
            yield file.breach(path, message, f"write a type such as {example}", seen)


@file_rule("C20", "An endpoint that does not name its environment", Kind.INFERENCE)
def endpoint_names_its_environment(file: File) -> Iterator[Breach]:
    """`endpoint.name`, where it is given, has the environment's name as one of its words.

    Why: endpoints of one account stand in one list, where a name without its environment is deleted by
    mistake.

    Mend: append the environment, or leave the name out: it is `<model_name>-<environment>` then.
    """
    endpoint = file.config.endpoint
    if (
        endpoint is not None
        and endpoint.name is not None
        and not names_environment(endpoint.name, file.environment)
    ):
        yield file.breach(
            ("endpoint", "name"),
            f"the name {endpoint.name} does not say that the endpoint is of {file.environment}",
            f"write {endpoint.name}-{file.environment}, or leave the name out",
        )


@file_rule("C21", "Autoscaling bounds that cross", Kind.INFERENCE)
def autoscaling_holds_the_initial_count(file: File) -> Iterator[Breach]:
    """`min_instance_count` ≤ `initial_instance_count` ≤ `max_instance_count`.

    Why: a scaler that starts outside its own bounds is refused, or changes the fleet at once.

    Mend: change the number that the message names.

    Source: MinCapacity and MaxCapacity of Application Auto Scaling's RegisterScalableTarget.
    """
    endpoint = file.config.endpoint
    if endpoint is None or endpoint.autoscaling is None:
        return
    low, high = endpoint.autoscaling.min_instance_count, endpoint.autoscaling.max_instance_count
    initial = endpoint.initial_instance_count
    if low > high:
        yield file.breach(
            ("endpoint", "autoscaling", "max_instance_count"),
            f"at most {high} machines are fewer than at least {low}",
            f"write {low} or more",
            file.see(("endpoint", "autoscaling", "min_instance_count"), f"at least {low}"),
        )
    elif not low <= initial <= high:
        yield file.breach(
            ("endpoint", "initial_instance_count"),
            f"{initial} machines to begin with lie outside autoscaling's {low} to {high}",
            f"write a number from {low} to {high}",
            file.see(("endpoint", "autoscaling"), f"from {low} to {high}"),
        )


@file_rule("C22", "A watched rollout without an alarm", Kind.INFERENCE)
def watched_rollout_has_an_alarm(file: File) -> Iterator[Breach]:
    """A `canary` or `linear` rollout names at least one of the monitoring file's alerts in
    `rollback_alarms`.

    Why: traffic moves in steps so that an alarm can stop it; without one the steps are only slower.

    Mend: name alerts such as those of the signals `errors` and `latency`, or write `type: all_at_once`.
    """
    endpoint = file.config.endpoint
    if endpoint is None or endpoint.rollout.type == "all_at_once" or endpoint.rollout.rollback_alarms:
        return
    yield file.breach(
        ("endpoint", "rollout", "rollback_alarms"),
        f"the {endpoint.rollout.type} rollout watches for alarms, but names none",
        "name alerts of the monitoring file, such as those of the signals errors and latency, or write"
        " type: all_at_once",
    )


@file_rule("C23", "A rollout that runs into its own timeout", Kind.INFERENCE)
def rollout_ends_before_its_timeout(file: File) -> Iterator[Breach]:
    """`rollout.timeout` is longer than all waits together: `wait` (for `linear` once a step) and
    `termination_wait`.

    Why: a rollout that cannot end in time is always rolled back.

    Mend: raise `timeout`, or shorten the waits.

    Source: MaximumExecutionTimeoutInSeconds of SageMaker's BlueGreenUpdatePolicy.
    """
    endpoint = file.config.endpoint
    if endpoint is None:
        return
    rollout = endpoint.rollout
    waiting = rollout.wait * watched_steps(rollout) + rollout.termination_wait
    if rollout.timeout <= waiting:
        yield file.breach(
            ("endpoint", "rollout", "timeout"),
            f"the timeout {duration(rollout.timeout)} is not longer than all waits together,"
            f" {duration(waiting)}: {watched_steps(rollout)} x {duration(rollout.wait)} to watch and"
            f" {duration(rollout.termination_wait)} before the old fleet goes",
            f"write more than {duration(waiting)}, such as {duration(waiting + timedelta(minutes=30))}",
            file.see(("endpoint", "rollout", "wait"), f"the wait is {duration(rollout.wait)}"),
        )


def watched_steps(rollout: "Rollout") -> int:
    """How often the rollout waits and watches."""
    return -(-100 // rollout.step_percent) if rollout.type == "linear" else 1


@file_rule("C24", "A batch that overwrites its input", Kind.INFERENCE)
def batch_spares_its_input(file: File) -> Iterator[Breach]:
    """`batch.input_uri` and `batch.output_uri` do not lie in each other.

    Why: the next run would read its own predictions as input, or write over what is left to predict.

    Mend: give the predictions a prefix of their own.
    """
    batch = file.config.batch
    if batch is not None and overlap(batch.input_uri, batch.output_uri):
        yield file.breach(
            ("batch", "output_uri"),
            f"the output {batch.output_uri} and the input {batch.input_uri} lie in each other",
            "give the predictions a prefix of their own",
            file.see(("batch", "input_uri"), "the input"),
        )


@file_rule("C25", "A recorded column that is written anyway", Kind.INFERENCE)
def recorded_columns_are_extra(file: File) -> Iterator[Breach]:
    """`record.extra_columns` names none of the columns that every prediction is written with:
    `prediction_id`, `event_time`, `model_version`, `config_digest`.

    Why: two columns of one name cannot be written, and these four must hold what they say.

    Mend: remove it from the list.
    """
    for index, column in enumerate(file.config.record.extra_columns):
        if column in RECORDED_ALWAYS:
            yield file.breach(
                ("record", "extra_columns", index),
                f"{column} is written with every prediction already",
                f"remove it; always written are {listed(RECORDED_ALWAYS)}",
            )
