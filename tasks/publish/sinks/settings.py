"""The settings of the sinks: where the lists go besides the export. Addresses with passwords are in the environment."""

import os
from collections.abc import Collection
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recmodels.errors import ConfigError
from recmodels.published.addresses import checked
from tasks.publish.sinks.sink import Sink, own_sink
from tasks.store.files import Json


class DeltaSettings(BaseModel):
    """Delta Lake: a table each of `topk`, `similar` and `popular`, with a partition a night."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="Folder or URL of the tables; credentials come from the environment.")
    nights: int | None = Field(default=30, ge=1, description="How many nights are kept in them.")

    @field_validator("path")
    @classmethod
    def without_password(cls, path: str) -> str:
        return checked(path)


TABLE = r"^([a-z_][a-z0-9_]{0,39}\.)?[a-z_][a-z0-9_]{0,39}$"
Metric = Literal["inner_product", "cosine"]


class PgvectorSettings(BaseModel):
    """PostgreSQL with pgvector: the published vectors of the items, and of the users, with indices for searches."""

    model_config = ConfigDict(extra="forbid")

    dsn_env: str = Field(description="Environment variable with the address: postgresql://user:password@host/database.")
    table: str = Field(
        default="item_vectors",
        pattern=TABLE,
        description="The table of the items' vectors, as name or schema.name; with <table>_users.",
    )
    users: bool = Field(default=False, description="Whether the users' vectors are loaded, too.")
    metrics: list[Metric] = Field(
        default=["inner_product", "cosine"],
        description="What items are searched by, an index each: inner_product (for a user), cosine (for an item).",
    )
    half: bool = Field(default=False, description="Whether numbers have 16 bits (halfvec), for half of the room.")


class PostgresSettings(BaseModel):
    """PostgreSQL: the current lists in one table, similar and popular items in two more."""

    model_config = ConfigDict(extra="forbid")

    dsn_env: str = Field(description="Environment variable with the address: postgresql://user:password@host/database.")
    table: str = Field(
        default="recommendations",
        pattern=TABLE,
        description="The table of the lists, as name or schema.name; with <table>_similar and <table>_popular.",
    )


class QdrantSettings(BaseModel):
    """Qdrant: the published vectors of the items, and of the users, in a collection each that an alias points to."""

    model_config = ConfigDict(extra="forbid")

    url_env: str = Field(description="Environment variable with the address: http://host:6333, or https://...")
    api_key_env: str | None = Field(default=None, description="Environment variable with the API key, if it takes one.")
    collection: str = Field(
        default="items",
        pattern=r"^[A-Za-z0-9_-]{1,80}$",
        description="The alias that searches name as their collection; with <collection>_users.",
    )
    users: bool = Field(default=False, description="Whether the users' vectors are loaded, too.")
    metrics: list[Metric] = Field(
        default=["inner_product", "cosine"],
        min_length=1,
        description="What items are searched by, a named vector each: inner_product (for a user), cosine (for an "
        "item).",
    )
    columns: list[str] | None = Field(
        default=None,
        description="Columns of the items' table that points carry, besides item_id, available and model; by default "
        "title, categories and tags.",
    )


class RedisSettings(BaseModel):
    """Redis: a key a user, an item, and a list of popular items."""

    model_config = ConfigDict(extra="forbid")

    url_env: str = Field(description="Environment variable with the address: redis://:password@host:6379/0.")
    prefix: str = Field(default="nightrec", pattern=r"^[A-Za-z0-9_.:-]+$", description="Prefix of all keys.")
    expire_hours: float = Field(default=168, gt=0, description="Keys expire this many hours after they are loaded.")


BuiltIn = DeltaSettings | PgvectorSettings | PostgresSettings | QdrantSettings | RedisSettings


class SinkSettings(BaseModel):
    """Databases that are loaded with the current lists after each night; none by default (docs/export.md).

    Any other table is a sink of your own (docs/how-to/own-sink.md).
    """

    model_config = ConfigDict(extra="allow")  # any other table is a sink of the site's own, see `Sink`
    __pydantic_extra__: dict[str, Any]

    delta: DeltaSettings | None = Field(default=None, description="Delta Lake: a table with path and nights.")
    pgvector: PgvectorSettings | None = Field(
        default=None, description="pgvector: a table with dsn_env, table, users, metrics and half."
    )
    postgres: PostgresSettings | None = Field(default=None, description="PostgreSQL: a table with dsn_env and table.")
    qdrant: QdrantSettings | None = Field(
        default=None, description="Qdrant: a table with url_env, api_key_env, collection, users, metrics and columns."
    )
    redis: RedisSettings | None = Field(
        default=None, description="Redis: a table with url_env, prefix and expire_hours."
    )

    @model_validator(mode="after")
    def _own_sinks(self) -> Self:
        for name, content in self.__pydantic_extra__.items():
            self.__pydantic_extra__[name] = own_sink(name, content, list(SinkSettings.model_fields))
        return self

    def configured(self) -> dict[str, BuiltIn | Sink]:
        """The sinks by name: the built-in ones, then the site's own."""
        found: dict[str, BuiltIn | None] = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: one for name, one in (found | self.__pydantic_extra__).items() if one is not None}

    def only(self, names: Collection[str]) -> Self:
        """These settings with the named sinks alone."""
        content = {name: one.model_dump() for name, one in self.configured().items() if name in names}
        return type(self).model_validate(content)


def address(variable: str) -> str:
    """What the environment holds for an address. Raises ConfigError where it holds nothing."""
    if not (value := os.environ.get(variable)):
        raise ConfigError(f"The environment variable {variable}, which is to hold the address, is not set here.")
    return value


def failures(record: Json) -> list[str]:
    """Why sinks were not loaded in a night: a sentence each."""
    return [one["failed"] for one in record.get("sinks", {}).values() if "failed" in one]
