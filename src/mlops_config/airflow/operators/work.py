"""What a task does wherever it runs: its command, environment and pin, and what its end means."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import Asset, BaseOperator, XComArg

from mlops_config.airflow.operators.process import after_line, name_of
from mlops_config.airflow.surroundings import Surroundings, surroundings_of
from mlops_config.orchestration.deployment import Deployment

Context = Mapping[str, Any]
Arguments = Sequence[str] | Callable[[Any], Sequence[str]]

VERIFY = "verify"
"""The task that every DAG begins with, whose XCom is the run's pin."""
CONFIG_DIR = "/app/configs"
"""Where an environment's image has its files."""
FINAL_CODES = frozenset({1, 2, 4, 126, 127})
"""Exit codes that another try does not change: findings and refusals, usage, integrity, no such program."""
MOVING = frozenset({"creating", "updating", "rolling_back"})
"""States that an endpoint leaves by itself."""
MAX_RETRY_DELAY = timedelta(days=1)
_FIELDS = ("release", "config_digest", "config_dir", "image", "commit")
# A DAG loads no more of the package than this room and orchestration, so digests.py neither.
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """What a DAG run runs with, from its first task to its last, whatever is deployed meanwhile."""

    release: str
    config_digest: str
    config_dir: str
    """Folder with the four files, where the job runs."""
    image: str | None
    commit: str | None


def pin_of(context: Context, deployment: Deployment) -> Pin:
    """The pin that the run's first task returned.

    Raises:
        AirflowFailException: there is none, or it is none.
    """
    found = context["ti"].xcom_pull(task_ids=VERIFY, map_indexes=None)
    advice = f"clear the task {VERIFY!r}, and with it those after it, or start a new run"
    if found is None:
        raise AirflowFailException(
            f"this run has no pin: the task {VERIFY!r} did not say which configuration of"
            f" {deployment.environment} was proven, so nothing was run; {advice}"
        )
    try:
        pin = Pin(**{name: found[name] for name in _FIELDS})
        broken = not _DIGEST.fullmatch(pin.config_digest) or not pin.config_dir
    except (TypeError, KeyError):
        broken = True
    if broken:
        raise AirflowFailException(f"the XCom of {VERIFY!r} is no pin, so nothing was run; {advice}")
    return pin


def task_options(deployment: Deployment, job: str) -> dict[str, Any]:
    """A task's options as the job's ``orchestration`` says: retries, time, pool, queue, owner."""
    given = deployment.jobs[job]
    options: dict[str, Any] = {
        "owner": deployment.owner,
        "retries": given.retries,
        "retry_delay": timedelta(seconds=given.retry_delay_seconds),
        # Airflow 3.1 takes a flag where later versions take the factor.
        "retry_exponential_backoff": True if BaseOperator.retry_exponential_backoff is False else 2.0,
        "max_retry_delay": MAX_RETRY_DELAY,
        "pool": given.pool,
    }
    if given.timeout_seconds is not None:
        options["execution_timeout"] = timedelta(seconds=given.timeout_seconds)
    if given.queue is not None:
        options["queue"] = given.queue
    return options


def script_of(words: Sequence[str]) -> list[str]:
    """What Python is given for a task's words: an entry point for ``run``, the package for other verbs."""
    if words[0] == "run":
        return [f"{words[1]}_main.py", *words[2:]]
    return ["-m", "mlops_config", *words]


