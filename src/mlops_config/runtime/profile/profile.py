"""The profile of a table: counts per bin and per category, which add up over any partition of its rows."""

import hashlib
from collections.abc import Iterable
from functools import cached_property, reduce
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.profile.columns import CategoricalColumn, Column, NumericColumn


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Profile(_Frozen):
    """Counts of every column over the same rows."""

    schema_version: Literal[1] = 1
    rows: Annotated[int, Field(ge=0)]
    columns: tuple[Column, ...] = ()
    """Features in the order of the training file, then the predictions if they were given."""

    def column(self, name: str) -> NumericColumn | CategoricalColumn | None:
        """The column of that name, if it is profiled."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, NumericColumn | CategoricalColumn]:
        return {column.name: column for column in self.columns}

    def merge(self, other: "Profile") -> "Profile":
        """The profile of both tables' rows: ``profile(a).merge(profile(b)) == profile(a + b)``, exactly.

        Raises:
            UsageError: the two were made after different references.
        """
        if [column.name for column in self.columns] != [column.name for column in other.columns]:
            raise UsageError(
                "two profiles have different columns: they were made after different references",
                hint="make both profiles after the same reference",
            )
        return Profile(
            rows=self.rows + other.rows,
            columns=tuple(
                _merge(own, others) for own, others in zip(self.columns, other.columns, strict=True)
            ),
        )

    def to_json(self) -> bytes:
        """The profile as it is stored: UTF-8 JSON with a final newline; equal profiles give equal bytes."""
        return self.model_dump_json().encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> "Profile":
        """What :meth:`to_json` wrote.

        Raises:
            IntegrityError: the bytes are no profile.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the document"
            raise IntegrityError(f"this is no profile: {place}: {first['msg']}") from error

    @property
    def digest(self) -> str:
        """``sha256:<64 hex>`` of :meth:`to_json`."""
        return f"sha256:{hashlib.sha256(self.to_json()).hexdigest()}"


def merged(profiles: Iterable[Profile]) -> Profile:
    """The profile of all rows of all ``profiles``, of which there is at least one.

    Raises:
        UsageError: there is none, or they were made after different references.
    """
    parts = list(profiles)
    if not parts:
        raise UsageError("there is no profile to merge")
    return reduce(Profile.merge, parts)


def _merge(
    own: NumericColumn | CategoricalColumn, other: NumericColumn | CategoricalColumn
) -> NumericColumn | CategoricalColumn:
    if isinstance(own, NumericColumn) and isinstance(other, NumericColumn):
        return own.merge(other)
    if isinstance(own, CategoricalColumn) and isinstance(other, CategoricalColumn):
        return own.merge(other)
    raise UsageError(
        f"{own.name} is numeric in one profile and categorical in the other",
        hint="make both profiles after the same reference",
    )
