"""The main job as a step of GitHub Actions: runs it, and tells in annotations, summary, outputs and files."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlops_config.bundle.bundle import config_digest
from mlops_config.contract.validation import Validation, validate
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.findings import Severity
from mlops_config.github.inputs import Inputs, read_inputs
from mlops_config.github.matrix import OUTPUTS_NAME, REPORT_NAME
from mlops_config.github.plan import plan_of_merge
from mlops_config.github.step import Outputs, Step
from mlops_config.kinds import canonical_name
from mlops_config.report import render
from mlops_config.settings import Settings

if TYPE_CHECKING:
    from mlops_config.pipeline import Options, RunResult


def run_job(step: Step) -> int:
    """Validates, or releases, as the step's inputs say; the exit code: 1 where findings were refused.

    Raises:
        UsageError: an input, the settings or the work tree do not allow it.
        ServiceError: a service failed after retries.
        IntegrityError: something is not what its digest says.
    """
    inputs = read_inputs(step.inputs)
    root, settings = step.tree(inputs.working_directory, inputs.settings)
    if inputs.config_dir:
        settings = settings._replace(config_dir=inputs.config_dir)
    if step.context.unmerged and inputs.stages != ("validate",):
        what = "a pull request" if step.context.event_name.startswith("pull_request") else "a merge queue"
        step.console.say(f"{what} builds and publishes nothing: every environment is validated")
        inputs = replace(inputs, stages=("validate",), environment=None)
    make_output_folder(step.output)
    if "publish" in inputs.stages and not (inputs.stores or settings.stores):
        step.warn("no store is named in stores or the settings: bundle and record go with this job's files")
    if inputs.stages == ("validate",):
        return _validate(step, inputs, root, settings)
    return _release(step, inputs, root, settings)


def _validate(step: Step, inputs: Inputs, root: Path, settings: Settings) -> int:
    with step.console.stage("validate") as log:
        validation = validate(root, settings, [inputs.environment] if inputs.environment else None)
        log.done(f"{validation.files_read} files, {len(validation.findings)} findings")
    outputs = _counts(validation)
    if inputs.environment:
        outputs |= {"environment": inputs.environment} | _digest(validation, inputs.environment)
    step.write(outputs)
    plan = plan_of_merge(step.context, root, settings, validation)
    report = _report(step, validation, inputs.working_directory, plan)
    if "pull-request" in inputs.notes:
        from mlops_config.github.posting import report_to_pull_request

        project, token = inputs.working_directory, inputs.github_token or ""
        step.tell(report_to_pull_request(step.context, token, project=project, report=report))
    return _verdict(step, validation, inputs)


def _release(step: Step, inputs: Inputs, root: Path, settings: Settings) -> int:
    from mlops_config.pipeline import RefusedError, run

    try:
        result = run(_options(step, inputs, root), settings, step.console)
    except RefusedError as error:
        step.write(_counts(error.validation))
        _report(step, error.validation, inputs.working_directory)
        return _verdict(step, error.validation, inputs)
    if result.validation.findings:
        _report(step, result.validation, inputs.working_directory)
    outputs = _counts(result.validation) | _outputs_of(result)
    step.write(outputs)
    if result.folder:
        write_atomically(result.folder / OUTPUTS_NAME, json.dumps(outputs, indent=2).encode())
    if result.notes:
        step.summarize(result.notes)
        if "release" in inputs.notes and not inputs.dry_run:
            from mlops_config.github.posting import notes_to_release

            posted = notes_to_release(
                step.context,
                inputs.github_token or "",
                project=inputs.working_directory,
                environment=result.environment or "",
                notes=result.notes,
            )
            step.tell(posted)
    for label, value in result.whereabouts():
        step.console.say(f"{label:<9} {value}")
    return 0


def _options(step: Step, inputs: Inputs, root: Path) -> "Options":
    from mlops_config.pipeline import Options, Stage

    return Options(
        root=root,
        stages=frozenset(Stage(stage) for stage in inputs.stages),
        environment=inputs.environment,
        ref=step.context.ref,
        default_branch=step.context.default_branch,
        repository=step.context.repository,
        actor=step.context.actor,
        run_url=step.context.run_url,
        server_url=step.context.server_url,
        image_repository=inputs.image,
        base_image=inputs.base_image,
        dockerfile=root / inputs.dockerfile if inputs.dockerfile else None,
        platforms=inputs.platforms,
        push=inputs.push,
        stores=inputs.stores,
        fail_on=Severity(inputs.fail_on),
        dry_run=inputs.dry_run,
        output=step.output,
    )


def _outputs_of(result: "RunResult") -> Outputs:
    from mlops_config.pipeline import NOTES_NAME, RECORD_NAME

    outputs: dict[str, str | bool | int] = {
        "environment": result.environment or "",
        "changed": result.changed,
    }
    record = result.record
    if record is not None:
        outputs["config-digest"] = record.config_digest
        outputs["bundle-uris"] = "\n".join(location.uri for location in record.bundles)
        if record.image:
            outputs["image"] = f"{record.image.repository}:{record.image.tags[0]}"
            outputs["image-digest"] = (
                record.image.digest if record.image.pushed and record.image.digest else ""
            )
    if result.folder:
        for name, file in (("release-record", RECORD_NAME), ("notes", NOTES_NAME)):
            path = result.folder / file
            outputs[name] = str(path) if path.is_file() else ""
    return outputs


def _counts(validation: Validation) -> Outputs:
    return {
        "findings-errors": validation.number_of(Severity.ERROR),
        "findings-warnings": validation.number_of(Severity.WARNING),
    }


def _digest(validation: Validation, environment: str) -> Outputs:
    configs = validation.environment(environment)
    if not configs.complete:
        return {}
    files = ((canonical_name(environment, kind), file.data) for kind, file in configs.files.items())
    return {"config-digest": config_digest(files)}


def _report(step: Step, validation: Validation, project: str, plan: str = "") -> str:
    """Shows the findings in the log, on their lines and in the summary, and writes them to files.

    ``plan`` goes before them in the summary and the report, which is returned.
    """
    folder = PurePosixPath(project.replace("\\", "/"))
    prefix = "" if folder == PurePosixPath(".") else f"{folder}/"
    step.console.command(render("github", validation, prefix=prefix).rstrip("\n"))
    findings = render("markdown", validation, prefix=prefix)
    report = f"{plan}\n{findings}" if plan else findings
    step.summarize(report)
    write_atomically(step.output / REPORT_NAME, report.encode())
    for name in ("json", "sarif"):
        write_atomically(step.output / f"findings.{name}", render(name, validation, prefix=prefix).encode())
    return report


def _verdict(step: Step, validation: Validation, inputs: Inputs) -> int:
    limit = Severity(inputs.fail_on).rank
    refused = sum(finding.severity.rank <= limit for finding in validation.findings)
    if refused:
        step.console.say(f"{refused} of {len(validation.findings)} findings are at or above {inputs.fail_on}")
    return int(refused > 0)
