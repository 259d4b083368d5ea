"""Every value of a model with the way to it, whatever its class."""

from collections.abc import Iterator, Mapping

from mlops_config.findings import ConfigPath


def nodes(value: object, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, object]]:
    """Every value at and below ``value``, outermost first, with its path in the file.

    An object counts as a mapping of its attributes. A name that Python or pydantic keeps for itself has an
    underscore behind it in the class (``schema_``) and none in the file.
    """
    yield path, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from nodes(item, (*path, key))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from nodes(item, (*path, index))
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            yield from nodes(item, (*path, name.removesuffix("_")))


def find(value: object, path: ConfigPath) -> object:
    """The value at ``path``. Raises ``LookupError`` when there is none."""
    for step in path:
        if isinstance(value, Mapping | tuple | list):
            value = value[step]  # type: ignore[index]  # a wrong step raises the LookupError promised
        elif hasattr(value, "__dict__") and isinstance(step, str):
            attributes = vars(value)
            value = attributes[step] if step in attributes else attributes[f"{step}_"]
        else:
            raise LookupError(step)
    return value
