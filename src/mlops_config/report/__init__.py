"""Findings as text, JSON, SARIF, JUnit, GitHub annotations and Markdown: one module for each format."""

from importlib import import_module
from typing import TYPE_CHECKING

from mlops_config.report.interface import Renderer, context_of

if TYPE_CHECKING:
    from mlops_config.contract.validation import Validation

FORMATS = ("text", "json", "sarif", "junit", "github", "markdown")


def renderer(name: str) -> Renderer:
    """The format of that name, one of ``FORMATS``; only its own module is loaded."""
    if name not in FORMATS:
        raise ValueError(f"there is no report format {name!r}; formats are {', '.join(FORMATS)}")
    found: Renderer = import_module(f"mlops_config.report.{name}").render
    return found


def render(name: str, validation: "Validation", *, color: bool = False, prefix: str = "") -> str:
    """A validation's report in the format ``name``, with a final newline.

    ``prefix`` turns the names of files into paths from the repository root where validation ran in a folder
    below it, such as ``services/fares/``.
    """
    return renderer(name)(validation.findings, context_of(validation, color=color, prefix=prefix))
