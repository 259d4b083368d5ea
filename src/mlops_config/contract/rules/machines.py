"""Rules over where training runs and how its runs are labelled."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, Environment, File, environment_rule, file_rule
from mlops_config.contract.rules.wording import duration
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import TrainingConfig

OWN_TAG_PREFIX = "mlops."


@file_rule("C15", "Waiting for spot capacity", Kind.TRAINING)
def spot_waits_long_enough(file: File) -> Iterator[Breach]:
    """`compute.max_wait` is given with `use_spot` only, and is at least `max_runtime`; on AWS spot needs
    it.

    Why: it counts waiting and running together, so a shorter one ends the job before it is done.

    Mend: set `max_wait` to `max_runtime` and what you are ready to wait, or leave both out.

    Source: MaxWaitTimeInSeconds of SageMaker's StoppingCondition.
    """
    training: TrainingConfig = file.config
    compute = training.compute
    if compute.target == "local":
        return
    if compute.max_wait is None:
        if compute.use_spot and compute.target == "aws":
            yield file.breach(
                ("compute", "max_wait"),
                "spot capacity on AWS needs a max_wait",
                f"add max_wait, at least {duration(compute.max_runtime)}",
                file.see(("compute", "use_spot"), "spot capacity is wanted here"),
            )
    elif not compute.use_spot:
        yield file.breach(
            ("compute", "max_wait"),
            f"max_wait {duration(compute.max_wait)} is for spot capacity, but use_spot is false",
            "leave max_wait out, or set use_spot to true",
            file.see(("compute", "use_spot"), "no spot capacity is wanted"),
        )
    elif compute.max_wait < compute.max_runtime:
        yield file.breach(
            ("compute", "max_wait"),
            f"max_wait {duration(compute.max_wait)} is shorter than max_runtime"
            f" {duration(compute.max_runtime)}, which it includes",
            f"write at least {duration(compute.max_runtime)}",
            file.see(("compute", "max_runtime"), f"max_runtime is {duration(compute.max_runtime)}"),
        )


@file_rule("C16", "A tag with our prefix", Kind.TRAINING)
def own_tags_are_left_alone(file: File) -> Iterator[Breach]:
    """No key of `tracking.tags` begins with `mlops.`.

    Why: under that prefix each run and model version gets the config digest, the commit and the image it
    comes from; a tag of yours could stand in for one of them.

    Mend: choose another prefix.
    """
    for key in file.config.tracking.tags:
        if key.startswith(OWN_TAG_PREFIX):
            yield file.breach(
                ("tracking", "tags", key),
                f"tags that begin with {OWN_TAG_PREFIX} are set by the jobs themselves",
                f"rename it, such as {key.removeprefix(OWN_TAG_PREFIX) or 'team'}",
            )


@environment_rule("X12", "Training and serving on two clouds", Kind.TRAINING, Kind.INFERENCE)
def clouds_agree(environment: Environment) -> Iterator[Breach]:
    """Training on `aws` serves on `aws`, training on `gcp` on `gcp`, unless `deployer.allow_cross_cloud` is
    true.

    Why: the model and its data would cross clouds at every retraining, with the cost and the permissions
    that takes. Mostly it is a line copied from another project.

    Mend: make `compute.target` and `deployer.target` equal, or set `deployer.allow_cross_cloud: true`.
    """
    compute, deployer = environment.training.compute, environment.inference.deployer
    if compute.target == "local" or deployer.target == "local" or compute.target == deployer.target:
        return
    if not deployer.allow_cross_cloud:
        yield environment.breach(
            Kind.INFERENCE,
            ("deployer", "target"),
            f"the model is trained on {compute.target} and served on {deployer.target}",
            f"write target: {compute.target}, or accept it with allow_cross_cloud: true",
            environment.see(Kind.TRAINING, ("compute", "target"), f"trained on {compute.target}"),
        )