class JobTask:
    """Mixed into Airflow's operators of each kind: what is the same on a worker, in a container, in a pod."""

    deployment: Deployment
    job: str
    words: Sequence[str]
    arguments_given: Arguments
    part: Any
    on_outcome: Callable[[Mapping[str, Any], Any], None] | None

    # Of Airflow's operator.
    outlets: Sequence[Any]
    task_id: str
    log: Any
    execute: Callable[[Any], Any]

    def describe(
        self,
        deployment: Deployment,
        job: str,
        words: Sequence[str],
        arguments: Arguments,
        part: Any,
        on_outcome: Callable[[Mapping[str, Any], Any], None] | None,
    ) -> None:
        """Keeps what the task is to do.

        ``arguments`` are the job's own, or are made of the context when it runs; ``part`` is the batch's part
        to score; ``on_outcome`` is called with the outcome and the context before the task ends well.
        """
        self.deployment = deployment
        self.job = job
        self.words = tuple(words)
        self.arguments_given = arguments
        self.part = part
        self.on_outcome = on_outcome

    @classmethod
    def partial(cls, *, deployment: Deployment, job: str, **options: Any) -> Any:
        """As Airflow's; retries, pool and the like are the job's here too."""
        given = {**task_options(deployment, job), **options}
        return super().partial(deployment=deployment, job=job, **given)  # type: ignore[misc]  # Airflow's, which this is mixed into

    @property
    def config_name(self) -> str:
        """Name of the job's own file."""
        return self.deployment.jobs[self.job].config_name

    def surroundings(self) -> Surroundings:
        """Read anew by each task.

        Raises:
            AirflowFailException: there are none, or they are another environment's.
        """
        return surroundings_of(self.deployment.environment)

    def pin(self, context: Context) -> Pin:
        """What the run obeys."""
        return pin_of(context, self.deployment)

    def own_words(self, context: Context, more: Sequence[str] = ()) -> list[str]:
        """The words after ``--config FILE --format jsonl``; whatever a run's parameters say is in these."""
        given = self.arguments_given
        words = [*more, *(given(context) if callable(given) else given)]
        if self.words[0] == "promote" and self.deployment.target != "local":
            words.append("--no-wait")
        part = self.part.resolve(context) if isinstance(self.part, XComArg) else self.part
        if part is not None:
            words.append(f"--part={part}")
        if odd := [word for word in words if not isinstance(word, str) or "\0" in word]:
            raise AirflowFailException(f"{odd[0]!r} is no word of a command, so nothing was run")
        return words

    def argv(self, pin: Pin, context: Context) -> list[str]:
        """The whole command, for a place without a shell."""
        config = f"{pin.config_dir}/{self.config_name}"
        fixed = ["python", *script_of(self.words), "--config", config, "--format", "jsonl"]
        return [*fixed, *self.own_words(context)]

    def variables(self, pin: Pin, context: Context, surroundings: Surroundings) -> dict[str, str]:
        """The job's environment variables; what the deployment says comes before what surroundings say."""
        known = {
            "MLOPS_ENVIRONMENT": self.deployment.environment,
            "MLOPS_CONFIG_DIR": pin.config_dir,
            "MLOPS_CONFIG_DIGEST": pin.config_digest,
            "MLOPS_RELEASE": pin.release,
            "MLOPS_COMMIT": pin.commit,
            "MLOPS_IMAGE": pin.image,
            "MLOPS_IMAGE_DIGEST": pin.image.partition("@")[2] if pin.image else None,
            "MLOPS_DAG_RUN": f"{context['dag'].dag_id}/{context['run_id']}",
        }
        own = {name: value for name, value in known.items() if value}
        return {**surroundings.variables, **own}

    def concluded(self, outcome: Any, pin: Pin, context: Any) -> Any:
        """The task's XCom: the outcome's document, told to assets and to whoever asked on the way.

        Raises:
            AirflowFailException: there is no document.
            TaskDeferred: the endpoint is being changed; the job runs again once it is.
        """
        if not isinstance(outcome, dict):
            raise AirflowFailException(
                f"{self.task_id} ended well and gave no outcome; has the place that it ran in this version of"
                " mlops-config-action?"
            )
        state = outcome.get("state") if self.words[0] == "promote" else None
        if state in MOVING:
            from mlops_config.airflow.waiting import wait_for_endpoint

            wait_for_endpoint(self, outcome)
        if state not in (None, "in_service"):
            raise AirflowFailException(
                f"{outcome.get('endpoint')} is {state}: nothing more is done by itself"
            )
        extra = self.event_extra(outcome, pin, context)
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra.update(extra)
        if self.on_outcome is not None:
            self.on_outcome(outcome, context)
        return outcome

    def waited(self, context: Any, event: Mapping[str, Any]) -> Any:
        """Runs the job once more: it finds what is done. Called when the endpoint has come to rest."""
        self.log.info("%s: %s", event.get("endpoint"), event.get("state"))
        return self.execute(context)

    def event_extra(self, outcome: Mapping[str, Any], pin: Pin, context: Context) -> dict[str, Any]:
        """What an asset's event says: the outcome's single values, and what it was made with."""
        single = (str, int, float, bool)
        return {
            **{name: value for name, value in outcome.items() if isinstance(value, single)},
            "environment": self.deployment.environment,
            "config_digest": pin.config_digest,
            "release": pin.release,
            "dag_run": f"{context['dag'].dag_id}/{context['run_id']}",
        }

    def failed(self, exit_code: int, sentence: str) -> NoReturn:
        """Ends the task as the job's exit code says.

        Raises:
            AirflowFailException: trying again changes nothing.
            AirflowException: it may; Airflow retries as often as the job's file says.
        """
        text = f"{self.task_id} {name_of(exit_code)}: {sentence or 'it said nothing'}"
        raise (AirflowFailException if exit_code in FINAL_CODES else AirflowException)(text)


