"""Waiting until Airflow has parsed a release, and what ends that wait."""

from collections.abc import Sequence

import pytest
from tests.orchestration.scripted import ALL, DEPLOYMENT, OLD, TRAINING, Clock, Scripted, dag

from mlops_config.errors import ServiceError
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import Dag, ParseError
from mlops_config.orchestration.parsing import DagBrokenError, await_dags, concerns

PLACE = "/dags/mlops/city-taxi/trip-fare/dev/deployment.json"


def silent(_: str) -> None:
    """Says nothing."""


def parsed(
    api: AirflowApi, clock: Clock, seconds: float = 900, known: Sequence[ParseError] = ()
) -> list[str]:
    said: list[str] = []
    found = await_dags(api, DEPLOYMENT, known, clock.patience(seconds), said.append)
    assert found == ALL
    return said


def test_it_waits_until_every_dag_is_of_this_very_release() -> None:
    half = {**OLD, "training": dag("training")}
    said = parsed(Scripted(dags=[{}, OLD, half, ALL]), Clock())
    assert said == [f"{number} of 4 DAGs are of release 1.1.0" for number in (0, 0, 1)]


@pytest.mark.parametrize(
    "almost",
    [
        dag("training", is_stale=True),
        dag("training", frozenset({"release:1.1.0"})),
        dag("training", frozenset({"release:1.1.0", "config:000000000000"})),
    ],
)
def test_a_dag_of_other_bytes_or_of_a_file_that_is_gone_does_not_count(almost: Dag) -> None:
    with pytest.raises(ServiceError, match="of another release than"):
        parsed(Scripted(dags=[{**ALL, "training": almost}]), Clock(), seconds=30)


def test_a_new_import_error_ends_the_wait_at_once() -> None:
    error = ParseError("training_dag.py", "Traceback\nImportError: no module named mlops_config")
    clock = Clock()
    with pytest.raises(DagBrokenError, match=r"training_dag\.py: ImportError: no module") as caught:
        parsed(Scripted(dags=[OLD], errors=[[], [error]]), clock)
    assert caught.value.exit_code == 1
    assert clock.now < 5


def test_an_error_from_before_and_somebody_else_s_are_waited_over() -> None:
    old = ParseError("training_dag.py", "NameError: x")
    other = ParseError("their_dag.py", "NameError: y")
    parsed(Scripted(dags=[OLD, OLD, ALL], errors=[[old], [old, other]]), Clock(), known=[old])


def test_an_error_from_before_ends_the_wait_once_airflow_has_it_again_from_what_was_written() -> None:
    first, underway, again = (ParseError("training_dag.py", "NameError: x", time) for time in "123")
    clock = Clock()
    looks = [[first], [first], [underway], [underway], [again]]
    with pytest.raises(DagBrokenError, match=r"training_dag\.py: NameError: x"):
        parsed(Scripted(dags=[OLD], errors=looks), clock, known=[first])
    assert clock.now < 10


def test_a_managed_airflow_is_given_the_time_to_copy_its_bucket() -> None:
    clock = Clock()
    looks = [[ParseError("training_dag.py", "NameError: x", str(number))] for number in range(200)]
    with pytest.raises(DagBrokenError, match="NameError: x"):
        await_dags(
            Scripted(dags=[OLD], errors=looks),
            DEPLOYMENT,
            looks[0],
            clock.patience(900),
            silent,
            copied_within=180,
        )
    assert 180 < clock.now < 220


def test_an_error_that_only_a_try_from_before_the_deployment_had_again_is_waited_over() -> None:
    first, underway = (ParseError("deployments_dag.py", f"{PLACE}: no", time) for time in "12")
    parsed(Scripted(dags=[OLD, OLD, OLD, ALL], errors=[[first], [underway], []]), Clock(), known=[first])


def test_an_error_from_before_that_airflow_does_not_try_again_is_said_when_the_time_is_over() -> None:
    old = ParseError("training_dag.py", "Traceback\nNameError: x", "1")
    with pytest.raises(ServiceError, match="of another release than") as caught:
        parsed(Scripted(dags=[OLD], errors=[[old]]), Clock(), known=[old])
    assert "it could not import training_dag.py before either: NameError: x" in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ParseError("sub/training_dag.py", "x"), True),
        (ParseError("their_dag.py", "city-taxi/trip-fare/dev/deployment.json"), False),
        (ParseError("deployments_dag.py", f"{PLACE}: no"), True),
        (ParseError("deployments_dag.py", "/dags/mlops/city-taxi/trip-fare/prod/deployment.json: no"), False),
    ],
)
def test_an_import_error_concerns_its_own_deployment(error: ParseError, expected: bool) -> None:
    assert concerns(error, DEPLOYMENT) is expected


THEIRS = dag("training", bundle="fares", file="ours/learn.py")


@pytest.mark.parametrize(
    ("bundle", "file", "expected"),
    [
        ("fares", "ours/learn.py", True),
        ("fares", "ours/other.py", False),
        ("trips", "ours/learn.py", False),
        ("fares", "training_dag.py", True),
        ("trips", "training_dag.py", False),
    ],
)
def test_an_import_error_of_the_file_that_the_dag_is_from_concerns_it(
    bundle: str, file: str, expected: bool
) -> None:
    error = ParseError(file, "NameError: x", bundle=bundle)
    assert concerns(error, DEPLOYMENT, [THEIRS]) is expected
    gone = THEIRS._replace(is_stale=True)
    assert concerns(error, DEPLOYMENT, [gone]) is (file == "training_dag.py")


def test_dags_that_never_come_are_said_with_what_to_do() -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match=f"Airflow has no DAG {TRAINING}") as caught:
        parsed(Scripted(), clock, seconds=10_000)
    assert clock.now == pytest.approx(600)
    assert caught.value.hint == (
        "look at its folder; without DAG files of your own, put ours there with --with-dags"
    )
    assert caught.value.exit_code == 3
