"""``mlops-config release`` and its parts ``build``, ``publish`` and ``notes``: one job, whole or in steps."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.cli.arguments import add_environment_argument, add_tree_arguments, tree_of
from mlops_config.cli.validating import explained

if TYPE_CHECKING:
    from mlops_config.pipeline import Options, RunResult


@dataclass(frozen=True)
class ReleaseVerb:
    """One of the verbs that run the main job, up to or only for some of its stages."""

    NAME: str
    SUMMARY: str
    DESCRIPTION: str
    EXAMPLES: str
    stages: tuple[str, ...]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the verb's arguments."""
        add_tree_arguments(parser)
        add_environment_argument(parser, required=False)
        _add_source_arguments(parser)
        if "build" in self.stages:
            _add_image_arguments(parser)
        if "publish" in self.stages:
            parser.add_argument(
                "--store",
                action="append",
                default=[],
                metavar="URI",
                help="file:///dir, s3://bucket/prefix, gs://bucket/prefix or oci://registry/repository;"
                " several are fine"
                " (default: the settings', else a folder under --output)",
            )
            parser.add_argument(
                "--dry-run", action="store_true", help="say what would be built and published; change nothing"
            )
        parser.add_argument(
            "--output", type=Path, metavar="DIR", help="where files go (default: .mlops-config)"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
        parser.add_argument(
            "--format",
            choices=("text", "json"),
            default="text",
            help="standard output: for people, or the release record (default: text)",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs the job and prints what it made."""
        from mlops_config.console import TerminalConsole
        from mlops_config.pipeline import run

        root, settings = tree_of(arguments)
        console = TerminalConsole(quiet=arguments.quiet)
        with explained():
            result = run(_options(arguments, root, self.stages), settings, console)
        if arguments.format == "json" and result.record:
            sys.stdout.write(result.record.to_json().decode())
        else:
            sys.stdout.write(_for_people(result))
        return 0


BUILD = ReleaseVerb(
    "build",
    "build an environment's image, and push it if asked",
    """\
Validates, bundles and builds the environment image, opens it and proves that it holds exactly that
environment's four files. Without a Docker engine the same image is written as an OCI image layout.""",
    """\
  mlops-config build --environment dev
  mlops-config build --environment prod --image ghcr.io/acme/fares --base-image ghcr.io/acme/runtime:2 --push
""",
    ("validate", "build"),
)
PUBLISH = ReleaseVerb(
    "publish",
    "publish what 'build' made: bundle, release record, current pointer",
    """\
Publishes the bundle and the release record that 'mlops-config build' wrote to every store, then points the
environment at it. What is there already is left as it is.""",
    """\
  mlops-config publish --environment prod --store s3://acme-ml/configs
""",
    ("publish",),
)
NOTES = ReleaseVerb(
    "notes",
    "write the release notes again from the release record",
    """\
Renders the notes of the release that 'mlops-config release' (or build and publish) made last.""",
    """\
  mlops-config notes --environment prod
""",
    ("notes",),
)
RELEASE = ReleaseVerb(
    "release",
    "validate, bundle, build, publish and write notes: the whole job",
    """\
The main job. Takes an environment's four files to a bundle, an image, a published release record and notes.
The environment is named, or follows from the branch or tag. Nothing changed means nothing is published.""",
    """\
  mlops-config release --environment dev
  mlops-config release --ref refs/tags/release/v1.2.0 --store oci://ghcr.io/acme/fares-config --push
  mlops-config release --environment prod --dry-run
""",
    ("validate", "build", "publish", "notes"),
)


def _add_source_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ref",
        metavar="REF",
        help="git ref that decides environment and version (default: what is checked out)",
    )
    parser.add_argument("--version", metavar="X.Y.Z", help="version of the release (default: from the ref)")


def _add_image_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image",
        metavar="REPOSITORY",
        help="image repository without tag; {project} and {environment} are filled in"
        " (default: {project}-{environment})",
    )
    parser.add_argument(
        "--base-image", metavar="IMAGE", help="what the image is built FROM (default: scratch)"
    )
    parser.add_argument("--dockerfile", type=Path, metavar="FILE", help="your own Dockerfile (default: ours)")
    parser.add_argument(
        "--platform", action="append", default=[], metavar="OS/ARCH", help="such as linux/arm64; needs buildx"
    )
    parser.add_argument("--push", action="store_true", help="push the image to its registry")


def _options(arguments: argparse.Namespace, root: Path, stages: tuple[str, ...]) -> "Options":
    from mlops_config.github.context import GitHubContext
    from mlops_config.pipeline import Options, Stage

    given = vars(arguments)
    context = GitHubContext.from_env(os.environ)
    return Options(
        root=root,
        stages=frozenset(Stage(stage) for stage in stages),
        environment=arguments.environment,
        version=arguments.version,
        ref=arguments.ref or (context.ref if context else None),
        default_branch=context.default_branch if context else None,
        repository=context.repository if context else None,
        actor=context.actor if context else None,
        run_url=context.run_url if context else None,
        server_url=context.server_url if context else "https://github.com",
        image_repository=given.get("image"),
        base_image=given.get("base_image"),
        dockerfile=given.get("dockerfile"),
        platforms=tuple(given.get("platform", ())),
        push=given.get("push", False),
        stores=tuple(given.get("store", ())),
        dry_run=given.get("dry_run", False),
        output=arguments.output,
    )


def _for_people(result: "RunResult") -> str:
    lines = []
    if result.notes:
        lines += [result.notes.rstrip("\n"), ""]
    lines += [f"{label:<9} {value}" for label, value in result.whereabouts()]
    return "\n".join(lines) + "\n"
