"""What goes to GitHub's pages from a run: the report to the pull request, the notes to the tag's release."""

import json
from collections.abc import Iterator
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.github.client import GitHubClient, PermissionDeniedError
from mlops_config.github.comment import post_comment
from mlops_config.github.context import GitHubContext
from mlops_config.github.matrix import REPORT_NAME, left_behind
from mlops_config.github.releases import publish_release
from mlops_config.github.step import Posted, Step

TAGS = "refs/tags/"


def post(step: Step) -> int:
    """Posts what lies in the folder that the step's input ``path`` names.

    The input ``what`` says what that is: ``report`` or notes, the ``plans`` of a pull request, or ``drift``.

    Raises:
        UsageError, ServiceError: as :func:`post_what_is_in`; the input ``what`` is none of these.
    """
    token = step.input("github-token")
    if not token:
        raise UsageError("the input github-token is empty", hint="leave it out: its default is the job's own")
    project = step.input("working-directory") or "."
    for posted in _posted(step, Path(step.input("path")), token, project):
        step.tell(posted)
    return 0


def _posted(step: Step, folder: Path, token: str, project: str) -> Iterator[Posted]:
    what = step.input("what") or "report"
    if what == "report":
        yield from post_what_is_in(folder, step.context, token, project=project)
        return
    if what not in ("plans", "drift"):
        raise UsageError(f"the input what is {what!r}", hint="it is report, plans or drift")
    from mlops_config.github.deploying_report import drift_to_issues, plans_in, plans_to_pull_request

    plans = plans_in(folder, json.loads(step.input("environments") or "[]"))
    if what == "plans":
        yield plans_to_pull_request(plans, step.context, token, project=project)
    else:
        yield from drift_to_issues(plans, step.context, token, project=project)


def report_to_pull_request(context: GitHubContext, token: str, *, project: str, report: str) -> Posted:
    """Puts ``report`` into the one comment of ``project``, the folder of a project in the repository.

    Raises:
        ServiceError: GitHub refused for another reason than the token's permissions, or stayed away.
    """
    if context.pull_request is None:
        return Posted(f"no comment: the event {context.event_name} is not about a pull request")
    with GitHubClient(context.api_url, token, context.repository) as client:
        number = context.pull_request.number
        result = post_comment(client, number, project, report, rest=_rest(context))
    if result.refused is not None:
        return Posted(f"no comment: {result.refused}; the job summary has the same report", refused=True)
    return Posted(f"comment {'made' if result.created else 'updated'}: {result.url}")


def notes_to_release(
    context: GitHubContext, token: str, *, project: str, environment: str, notes: str
) -> Posted:
    """Puts ``notes`` into the GitHub release of the tag that is being released, in the environment's section.

    Raises:
        UsageError: the tag is gone.
        ServiceError: GitHub refused for another reason than the token's permissions, or stayed away.
    """
    if not context.ref.startswith(TAGS):
        return Posted(f"no GitHub release: {context.ref} is not a tag")
    tag = context.ref.removeprefix(TAGS)
    name = tag.rpartition("/")[2]
    try:
        with GitHubClient(context.api_url, token, context.repository) as client:
            result = publish_release(
                client,
                tag,
                name=name,
                key=environment if project == "." else f"{project}/{environment}",
                section=notes,
                rest=_rest(context),
                prerelease="-" in name,
            )
    except PermissionDeniedError as error:
        return Posted(f"no GitHub release: {error.message}; the job summary has the same notes", refused=True)
    return Posted(f"release {'made' if result.created else 'updated'}: {result.url}")


def post_what_is_in(folder: Path, context: GitHubContext, token: str, *, project: str) -> Iterator[Posted]:
    """Posts what earlier jobs left: on a pull request the report, on a tag the notes of each environment.

    Raises:
        UsageError: there is nothing to post.
        ServiceError: GitHub refused for another reason than the token's permissions, or stayed away.
    """
    found = False
    if context.pull_request:
        for path in sorted(folder.rglob(REPORT_NAME)):
            found = True
            yield report_to_pull_request(context, token, project=project, report=path.read_text("utf-8"))
    else:
        for place, outputs in left_behind(folder):
            notes = place / "notes.md"
            if notes.is_file():
                found = True
                environment, text = outputs["environment"], notes.read_text("utf-8")
                yield notes_to_release(context, token, project=project, environment=environment, notes=text)
    if not found:
        raise UsageError(
            f"there is nothing to post under {folder}",
            hint="the job that validates or releases uploads it as an artifact; did it get that far?",
        )


def _rest(context: GitHubContext) -> str:
    return f"The rest is in the [run's summary and artifacts]({context.run_url})."
