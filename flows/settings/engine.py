"""Which engine works on the buckets that stages divide their data into."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from recmodels.engine.choice import CLUSTERS, EngineChoice, Kind
from recmodels.published.addresses import checked

_PLACE = r"(?:\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}"
ADDRESSES = {
    "ray": (re.compile(rf"auto|(?:ray://)?{_PLACE}"), "10.0.0.5:6379, ray://head:10001, or auto"),
    "dask": (re.compile(rf"(?:(?:tcp|tls|ws|wss)://)?{_PLACE}"), "tcp://10.0.0.5:8786"),
}
"""By the kind of cluster: what its addresses look like, and examples."""


class EngineSettings(BaseModel):
    """What works on the buckets that stages divide their data into: this machine, or a cluster of Ray or Dask."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = Field(
        default=None,
        description="local: this machine, bucket by bucket; ray: a cluster of Ray; dask: one of Dask (experimental). "
        "Without it each stage works on this machine in the way that is the fastest there.",
    )
    address: str | None = Field(
        default=None,
        description="Of the cluster, such as 10.0.0.5:6379, or auto for the one that this machine is a node of. "
        "Without it (and without RAY_ADDRESS or DASK_SCHEDULER_ADDRESS in the environment) one of this machine's "
        "cores is started for the night.",
    )
    exchange: str | None = Field(
        default=None,
        description="Where machines without a common disk find each other's files: s3://bucket/prefix, gs://..., or "
        "a folder that all of them see; credentials come from the environment. Not needed where all of them see the "
        "store under the same path.",
    )
    cores: int | None = Field(
        default=None,
        ge=1,
        description="How many of this machine's are worked with, where it is this machine that works; all by default.",
    )
    fallback: Literal["local"] | None = Field(
        default=None,
        description="What works where the cluster cannot be reached as the night begins: local, with a warning. The "
        "night fails by default.",
    )

    @field_validator("address", "exchange", "fallback")
    @classmethod
    def of_a_cluster(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("kind") not in CLUSTERS:
            raise ValueError('it is of a cluster: set engine.kind to "ray" as well, or leave it out')
        return value if value is None else checked(value)

    @field_validator("address")
    @classmethod
    def address_of_its_kind(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address is None:
            return None
        pattern, example = ADDRESSES[info.data["kind"]]
        if not pattern.fullmatch(address):
            raise ValueError(f"it is no address of {info.data['kind']}, which look like {example}")
        return address

    @field_validator("cores")
    @classmethod
    def cores_of_this_machine(cls, cores: int | None, info: ValidationInfo) -> int | None:
        if cores is not None and info.data.get("kind") is None:
            raise ValueError('they are of an engine: set engine.kind to "local" as well, or leave them out')
        if cores is not None and info.data.get("address"):
            raise ValueError(
                f"they are of this machine, and the cluster {info.data['address']} has its own: leave them out"
            )
        return cores

    def of_kind(self, kind: str) -> "EngineSettings":
        """These settings where it is their kind, or those of another kind by default; `none` is no engine."""
        if kind == (self.kind or "none"):
            return self
        return EngineSettings.model_validate({"kind": None if kind == "none" else kind})

    @property
    def choice(self) -> EngineChoice | None:
        """What is asked for; None where nothing is."""
        if self.kind is None:
            return None
        return EngineChoice(self.kind, self.address, self.exchange, self.cores)
