"""What an environment image is called: its repository and its tags."""

from mlops_config.errors import UsageError
from mlops_config.release.record import ReleaseRecord


def image_repository(template: str, record: ReleaseRecord) -> str:
    """The template with ``{project}`` and ``{environment}`` filled in.

    Raises:
        UsageError: the template names something else in braces, or a tag or digest.
    """
    name = template.replace("{project}", record.project).replace("{environment}", record.environment)
    if "{" in name or "}" in name:
        raise UsageError(
            f"the image repository {template!r} has braces this command does not fill in",
            hint="only {project} and {environment} are",
        )
    if "@" in name or ":" in name.rpartition("/")[2]:
        raise UsageError(
            f"the image repository {template!r} carries a tag or digest",
            hint="give the repository alone, such as ghcr.io/acme/fares: tags follow from commit and version",
        )
    return name


def image_tags(record: ReleaseRecord, *, shared: bool) -> tuple[str, ...]:
    """The image's tags: the commit's, and on a release tag the version's.

    Where environments share the repository (``shared``) the commit's tag ends in ``-<environment>``, so no
    environment's image ever takes another's place. A release outside git is tagged by its config digest.
    """
    suffix = f"-{record.environment}" if shared else ""
    tags = [f"{record.revision}{suffix}"]
    if record.version:
        tags.append(f"{record.version}-{record.environment}")
    return tuple(tags)
