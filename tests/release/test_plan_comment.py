"""The comment on a pull request has a row per environment and file that says what changes."""

import pytest
from golden_files import held_against
from releases_to_note import NEW, OLD

from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, FileChange, Nature, changes
from mlops_config.release.plan import PlanRow, render_plan_comment

FOUND = changes(OLD, NEW)
OF_MONITORING = tuple(change for change in FOUND if change.kind is Kind.MONITORING)


def row(environment="prod", kind=Kind.TRAINING, change=FileChange.MEANING, found=None, **counts):
    if found is None:
        found = tuple(each for each in FOUND if each.kind is kind) if change is FileChange.MEANING else ()
    path = f"configs/{environment}/{environment}_{kind}_config.yaml"
    return PlanRow(environment, kind, path, change, found, **counts)


def test_a_whole_comment():
    rows = [
        row("dev", Kind.TRAINING, FileChange.NONE),
        row("dev", Kind.INFERENCE, FileChange.LAYOUT),
        row("dev", Kind.MONITORING, FileChange.REREAD, OF_MONITORING[:1]),
        row("dev", Kind.RETRAIN, FileChange.NEW),
        *(row("prod", kind, warnings=int(kind is Kind.MONITORING)) for kind in list(Kind)[:3]),
        row("prod", Kind.RETRAIN, FileChange.GONE),
    ]
    held_against("plan.md", render_plan_comment(rows))


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([], "Configuration: nothing changes"),
        ([row(change=FileChange.NONE)], "Configuration: nothing changes"),
        ([row(change=FileChange.LAYOUT)], "Configuration: 1 file changed"),
        ([row(found=FOUND[:1])], "Configuration: 1 value changed in `prod`"),
        ([row("dev"), row("prod")], "Configuration: 8 values changed in `dev`, `prod`"),
        ([row(errors=2), row(errors=1)], "Configuration: 3 errors to mend"),
        ([row(f"e{n}") for n in range(6)], "Configuration: 24 values changed in 6 environments"),
    ],
)
def test_the_headline(rows, headline):
    assert render_plan_comment(rows).splitlines()[0] == f"### {headline}"


def test_a_file_that_cannot_be_read_shows_its_errors_alone():
    text = render_plan_comment([row(found=(), errors=1)])
    assert "| `prod_training_config.yaml` | **1 error** |" in text


def test_errors_come_before_what_changes_and_warnings_after():
    text = render_plan_comment([row(change=FileChange.LAYOUT, errors=1, warnings=2)])
    assert "**1 error**<br>comments or layout only: every value stays as it is<br>2 warnings" in text


def test_more_changes_than_a_row_holds_are_in_a_table_below():
    text = render_plan_comment([row(found=FOUND[:5])])
    assert "(added `mae`)<br>… and 2 more below |" in text
    assert "<summary>All 5 changes of training in <code>prod</code></summary>" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(Kind.TRAINING, ("seed",), Nature.ADDED, new=7), "`seed` added (`7`)"),
        (Change(Kind.TRAINING, ("seed",), Nature.REMOVED, old=7), "`seed` removed (`7`)"),
        (Change(Kind.TRAINING, ("steps",), Nature.REORDERED, ["a", "b"], ["b", "a"]), "`steps` reordered"),
        (Change(Kind.TRAINING, ("a",), Nature.CHANGED, [1, 2], [2, 1]), "`[1, 2]` → `[2, 1]` (other order)"),
        (Change(Kind.TRAINING, ("a",), Nature.CHANGED, 100, 99), "`100` → `99` (-1 %)"),
    ],
)
def test_a_change_in_words(change, words):
    assert words.replace("-", "\N{MINUS SIGN}").replace(" %", "\N{NO-BREAK SPACE}%") in render_plan_comment(
        [row(found=(change,))]
    )


def test_few_changes_need_no_table():
    assert "<details>" not in render_plan_comment([row(found=FOUND[:4])])


def test_many_files_are_cut_and_say_where_the_rest_is():
    rows = [row(f"e{number}", change=FileChange.NONE) for number in range(130)]
    text = render_plan_comment(rows, more="see [the summary](https://example.com)")
    assert "… and 10 more files | see [the summary](https://example.com) |" in text


def test_many_changes_are_cut_and_say_where_the_rest_is():
    many = tuple(Change(Kind.TRAINING, (f"k{n}",), Nature.CHANGED, n, n + 1) for n in range(240))
    text = render_plan_comment([row("dev", found=many), row("staging", found=many), row(found=many)])
    assert text.count("<details>") == 2
    assert "| … and 230 more |" in text
    assert text.endswith("… and more changes: see the job summary\n")


def test_names_from_outside_stay_text():
    text = render_plan_comment([row("@acme/all|<b>")])
    assert "@acme" not in text.replace("<code>@acme", "")
    assert "<b>" not in text
