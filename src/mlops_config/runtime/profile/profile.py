"""The profile of a table: counts per bin and per category, which add up over any partition of its rows."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Profile(_Frozen):
    """Counts of every column over the same rows."""

    schema_version: Literal[1] = 1
    rows: Annotated[int, Field(ge=0)]
