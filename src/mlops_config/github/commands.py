"""Workflow commands: the lines on stdout by which a step speaks to the GitHub Actions runner.

Pure functions; the caller prints what they return. The escaping is the runner's own
(https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
"""

import re
import secrets


def command(name: str, message: str = "", **properties: object) -> str:
    """One command, such as ``::error file=a.yaml,line=3::wrong type``, on one line.

    A property named ``end_line`` is written ``endLine``; one that is ``None`` is left out. Text that came
    from outside is safe in the message and in the values of properties.

    Raises:
        ValueError: ``name`` holds anything but letters and hyphens.
    """
    if not re.fullmatch(r"[A-Za-z-]+", name):
        raise ValueError(f"{name!r} is not the name of a workflow command")
    given = ",".join(
        f"{_camel_case(key)}={_property(value)}" for key, value in properties.items() if value is not None
    )
    return f"::{name}{f' {given}' if given else ''}::{_data(message)}"


def group(title: str) -> str:
    """Opens a group of lines that the log shows folded under ``title``; groups do not nest."""
    return command("group", title)


def endgroup() -> str:
    """Closes the group."""
    return command("endgroup")


def mask(value: str) -> str:
    """Commands that hide ``value`` in everything the job logs from here on, one per line of the value.

    The runner masks line by line, so a secret of several lines needs each of them masked. Blank lines are
    left out: masking one would blot out the whole log.
    """
    return "\n".join(command("add-mask", line.strip()) for line in value.splitlines() if line.strip())


def stopped(untrusted: str) -> str:
    """``untrusted`` between a command that makes the runner deaf and the one that makes it listen again.

    The token that ends it is random, so the text cannot contain it.
    """
    token = secrets.token_hex(16)
    return f"{command('stop-commands', token)}\n{untrusted}\n::{token}::"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
