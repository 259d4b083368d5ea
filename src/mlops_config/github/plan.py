"""What merging the pull request would change, for the report that its comment and the job summary show."""

from pathlib import Path

from mlops_config.contract.validation import Validation
from mlops_config.errors import UsageError
from mlops_config.github.context import GitHubContext, PullRequest
from mlops_config.settings import Settings

MERGED_INTO = "HEAD^1"
"""Of the merge commit GitHub checks out for a pull request: the tip of the branch to merge into."""


def plan_of_merge(context: GitHubContext, root: Path, settings: Settings, validation: Validation) -> str:
    """A row per environment and file as Markdown; a sentence where the clone cannot tell; else nothing."""
    if context.pull_request is None:
        return ""
    from mlops_config.release.plan import render_plan_comment
    from mlops_config.release.proposal import proposed_changes

    for commit in _bases(context, context.pull_request):
        try:
            rows = proposed_changes(root, settings, validation, commit)
        except UsageError:
            continue
        return render_plan_comment(rows)
    return (
        "What merging would change cannot be told: the branch to merge into is not in this clone."
        " Set `fetch-depth: 2` on `actions/checkout`.\n"
    )


def _bases(context: GitHubContext, pull_request: PullRequest) -> list[str]:
    """Commits to compare with, the best first; the merge commit's parent only where that is checked out."""
    is_merge = context.ref.endswith("/merge") and context.event_name == "pull_request"
    return [pull_request.base_sha, *([MERGED_INTO] if is_merge else [])]
