"""What Airflow is to run for a release: the four files in Airflow's terms. Nothing is read or written."""

from datetime import timedelta
from typing import Any

from mlops_config.contract.models.header import Header, Schedule
from mlops_config.contract.models.retrain import RetrainConfig, ScheduleTrigger
from mlops_config.contract.models.training import LocalCompute
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind, canonical_name
from mlops_config.orchestration.deployment import Deployment, JobDeployment
from mlops_config.release.record import ReleaseRecord
from mlops_config.runtime.context import Configs

KIND_OF_JOB = {
    "training": Kind.TRAINING,
    "inference": Kind.INFERENCE,
    "monitoring": Kind.MONITORING,
    "retraining": Kind.RETRAIN,
}
"""Each job obeys the file of one kind."""
TIMEOUT_FACTOR = 2
"""How often the training's ``max_runtime`` a task may take whose file names no timeout; see ``max_wait``."""


def deployment_of(record: ReleaseRecord, configs: Configs) -> Deployment:
    """The release as Airflow is to run it; ``configs`` are the files of its bundle.

    Without a batch there is no ``inference``. Monitoring that is off has no schedule, and runs on request.

    Raises:
        UsageError: a job is to run in the image, and the release has none that a registry holds.
    """
    training, batch, rollback = configs.training, configs.inference.batch, configs.retrain.rollback
    monitoring = configs.monitoring
    schedules: dict[str, Schedule | ScheduleTrigger | None] = {
        "training": None,
        "inference": batch.schedule if batch else None,
        "monitoring": monitoring.schedule if monitoring.enabled else None,
        "retraining": _calendar(configs.retrain),
    }
    longest = training.compute.max_runtime * TIMEOUT_FACTOR
    if not isinstance(training.compute, LocalCompute) and training.compute.max_wait is not None:
        # Waiting for spot capacity is part of the job.
        longest = max(longest, training.compute.max_wait)
    jobs = {
        job: _job(job, _file(configs, job), schedule, longest, record)
        for job, schedule in schedules.items()
        if job != "inference" or batch is not None
    }
    return Deployment(
        project=record.project,
        model_name=record.model_name,
        environment=record.environment,
        owner=training.metadata.owner,
        labels=dict(training.metadata.labels),
        release=record.name,
        commit=record.source.commit,
        config_digest=record.config_digest,
        image=record.image.by_digest if record.image else None,
        jobs=jobs,
        max_parts=batch.max_concurrent if batch else 1,
        target=configs.inference.deployer.target,
        bake_seconds=rollback.bake_time.total_seconds() if rollback.when else 0.0,
    )


def _file(configs: Configs, job: str) -> Header:
    file: Header = getattr(configs, KIND_OF_JOB[job].value)
    return file


def _calendar(retrain: RetrainConfig) -> ScheduleTrigger | None:
    """The first trigger that is the calendar: each run of the job looks at all of them."""
    return next((each for each in retrain.triggers if isinstance(each, ScheduleTrigger)), None)


def _job(
    job: str,
    file: Header,
    schedule: Schedule | ScheduleTrigger | None,
    longest: timedelta,
    record: ReleaseRecord,
) -> JobDeployment:
    wanted = file.orchestration
    execution: dict[str, Any] = wanted.execution.model_dump(mode="json")
    if execution["type"] != "bash" and (record.image is None or record.image.by_digest is None):
        name = canonical_name(record.environment, KIND_OF_JOB[job])
        state = (
            "was built without an image" if record.image is None else "has an image that no registry holds"
        )
        raise UsageError(
            f"{name} runs {job} by {execution['type']}, but release {record.name} {state}",
            hint="release it with --push, so that the image can be pulled by its digest; or say"
            " `orchestration: {execution: {type: bash}}`",
        )
    return JobDeployment(
        config_name=canonical_name(record.environment, KIND_OF_JOB[job]),
        cron=schedule.cron if schedule else None,
        timezone=schedule.timezone if schedule else "UTC",
        retries=wanted.retries,
        retry_delay_seconds=wanted.retry_delay.total_seconds(),
        timeout_seconds=(wanted.timeout or longest).total_seconds(),
        pool=wanted.pool,
        queue=wanted.queue,
        execution=execution,
    )
