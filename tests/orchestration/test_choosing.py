"""Which DAG runs a deployment needs, and that asking again never asks for others."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.orchestration.releases import Edit, Release, adding, release, replacing

from mlops_config.bundle.semantic import meaning
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.orchestration.choosing import Past, PlannedRun, again, choose, past_of, run_id
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.describing import deployment_of
from mlops_config.release.changes import Change, changes

BEFORE = release("1.0.0")
KNOWN = Past(before="1.0.0", number=1, has_champion=True, ended=None)


def described(each: Release) -> Deployment:
    return deployment_of(each.record, each.released.configs)


def compared(now: Release) -> tuple[Change, ...]:
    old, new = (
        {kind: meaning(getattr(each.released.configs, kind.value)) for kind in Kind} for each in (BEFORE, now)
    )
    return changes(old, new)


def chosen(kind: Kind, edit: Edit, past: Past = KNOWN, *, serves: bool = True) -> tuple[PlannedRun, ...]:
    now = release("1.1.0", {kind: edit})
    return choose(described(now), past, compared(now), monitored=True, serves=serves)


def test_the_first_deployment_trains() -> None:
    past = past_of((), "1.0.0")
    (run,) = choose(described(BEFORE), past, None, monitored=True, serves=True)
    assert (run.job, run.because) == ("training", "this is the first deployment")


def test_another_training_file_trains_and_says_what_changed() -> None:
    edit = replacing("random_seed: ", "random_seed: 1")
    (run,) = chosen(Kind.TRAINING, edit)
    assert (run.job, run.only) == ("training", None)
    assert run.because == "training changed: random_seed"


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        (Kind.TRAINING, adding("# a comment")),
        (Kind.TRAINING, replacing("owner: fares@example.com", "owner: taxis@example.com")),
        (Kind.TRAINING, adding("orchestration: {retries: 9}")),
        (Kind.INFERENCE, replacing('schedule: {cron: "0 6 * * *"}', 'schedule: {cron: "0 7 * * *"}')),
        (Kind.MONITORING, adding("orchestration: {retries: 9}")),
    ],
)
def test_what_changes_no_model_endpoint_or_judgement_runs_nothing(kind: Kind, edit: Edit) -> None:
    assert chosen(kind, edit) == ()


def test_another_endpoint_deploys_the_champion_again_without_training() -> None:
    edit = replacing("retention: P7D", "retention: P8D")
    (run,) = chosen(Kind.INFERENCE, edit)
    assert (run.job, run.only) == ("training", "redeploy")
    assert run.conf(described(BEFORE)) == {
        "release": "1.0.0",
        "config_digest": BEFORE.bundle.digest,
        "only": "redeploy",
    }
    assert chosen(Kind.INFERENCE, edit, serves=False) == ()


def test_another_image_is_deployed_where_it_is_the_model_server() -> None:
    deployment = described(BEFORE)
    for target, expected in (("local", ()), ("aws", ("redeploy",))):
        runs = choose(
            deployment._replace(target=target), KNOWN, (), monitored=True, serves=True, new_image=True
        )
        assert tuple(run.only for run in runs) == expected


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        (Kind.RETRAIN, replacing("cooldown: P1D", "cooldown: P2D")),
        (
            Kind.MONITORING,
            replacing("method: psi, threshold: 0.25, bins", "method: psi, threshold: 0.2, bins"),
        ),
    ],
)
def test_another_judgement_is_shown_by_a_monitoring_run(kind: Kind, edit: Edit) -> None:
    (run,) = chosen(kind, edit)
    assert run.job == "monitoring"


def test_without_a_champion_whatever_changed_trains() -> None:
    (run,) = chosen(
        Kind.RETRAIN, replacing("cooldown: P1D", "cooldown: P2D"), KNOWN._replace(has_champion=False)
    )
    assert run.job == "training"


def test_what_somebody_asks_for_is_run() -> None:
    (run,) = choose(described(BEFORE), KNOWN, (), monitored=True, serves=True, asked="inference")
    assert run.job == "inference"


def entry(
    sequence: int, event: Event, release_name: str, outcome: str = "succeeded", dag_run: str = ""
) -> LedgerEntry:
    return LedgerEntry(
        sequence=sequence,
        previous=None,
        project="city-taxi",
        model_name="trip-fare",
        environment="dev",
        event=event,
        time=datetime(2026, 11, 22, tzinfo=UTC),
        release=release_name,
        outcome=outcome,  # type: ignore[arg-type] # one of the three
        dag_run=dag_run or None,
    )


def activations(*told: str) -> tuple[LedgerEntry, ...]:
    """``"A"`` was activated; ``"A!"``: that failed; ``"<A"``: somebody went back to it."""
    return tuple(
        entry(
            number,
            Event.ROLLED_BACK if name.startswith("<") else Event.ACTIVATED,
            name.strip("<!"),
            "failed" if name.endswith("!") else "succeeded",
        )
        for number, name in enumerate(told, start=1)
    )


@pytest.mark.parametrize(
    ("told", "before", "number"),
    [
        ((), None, 1),
        (("A",), None, 1),
        (("A", "B"), "B", 2),
        (("B",), "B", 1),
        (("B", "A", "A"), "B", 1),
        (("B", "A!", "A"), "B", 1),
        (("A", "B!"), "A", 2),
        (("A", "B", "A", "C", "A"), "C", 3),
        (("A", "B", "<A"), "A", 2),
        (("A", "B", "<A", "A"), "A", 2),
        (("B", "C", "<B"), "B", 1),
        (("B", "C", "<B!"), "C", 1),
    ],
)
def test_a_release_that_comes_back_gets_runs_of_its_own(
    told: Sequence[str], before: str | None, number: int
) -> None:
    past = past_of(activations(*told), "A")
    assert (past.before, past.number) == (before, number)


def test_what_a_deployment_s_own_runs_did_does_not_change_its_plan() -> None:
    """The first try trained and promoted, and was interrupted before it wrote down that it ended."""
    (activated,) = activations("B")
    promoted = entry(2, Event.PROMOTED, "A", dag_run=f"fares.dev.training/{run_id('A', 'dev', 1)}")
    assert not past_of((activated, promoted), "A").has_champion
    assert past_of((activated, promoted), "C").has_champion
    assert past_of((promoted, *activations("", "A", "B")[1:]), "A").has_champion
    more = entry(2, Event.PROMOTED, "A", dag_run=f"fares.dev.training/{again(run_id('A', 'dev', 1), 2)}")
    assert not past_of((activated, more), "A").has_champion


@given(
    st.lists(st.sampled_from(["A", "B", "C", "A!", "B!", "<A", "<B", "<A!"]), max_size=12),
    st.sampled_from("ABC"),
)
def test_asking_again_finds_the_same_past(told: list[str], name: str) -> None:
    before = activations(*told)
    past = past_of(before, name)
    again = past_of((*before, entry(len(told) + 1, Event.ACTIVATED, name)), name)
    assert again[:3] == past[:3]
    assert again.ended is not None
