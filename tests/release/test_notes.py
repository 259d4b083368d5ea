"""The notes say what was released, what changed and what alerts; golden files show them whole."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from github_page import Page, rendered
from golden_files import held_against
from releases_to_note import NEW, NEW_COMMIT, OLD, digest, earlier_record, file_record, record

from mlops_config.github.limits import RELEASE_CHARACTERS
from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, Nature, changes
from mlops_config.release.notes import render_notes
from mlops_config.release.record import (
    ActivationRecord,
    BundleLocation,
    DagRunRecord,
    ImageRecord,
    InfrastructureRecord,
    PreviousRelease,
    ServingModel,
    SourceRecord,
)
from mlops_config.release.thresholds import AlertInForce, Thresholds, thresholds

FOUND = changes(OLD, NEW)
IN_FORCE = thresholds(NEW)


def notes(release=None, found=FOUND, in_force=IN_FORCE, **arguments):
    return render_notes(release or record(), found, in_force, **arguments)


def section(text, title):
    _, _, rest = text.partition(f"### {title}")
    return rest.partition("\n### ")[0]


def test_a_release_after_another():
    held_against("notes.md", notes(previous=earlier_record()))


def test_the_example_in_the_docs_is_what_is_written_today():
    page = (Path(__file__).parents[2] / "docs" / "release-notes.md").read_text("utf-8")
    example = page.partition("<!-- example begins -->\n")[2].partition("<!-- example ends -->")[0]
    assert example == notes(previous=earlier_record())


def test_a_first_release_outside_git_in_a_layout():
    release = record(
        environment="dev",
        version=None,
        files=tuple(file_record(kind, "a", "b", "dev") for kind in Kind),
        source=SourceRecord(repository=None, commit=None, ref=None, dirty=False, actor=None, run_url=None),
        image=ImageRecord(
            repository="city-taxi-dev",
            tags=("latest",),
            config_digest=digest("e"),
            digest=digest("d"),
            base="scratch",
            base_digest=None,
            pushed=False,
            layout=".mlops-config/dev/image",
        ),
        bundles=(BundleLocation(store="file:///srv/store", uri="file:///srv/store/city-taxi/bundles"),),
        previous=None,
    )
    held_against("notes-first.md", notes(release, None))


def test_the_same_arguments_give_the_same_notes():
    assert notes(previous=earlier_record()) == notes(previous=earlier_record())


def test_the_same_files_again():
    again = record(previous=PreviousRelease(name="1.1.0", commit="a" * 40, config_digest=digest("c")))
    text = notes(again, (), previous=record(version="1.1.0"))
    assert "The four files are those of 1.1.0, byte for byte." in section(text, "What changed")


def test_comments_and_layout_alone():
    assert "No value changed, only comments or layout." in notes(found=())


def test_a_contract_that_reads_the_same_file_differently_is_pointed_out():
    text = section(notes(previous=earlier_record()), "What changed")
    assert "**inference**: the file is as it was, but this version of mlops-config (1.0.0)" in text


def test_earlier_files_that_cannot_be_read():
    text = section(notes(found=None, not_compared="s3://acme | holds no bundle"), "What changed")
    assert "Not known: <code>s3&#58;" in text


def test_hashes_of_an_earlier_release_nobody_kept():
    assert "not known" in section(notes(), "Files")


def test_a_release_without_a_version_goes_by_its_commit():
    text = notes(record(version=None))
    assert text.startswith(f"## trip-fare {NEW_COMMIT[:12]} in prod\n")
    assert "| version | none: not a release tag |" in text


def test_a_dirty_work_tree_is_said():
    dirty = record(
        version=None, source=record().source.model_copy(update={"dirty": True, "ref": "refs/heads/main"})
    )
    text = notes(dirty)
    assert f"## trip-fare {NEW_COMMIT[:12]}-dirty-{digest('c')[7:19]} in prod" in text
    assert "(`main`), with changes that are not committed" in text


def test_an_image_that_is_in_the_engine_only():
    image = record().image.model_copy(update={"pushed": False, "digest": None})
    text = notes(record(image=image))
    assert f"`ghcr.io/acme/city-taxi-prod:{NEW_COMMIT}`, not pushed; image ID `{digest('e')}`" in text
    assert f"--image ghcr.io/acme/city-taxi-prod:{NEW_COMMIT}" in text


def test_no_image():
    text = notes(record(image=None))
    assert "| image | none was built |" in text
    assert "verify --image" not in text


def test_links_lead_to_the_own_server():
    text = notes(server_url="https://git.acme.example")
    assert f"https://git.acme.example/acme/fares/commit/{NEW_COMMIT}" in text


def test_a_repository_known_by_its_address_alone_has_no_links():
    source = record().source.model_copy(update={"repository": "/srv/git/fares.git"})
    assert "/commit/" not in notes(record(source=source))


def test_a_previous_release_without_a_commit_has_nothing_to_check_out():
    before = PreviousRelease(name="b" * 64, commit=None, config_digest=digest("b"))
    text = section(notes(record(previous=before)), "Roll back")
    assert f"release the files of {'b' * 12} again." in text


def test_going_back_names_the_base_the_earlier_image_was_built_from():
    earlier = earlier_record()
    earlier = earlier.model_copy(
        update={"image": earlier.image.model_copy(update={"base": "ghcr.io/acme/run:2"})}
    )
    assert "  --base-image ghcr.io/acme/run:2 \\\n" in section(notes(previous=earlier), "Roll back")


def test_sources_of_other_names_give_no_line_for_coreutils():
    files = tuple(file.model_copy(update={"source": "configs/prod/x.yaml"}) for file in record().files)
    assert "sha256sum" in notes()
    assert "sha256sum" not in notes(record(files=files))


def test_monitoring_that_is_off():
    text = section(notes(in_force=Thresholds(monitored=False)), "Alert thresholds")
    assert "Monitoring is off" in text


def test_no_alerts():
    assert "No alerts are declared." in section(notes(in_force=Thresholds()), "Alert thresholds")


@pytest.mark.parametrize(
    ("iso", "words"),
    [
        ("PT0S", "at once"),
        ("PT5M", "5 min"),
        ("PT1H", "1 h"),
        ("PT30S", "30 s"),
        ("P1D", "1 day"),
        ("P2D", "2 days"),
        ("P1DT2H", "`P1DT2H`"),
    ],
)
def test_how_long_an_alert_must_hold(iso, words):
    text = notes(in_force=Thresholds(alerts=(AlertInForce("a", "page", iso, event="it is bad"),)))
    assert f"| `a` | it is bad | {words} | page |" in text


def test_long_lists_are_cut_and_say_so():
    many = tuple(
        Change(kind, ("key", f"n{number}"), Nature.CHANGED, number, "x" * 500)
        for kind in (Kind.TRAINING, Kind.MONITORING)
        for number in range(300)
    )
    alerts = tuple(AlertInForce(f"alert-{number}", "page", "PT5M", event="bad") for number in range(300))
    text = notes(found=many, in_force=Thresholds(alerts=alerts))
    assert "| … and 100 more |" in section(text, "What changed")
    assert "**monitoring**: 300 more changes" in section(text, "What changed")
    assert "| … and 100 more |" in section(text, "Alert thresholds")
    assert len(text) < RELEASE_CHARACTERS


def test_text_from_outside_pings_and_links_nobody():
    hostile = "@acme/all <img src=x> `|` [x](https://evil.example)\n# heading"
    release = record(
        project=hostile,
        model_name=hostile,
        environment=hostile,
        version=hostile,
        files=(file_record(Kind.TRAINING, "a", "b").model_copy(update={"source": hostile, "name": hostile}),),
        source=SourceRecord(
            repository="acme/fares", commit=hostile, ref=hostile, dirty=False, actor=hostile, run_url=hostile
        ),
        image=record().image.model_copy(update={"repository": hostile}),
        bundles=(BundleLocation(store=hostile, uri=hostile),),
        previous=PreviousRelease(name=hostile, commit=hostile, config_digest=digest("b")),
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1),
    )
    found = (Change(Kind.TRAINING, (hostile,), Nature.CHANGED, hostile, [hostile]),)
    alerts = (AlertInForce(hostile, hostile, hostile, event="bad", runbook_url=hostile),)
    text = notes(release, found, Thresholds(alerts=alerts))
    page = Page(rendered(text))
    assert not {"img", "h1", "script"} & set(page.tags)
    assert set(page.links) <= {"https://github.com/acme/fares"}
    assert "@" not in page.outside
    assert "evil" not in page.outside


ACTIVATION = ActivationRecord(
    activated_at=datetime(2026, 11, 22, 22, 5, tzinfo=UTC),
    airflow="https://airflow.acme.example",
    dags_folder="s3://acme-airflow/dags",
    dag_runs=(
        DagRunRecord(
            job="training",
            dag_id="city-taxi.trip-fare.prod.training",
            run_id="deploy__prod__1.2.0",
            state="success",
            because="training changed: estimator.hyperparameters.max_iter",
            url="https://airflow.acme.example/dags/city-taxi.trip-fare.prod.training/runs/deploy__prod__1.2.0",
        ),
    ),
    model=ServingModel(name="trip-fare-prod", version=8, config_digest=digest("c")),
)


def test_what_runs_after_a_deployment():
    held_against("notes-running.md", notes(record(activation=ACTIVATION), previous=earlier_record()))


def test_a_deployment_without_runs_says_so():
    text = section(notes(record(activation=ACTIVATION.model_copy(update={"dag_runs": ()}))), "Running")
    assert "No DAG run was needed." in text


def test_infrastructure_that_was_provisioned_is_a_line():
    done = InfrastructureRecord(
        program="Terraform 1.11.4",
        directory="terraform/environments/prod/aws",
        plan_digest=digest("d"),
        created=2,
        changed=1,
    )
    text = section(
        notes(record(activation=ACTIVATION.model_copy(update={"infrastructure": done}))), "Running"
    )
    told = "2 created, 1 changed by `Terraform 1.11.4` in `terraform/environments/prod/aws`"
    assert f"| infrastructure | {told}, plan `{digest('d')}` |" in text.splitlines()
    nothing = done.model_copy(update={"created": 0, "changed": 0})
    idle = ACTIVATION.model_copy(update={"infrastructure": nothing})
    assert "| infrastructure | nothing to change by " in notes(record(activation=idle))


def test_a_deployment_changes_no_byte_of_what_stores_hold():
    assert record(activation=ACTIVATION).as_released().to_json() == record().to_json()
    assert b"activation" not in record().to_json()
