"""How long exports are kept, and where a copy of them goes."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recmodels.published.addresses import checked


class RetentionSettings(BaseModel):
    """How long exports and working files are kept. The current export and pinned ones are never removed."""

    model_config = ConfigDict(extra="forbid")

    exports: int | None = Field(default=30, ge=1, description="How many of the newest exports are kept.")
    days: float | None = Field(default=None, gt=0, description="Exports older than this many days are removed.")
    nights: int | None = Field(
        default=30, ge=1, description="Of how many of the newest nights the working files are kept (nights/<date>)."
    )
    reports: int | None = Field(
        default=365, ge=1, description="Of how many of the newest nights the report and the Data Docs are kept."
    )
    longest_read_hours: float = Field(
        default=24, ge=0, description="An export stays this long after another took its place, for those who read it."
    )


class MirrorSettings(BaseModel):
    """A copy of the exports on an object store, or on another disk."""

    model_config = ConfigDict(extra="forbid")

    to: str | None = Field(
        default=None,
        description="URL of the copy: s3://bucket/prefix, gs://..., abfss://..., file:///...; credentials come from "
        "the environment (docs/export.md).",
    )

    @field_validator("to")
    @classmethod
    def _without_secret(cls, to: str | None) -> str | None:
        return None if to is None else checked(to)
