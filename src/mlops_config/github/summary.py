"""The job summary: Markdown added to what the step's summary file holds, within GitHub's limit."""

from pathlib import Path

from mlops_config.github.limits import SUMMARY_BYTES, fitted, utf8_bytes


def append_summary(path: Path, markdown: str, *, rest: str) -> bool:
    """Adds ``markdown`` to the summary file; returns whether all of it fitted.

    What does not fit into the step's 1 MiB is cut, and ``rest`` says where the rest is: GitHub shows nothing
    of a summary that is too large.

    Raises:
        OSError: the file cannot be written.
    """
    used = path.stat().st_size if path.exists() else 0
    block = f"{markdown.strip()}\n\n"
    text = fitted(block, max(0, SUMMARY_BYTES - used - 1), rest, size=utf8_bytes)
    if utf8_bytes(text) + used >= SUMMARY_BYTES:
        return False
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.write(text)
    return text == block
