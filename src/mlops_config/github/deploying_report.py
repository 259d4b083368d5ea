"""What the plans of several environments say together: one comment on a pull request, one issue for a drift.

What it reads was left by jobs that ran a branch's own Terraform, so their words are shown as code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_config.errors import UsageError
from mlops_config.github.client import GitHubClient
from mlops_config.github.comment import post_comment
from mlops_config.github.context import GitHubContext
from mlops_config.github.issues import close_issue, keep_issue
from mlops_config.github.limits import COMMENT_CHARACTERS, fitted
from mlops_config.github.matrix import left_behind
from mlops_config.github.step import Posted
from mlops_config.infrastructure.plan_files import MARKDOWN_NAME
from mlops_config.release.markdown import code, details, plain, table

REST_OF_PLAN = "*The rest of this plan is in the run's summary.*"
_FRAME_CHARACTERS = 2_000
"""What the comment holds besides the plans: its marker, heading and the folds around them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the job of one environment left behind."""

    environment: str
    outputs: dict[str, Any]
    text: str
    """The plan as Markdown; empty where there is none."""

    @property
    def failed(self) -> str:
        """Why there is no plan; empty where there is one."""
        return str(self.outputs.get("failed") or "")

    @property
    def drifted(self) -> bool:
        """Whether what is there is not what Terraform made."""
        return self.outputs.get("drifted") is True


def plans_in(folder: Path, environments: Sequence[str]) -> list[Planned]:
    """What the job of each environment left under ``folder``; one that left nothing failed.

    Raises:
        UsageError: a file there is not what the action writes, or two are of one environment.
    """
    found: dict[str, Planned] = {}
    for place, outputs in left_behind(folder):
        name = outputs["environment"]
        if name in found:
            raise UsageError(f"{folder} holds two plans for {name}", hint="give each call its own artifact")
        plan = place / MARKDOWN_NAME
        found[name] = Planned(name, outputs, plan.read_text("utf-8") if plan.is_file() else "")
    nothing = {"failed": "its job ended before it could say why; see its log"}
    return [found.get(name) or Planned(name, nothing, "") for name in environments]


def plans_to_pull_request(
    plans: Sequence[Planned], context: GitHubContext, token: str, *, project: str
) -> Posted:
    """Puts the plans of all environments into the one comment about them.

    Raises:
        ServiceError: GitHub refused for another reason than the token's permissions, or stayed away.
    """
    if context.pull_request is None:
        return Posted(f"no comment: the event {context.event_name} is not about a pull request")
    body = comment_of(plans, context.run_url, project=project)
    rest = f"The rest is in the [run's summary]({context.run_url})."
    with GitHubClient(context.api_url, token, context.repository) as client:
        result = post_comment(client, context.pull_request.number, f"deploy {project}", body, rest=rest)
    if result.refused is not None:
        return Posted(f"no comment: {result.refused}; the job summary has the same plans", refused=True)
    return Posted(f"comment {'made' if result.created else 'updated'}: {result.url}")


def comment_of(plans: Sequence[Planned], run_url: str, *, project: str) -> str:
    """A row for each environment, and each plan folded below; together within GitHub's limit."""
    where = "" if project == "." else f" of {code(project)}"
    rows = [[f"**{plain(plan.environment)}**", _verdict(plan), _digest(plan)] for plan in plans]
    parts = [
        f"### What deploying this{where} would change",
        table(["environment", "Terraform would", "plan"], rows),
    ]
    share = (COMMENT_CHARACTERS - _FRAME_CHARACTERS) // len(plans) - 200
    for plan in plans:
        if plan.text.strip():
            body = fitted(plan.text.strip(), share, REST_OF_PLAN)
            parts.append(details(f"The plan for {plain(plan.environment)}", body))
    parts.append(f"Planned from the branch, and nothing is applied: [the run]({run_url}).")
    return "\n\n".join(parts) + "\n"


def drift_to_issues(
    plans: Sequence[Planned], context: GitHubContext, token: str, *, project: str
) -> Iterator[Posted]:
    """Opens, changes or closes the issue of each environment, as its drift says.

    An environment whose check failed keeps the issue that it has.

    Raises:
        ServiceError: GitHub refused, or stayed away: a drift must not go unsaid.
    """
    with GitHubClient(context.api_url, token, context.repository) as client:
        for plan in plans:
            if plan.failed:
                yield Posted(f"{plan.environment}: not known, its check failed; its issue stays as it is")
                continue
            yield Posted(f"{plan.environment}: {_tell_drift(client, plan, context, project)}")


def _tell_drift(client: GitHubClient, plan: Planned, context: GitHubContext, project: str) -> str:
    key = f"drift {project} {plan.environment}"
    if not plan.drifted:
        farewell = f"The drift has gone: [the check that found none]({context.run_url})."
        result = close_issue(client, key, farewell)
        return "no drift" if result.url is None else f"the drift has gone, closed {result.url}"
    where = "" if project == "." else f" ({project})"
    body = (
        f"Somebody or something changed what Terraform made for {code(plan.environment)}, and Terraform does"
        f" not know: [the run that found it]({context.run_url}).\n\n{plan.text.strip()}\n\n"
        "The next deployment changes it back. To keep it, write it into the configuration or the Terraform"
        " files first. This issue is changed when the drift does, and closed when it has gone."
    )
    rest = f"The rest is in the [run's summary]({context.run_url})."
    meaning = str(plan.outputs.get("drift-digest"))
    title = f"{plan.environment} has drifted from what Terraform made{where}"
    result = keep_issue(client, key, title[:256], body, meaning=meaning, rest=rest)
    return f"drifted, issue {result.done}: {result.url}"


def _verdict(plan: Planned) -> str:
    if plan.failed:
        return f"❌ no plan: {code(plan.failed)}"
    if not plan.outputs.get("has-changes"):
        return "✅ change nothing"
    loud = "⚠️ " if plan.outputs.get("deletes") else ""
    return f"{loud}{code(str(plan.outputs.get('changes') or 'change something'))}"


def _digest(plan: Planned) -> str:
    digest = str(plan.outputs.get("plan-digest") or "")
    return code(digest.removeprefix("sha256:")[:12]) if digest else ""
