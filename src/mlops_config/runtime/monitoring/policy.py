"""When violations count: k of the n newest windows, by default the newest among them."""

from collections.abc import Sequence

from mlops_config.contract.models.monitoring import ViolationPolicy


def confirmed(violations: Sequence[bool | None], policy: ViolationPolicy) -> bool:
    """Whether the policy makes the newest window's outcome count; ``violations`` is newest first.

    A window that was not judged (``None``) takes its place among the n and is no violation: silence is no
    evidence, and it must not keep old evidence alive either. So a further violation can only confirm, never
    the reverse; and fewer windows than k never confirm.
    """
    looked_at = violations[: policy.evaluation_windows]
    if policy.newest_must_violate and not (looked_at and looked_at[0]):
        return False
    return sum(outcome is True for outcome in looked_at) >= policy.violation_windows
