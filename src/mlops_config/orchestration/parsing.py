"""Waits until Airflow has parsed a release's DAGs, and tells why it does not."""

from collections.abc import Callable, Collection, Iterable, Sequence

from mlops_config.errors import FindingsError, ServiceError
from mlops_config.orchestration.api import AirflowApi, MissingDagError
from mlops_config.orchestration.api_answers import Dag, ParseError
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.folder import DEPLOYMENTS_DAG, dag_files
from mlops_config.orchestration.patience import AGAIN, Patience, joined

PARSE_SECONDS = 600.0
"""Airflow looks for new files every few minutes, and a managed one copies its bucket before that."""


class DagBrokenError(FindingsError):
    """Airflow cannot load the DAGs of the deployment."""


def tags_of(deployment: Deployment) -> frozenset[str]:
    """The tags by which a DAG is known to be of this very release."""
    hexadecimal = deployment.config_digest.removeprefix("sha256:")
    return frozenset({f"release:{deployment.release}", f"config:{hexadecimal[:12]}"})


def await_dags(
    api: AirflowApi,
    deployment: Deployment,
    known: Iterable[ParseError],
    patience: Patience,
    progress: Callable[[str], None],
    *,
    copied_within: float = 0.0,
) -> dict[str, Dag]:
    """The release's DAGs by job, once Airflow has parsed all of them.

    ``known`` are the import errors from before the deployment was written. Others that concern it end the
    wait at once, and these as soon as Airflow has surely tried again with what was written, which it sees
    after ``copied_within`` seconds at the latest.

    Raises:
        DagBrokenError: Airflow cannot import them.
        ServiceError: they are not there in time.
    """
    news, wanted = _News(known, copied_within), tags_of(deployment)
    missing: list[str] = []
    errors: list[ParseError] = []
    waited = 0.0
    for waited in patience.looks(PARSE_SECONDS):
        found = {job: api.dag(deployment.dag_id(job)) for job in deployment.jobs}
        there = {job: dag for job, dag in found.items() if dag and not dag.is_stale and wanted <= dag.tags}
        if len(there) == len(found):
            return there
        missing = [deployment.dag_id(job) for job in found if job not in there]
        progress(f"{len(there)} of {len(found)} DAGs are of release {deployment.release}")
        dags = [dag for dag in found.values() if dag]
        errors = [each for each in api.parse_errors() if concerns(each, deployment, dags)]
        if broken := [each for each in errors if news.has(each, waited)]:
            raise _broken(broken, api)
    if waited < patience.poll:
        raise _no_time(patience)
    raise _not_parsed(missing, deployment, api, waited, errors)


class _News:
    """Tells an import error of what was just written from one of what was there before.

    An error that was known counts after Airflow has had it twice more: the first of these tries may have
    begun before it saw what was written, the second one began after the first had ended.
    """

    def __init__(self, known: Iterable[ParseError], copied_within: float) -> None:
        self._known = {(each.bundle, each.file, each.trace) for each in known}
        self._times: dict[tuple[str | None, str, str], set[str]] = {}
        self._copied_within = copied_within

    def has(self, error: ParseError, waited: float) -> bool:
        """Whether the error is one of what was written; asked at every look, ``waited`` seconds after it."""
        key = (error.bundle, error.file, error.trace)
        if key not in self._known:
            return True
        if waited < self._copied_within:
            return False
        times = self._times.setdefault(key, set())
        times.add(error.time)
        return len(times) > 2


def concerns(error: ParseError, deployment: Deployment, dags: Collection[Dag] = ()) -> bool:
    """Whether an import error stands in the way of this deployment, rather than of somebody else's.

    ``dags`` are the deployment's, as far as Airflow has them: they tell which files and bundle theirs are.
    """
    places = {(dag.bundle, dag.file) for dag in dags if not dag.is_stale}
    if (error.bundle, error.file) in places:
        return True
    if places and error.bundle not in {bundle for bundle, _ in places}:
        return False
    name = error.file.replace("\\", "/").rpartition("/")[2]
    if name == DEPLOYMENTS_DAG:
        place = f"{deployment.project}/{deployment.model_name}/{deployment.environment}/"
        return place in error.trace.replace("\\", "/")
    return name in dag_files()


def _broken(errors: Sequence[ParseError], api: AirflowApi) -> DagBrokenError:
    lines = [f"  {error.file}: {error.sentence}" for error in errors]
    return DagBrokenError(
        "\n".join(["Airflow cannot make this deployment's DAGs:", *lines]),
        hint=f"see {api.address}; mend it, then {AGAIN}",
    )


def _not_parsed(
    missing: Sequence[str],
    deployment: Deployment,
    api: AirflowApi,
    waited: float,
    errors: Sequence[ParseError],
) -> ServiceError:
    absent = next((dag_id for dag_id in missing if api.dag(dag_id) is None), None)
    if absent is not None:
        found: MissingDagError = api.missing(absent)
        more = "without DAG files of your own, put ours there with --with-dags"
        return ServiceError(found.message, hint=joined(found.hint, more))
    before = [f"  it could not import {each.file} before either: {each.sentence}" for each in errors]
    still = (
        f"Airflow still has {', '.join(missing)} of another release than {deployment.release},"
        f" after {waited:.0f} s"
    )
    return ServiceError(
        "\n".join([still, *before]),
        hint=f"does it read the folder that was written to? When it has parsed the files, {AGAIN}",
    )


def _no_time(patience: Patience) -> ServiceError:
    """Nothing is known to be wrong with Airflow then, nor with its folder."""
    if patience.within is None:
        return ServiceError(
            "there was no time to wait for Airflow", hint=f"give --timeout more; then {AGAIN}"
        )
    return ServiceError(
        f"there was no time left to wait for Airflow: what came before took all of {patience.within:.0f} s",
        hint=f"give --within more, in GitHub's workflow deploy-minutes; then {AGAIN}",
    )
