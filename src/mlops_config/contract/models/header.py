"""The header each file starts with, and what more than one of them has."""

from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.field_types import Cron, LabelKey, LabelValue, Name, Owner, Timezone
from mlops_config.contract.models.model_base import ConfigModel
from mlops_config.contract.models.orchestration import Orchestration


class Metadata(ConfigModel):
    """Whose file this is and what it is for; the same in an environment's four files but for the labels."""

    project: Name = Field(description="Project the model belongs to; the prefix of everything stored.")
    model_name: Name = Field(description="The model within the project.")
    environment: Name = Field(description="Environment the file is for; equal to the name of its folder.")
    owner: Owner = Field(description="Who answers for it: an e-mail address or a team handle.")
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=40)] = Field(
        default_factory=dict,
        description=(
            "Labels put on cloud resources. Source: Google Cloud label syntax (the narrower one);"
            " SageMaker TagList holds 50, ten are kept for our own."
        ),
    )


class Header(ConfigModel):
    """What each of the four files starts with."""

    schema_version: Annotated[int, Field(ge=1, le=1)] = Field(
        description="Version of this contract. Only 1 exists; a later one comes with a migration command."
    )
    kind: Literal["training", "inference", "monitoring", "retrain"] = Field(
        description="Which of the four files this is."
    )
    metadata: Metadata = Field(description="Identity of the configuration.")
    orchestration: Orchestration = Field(
        default_factory=Orchestration, description="How Airflow runs the file's job."
    )


class Schedule(ConfigModel):
    """When something runs."""

    cron: Cron = Field(
        description="Minute, hour, day of month, month, day of week; names in capitals (MON, JAN)."
    )
    timezone: Timezone = Field(default="UTC", description="IANA time zone the cron expression is read in.")