class Verification(JobTask):
    """The first task: proves the digest where the jobs run, and says what the run obeys from then on."""

    def pin(self, context: Context) -> Pin:
        """As the deployment of now says; the tasks after this one take it from here.

        Raises:
            AirflowFailException: the run was asked for with a release that is no longer deployed.
        """
        deployment = self.deployment
        asked = getattr(context.get("dag_run"), "conf", None) or {}
        if asked.get("config_digest", deployment.config_digest) != deployment.config_digest:
            raise AirflowFailException(
                f"this run was asked for with release {asked.get('release')} ({asked['config_digest']}), and"
                f" {deployment.environment} has release {deployment.release} ({deployment.config_digest})"
                " since: nothing was run; start a new run"
            )
        return Pin(
            release=deployment.release,
            config_digest=deployment.config_digest,
            config_dir=self.config_dir(context),
            image=deployment.image,
            commit=deployment.commit,
        )

    def config_dir(self, _context: Context) -> str:
        """Folder with the deployment's four files."""
        return CONFIG_DIR

    def argv(self, pin: Pin, context: Context) -> list[str]:
        """``mlops-config verify`` of the folder."""
        proof = ["--bundle", pin.config_dir, "--digest", pin.config_digest]
        return ["python", "-m", "mlops_config", VERIFY, *proof, *self.own_words(context)]

    def concluded(self, _outcome: Any, pin: Pin, _context: Any) -> Any:
        """The pin."""
        return pin._asdict()


def image_of(pin: Pin, deployment: Deployment) -> str:
    """The image to run in, by digest.

    Raises:
        AirflowFailException: there is none, or it is not named by digest.
    """
    if pin.image is None or not _DIGEST.fullmatch(pin.image.partition("@")[2]):
        raise AirflowFailException(
            f"{deployment.environment} has no image by digest ({pin.image}), and its jobs run in one:"
            " release it with --push --image REPOSITORY and deploy it again, or say execution: {type: bash}"
        )
    return pin.image


def outcome_in(line: str) -> Any:
    """The document on the last line of a job's output; ``None``: it is none."""
    try:
        return json.loads(line, parse_constant=str)
    except ValueError:
        return None


def sentence_in(lines: Iterable[str]) -> str:
    """What a job said was wrong, in what it wrote; without that its last line."""
    sentence = last = ""
    for line in lines:
        sentence, last = after_line(sentence, line), line or last
    return sentence or last
