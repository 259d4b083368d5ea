"""The base of every model of the contract."""

from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """Strict, frozen, unknown keys refused. Dumped by YAML names; equal values dump equally.

    Models hold no validators: every check is declared, or is a rule over whole files. So their core schema is
    data, and can be stored and loaded without building the classes.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        serialize_by_alias=True,
    )
