"""What a night may take of the store's disk."""

from pydantic import BaseModel, ConfigDict, Field


class DiskSettings(BaseModel):
    """The room that a night needs on the store's disk, estimated before it starts from what the last ones took."""

    model_config = ConfigDict(extra="forbid")

    check: bool = Field(default=True, description="Whether a night is refused at its start if its disk would run full.")
    keep_free_gb: float = Field(default=0.0, ge=0, description="Gigabytes that a night has to leave free.")
