"""What Airflow is to run, told from the four files: units, defaults, and what cannot be run."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.orchestration.releases import adding, pushed_image, release, replacing

from mlops_config.contract.models.orchestration import Execution, Orchestration
from mlops_config.contract.models.training import AwsCompute
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind
from mlops_config.orchestration.deployment import JOBS, Deployment, JobDeployment
from mlops_config.orchestration.describing import KIND_OF_JOB, deployment_of
from mlops_config.runtime.context import Configs

DEV = release()
CONFIGS = DEV.released.configs


def described(configs: Configs = CONFIGS, **record: Any) -> Deployment:
    return deployment_of(DEV.record.model_copy(update=record), configs)


def with_orchestration(kind: Kind, orchestration: Orchestration) -> Configs:
    models = {each.value: getattr(CONFIGS, each.value) for each in Kind}
    models[kind.value] = models[kind.value].model_copy(update={"orchestration": orchestration})
    return Configs(**models)


def test_waiting_for_spot_capacity_is_part_of_the_time_a_task_may_take() -> None:
    spot = {"use_spot": True, "max_runtime": "PT1H", "max_wait": "PT3H"}
    compute = AwsCompute.model_validate({"target": "aws", "instance_type": "ml.m5.large", **spot})
    training = CONFIGS.training.model_copy(update={"compute": compute})
    models = {each.value: getattr(CONFIGS, each.value) for each in Kind} | {"training": training}
    jobs = described(Configs(**models)).jobs
    assert {job.timeout_seconds for job in jobs.values()} == {3 * 3600.0}


def test_the_example_runs_its_four_jobs_as_its_files_say() -> None:
    deployment = described()
    assert tuple(deployment.jobs) == JOBS
    assert deployment.jobs["inference"].cron == "0 6 * * *"
    assert deployment.jobs["training"] == JobDeployment(
        config_name="dev_training_config.yaml", timeout_seconds=2 * _max_runtime()
    )
    assert deployment.jobs["retraining"].config_name == "dev_retrain_config.yaml"
    assert deployment.jobs["retraining"].cron is None
    assert deployment.owner == "fares@example.com"
    assert deployment.bake_seconds == 600.0
    assert (deployment.release, deployment.commit) == ("1.0.0", DEV.record.source.commit)


def test_a_calendar_among_the_triggers_is_when_retraining_looks() -> None:
    edit = replacing("  - {type: manual}", '  - {type: schedule, cron: "0 3 * * 1", timezone: Europe/Berlin}')
    job = deployment_of(DEV.record, release(edits={Kind.RETRAIN: edit}).released.configs).jobs["retraining"]
    assert (job.cron, job.timezone) == ("0 3 * * 1", "Europe/Berlin")


def test_monitoring_that_is_off_runs_on_request_only() -> None:
    monitoring = CONFIGS.monitoring.model_copy(update={"enabled": False})
    configs = Configs(CONFIGS.training, CONFIGS.inference, monitoring, CONFIGS.retrain)
    assert described(configs).jobs["monitoring"].cron is None


def test_without_a_batch_there_is_no_inference_job() -> None:
    inference = CONFIGS.inference.model_copy(update={"mode": "endpoint", "batch": None})
    configs = Configs(CONFIGS.training, inference, CONFIGS.monitoring, CONFIGS.retrain)
    deployment = described(configs)
    assert tuple(deployment.jobs) == ("training", "monitoring", "retraining")
    assert deployment.max_parts == 1


def test_nothing_is_watched_after_a_deployment_where_nothing_brings_the_last_one_back() -> None:
    rollback = CONFIGS.retrain.rollback.model_copy(update={"when": ()})
    retrain = CONFIGS.retrain.model_copy(update={"rollback": rollback})
    configs = Configs(CONFIGS.training, CONFIGS.inference, CONFIGS.monitoring, retrain)
    assert described(configs).bake_seconds == 0


def test_the_image_is_named_by_digest() -> None:
    image = pushed_image()
    assert described(image=image).image == f"ghcr.io/acme/city-taxi@{image.digest}"


@pytest.mark.parametrize("execution", ["docker", "kubernetes"])
@pytest.mark.parametrize(
    ("image", "state"),
    [
        (None, "was built without an image"),
        (pushed_image().model_copy(update={"pushed": False}), "no registry holds"),
    ],
)
def test_a_job_cannot_run_in_an_image_that_nobody_can_pull(execution: str, image: Any, state: str) -> None:
    edit = adding(f"orchestration: {{execution: {{type: {execution}}}}}")
    configs = release(edits={Kind.MONITORING: edit}).released.configs
    with pytest.raises(
        UsageError, match=rf"dev_monitoring_config\.yaml runs monitoring by {execution}.*{state}"
    ):
        described(configs, image=image)


@given(
    job=st.sampled_from(JOBS),
    retries=st.integers(0, 20),
    delay=st.integers(0, 86_400),
    timeout=st.none() | st.integers(1, 28 * 86_400),
    execution=st.sampled_from(
        ['{"type": "bash"}', '{"type": "docker", "cpus": 1.5}', '{"type": "kubernetes", "gpus": 1}']
    ),
)
def test_whatever_a_file_says_reaches_its_own_job_in_seconds_and_survives_the_file(
    job: str, retries: int, delay: int, timeout: int | None, execution: str
) -> None:
    from pydantic import TypeAdapter

    wanted = Orchestration.model_construct(
        execution=TypeAdapter(Execution).validate_json(execution),
        retries=retries,
        retry_delay=timedelta(seconds=delay),
        timeout=None if timeout is None else timedelta(seconds=timeout),
        pool="default_pool",
        queue=None,
    )
    deployment = described(with_orchestration(KIND_OF_JOB[job], wanted), image=pushed_image())
    found = deployment.jobs[job]
    assert (found.retries, found.retry_delay_seconds) == (retries, delay)
    assert found.timeout_seconds == (timeout or 2 * _max_runtime())
    assert found.execution["type"] in execution
    assert {name: each for name, each in deployment.jobs.items() if name != job} == {
        name: each for name, each in described(image=pushed_image()).jobs.items() if name != job
    }
    assert Deployment.from_json(deployment.to_json(), "here") == deployment


def _max_runtime() -> float:
    return CONFIGS.training.compute.max_runtime.total_seconds()
