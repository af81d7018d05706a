"""Where a site's tables are and how they are written: the models of the configuration."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from tasks.ingest.reading import addresses, headers, time_formats, zones
from tasks.ingest.reading.delimiters import as_meant
from tasks.ingest.reading.our_columns import DOMAIN, IN_DOMAINS

Format = Literal["csv", "jsonl", "parquet"]
TimestampUnit = Literal["auto", "s", "ms", "us", "ns"]
DOMAIN_NAME = r"[\w-]{1,40}"
_NOT_OF_FILES = ("idna", "punycode", "utf-7", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem")


class TableInput(BaseModel):
    """One table of the site: its files, and how to read them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        default="",
        description="A file, a folder of data files, a glob such as 'log/2024-*.csv.gz', the same on an object store "
        "('s3://bucket/log/'), or the address of a database, such as 'postgresql://host/shop'.",
    )
    domains: dict[str, str] = Field(
        default_factory=dict,
        description="In place of a path, of a site with several domains: the path of each, such as { films = 'films/', "
        "books = 'books.csv' }; all are read with these settings.",
    )
    table: str | None = Field(
        default=None, min_length=1, description="Of a database: the table, such as 'events' or 'shop.events'."
    )
    query: str | None = Field(
        default=None, min_length=1, description="Of a database, in place of a table: the SELECT whose rows are read."
    )
    watermark: str | None = Field(
        default=None,
        min_length=1,
        description="Of a table that grows in a database: its column with the time at which a row was written; only "
        "rows since the last night are read.",
    )
    overlap_hours: float = Field(
        default=1.0, ge=0, description="How far before the newest watermark of the last night rows are read once more."
    )
    as_of: int | None = Field(
        default=None,
        ge=0,
        description="Of a Delta table the version, of an Iceberg table the snapshot to read; else the newest.",
    )
    format: Literal["auto", "csv", "jsonl", "parquet"] = Field(
        default="auto",
        description="How the files are written; 'auto' goes by their first bytes and their names.",
    )
    columns: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Our column names and the site's; of several names the first that is there is taken.",
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=4,
        description="Text between two CSV columns, such as ';', 'tab' or '\\x01'; found if not given.",
    )
    header: list[str] | None = Field(
        default=None, min_length=1, description="Column names of CSV files that have no header line."
    )
    quote: str | None = Field(
        default='"', min_length=1, max_length=1, description="The CSV quote; none where quotes are ordinary text."
    )
    escape: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="What stands before a quote inside quoted values: '\\' or the quote itself; found if not given.",
    )
    encoding: str = Field(default="utf-8", description="Text encoding of CSV and JSON files, such as 'latin-1'.")
    explode: bool = Field(
        default=False,
        description="Whether an interaction whose item_id is a list (JSON, Parquet) is one event for each item.",
    )
    missing: list[str] = Field(
        default_factory=list, description="Texts that mean a missing value in any column, such as ['NULL', '-']."
    )
    timestamp_unit: TimestampUnit = Field(
        default="auto", description="Unit of numeric timestamps since 1970; 'auto' goes by their magnitude."
    )
    timestamp_format: str | None = Field(
        default=None,
        description="How timestamps are written where it is not ISO 8601: '%d.%m.%Y %H:%M', with strptime's letters.",
    )
    timezone: str = Field(default="UTC", description="Time zone of timestamps that name none, such as 'Europe/Paris'.")
    _versions: dict[str, int | None] = PrivateAttr(default_factory=dict)
    """`as_of` of domains whose versions have been settled: no other is one for all."""

    @model_validator(mode="before")
    @classmethod
    def _from_the_address(cls, given: Any) -> Any:
        """What the address of a database says of its table becomes settings."""
        path = given.get("path") if isinstance(given, dict) else None
        if not isinstance(path, str) or not addresses.is_remote(path):
            return given
        addresses.refuse_secret(path)
        if not addresses.is_database(path):
            return given
        place, said = addresses.split(path)
        if twice := next((key for key in said if given.get(key) not in (None, said[key])), None):
            raise ValueError(f"'{twice}' is in the address and beside it; leave one of them out")
        return given | said | {"path": place}

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.domains and self.path:
            raise ValueError("there is a path and there are domains; leave one of them out")
        if self.domains and DOMAIN in self.columns:
            raise ValueError("a column names the domain, and there are paths of domains; leave one of them out")
        if not self.domains and "path" not in self.model_fields_set:
            raise ValueError("there is no path; give one")
        if wrong := next((name for name in self.domains if not re.fullmatch(DOMAIN_NAME, name)), None):
            raise ValueError(f"{wrong[:40]!r} is no name of a domain: use letters, digits, _ and -")
        if len({*self.domains.values()}) < len(self.domains):
            raise ValueError("two domains have the same path; give each its own")
        for name in self.domains:
            self.of_domain(name)
        return self

    def of_domain(self, name: str) -> TableInput:
        """What a domain has of the table, as a table of its own."""
        given = {key: getattr(self, key) for key in self.model_fields_set if key != "domains"}
        if name in self._versions:
            given["as_of"] = self._versions[name]
        return TableInput(**given | {"path": self.domains[name]})

    def read_into(self, files: Mapping[str, TableInput]) -> TableInput:
        """The same table, of which the files of some domains have been read, or their versions settled."""
        paths = self.domains | {name: one.path for name, one in files.items()}
        found = self.model_copy(update={"domains": paths, **dict.fromkeys(addresses.OWN)})
        found._versions = {name: one.as_of for name, one in files.items()}
        return found

    def by_domain(self) -> dict[str, TableInput]:
        """What each domain has of the table, as a table of its own; the table itself, where it has none."""
        return {name: self.of_domain(name) for name in self.domains} or {"": self}

    @property
    def place(self) -> str:
        """Where it is, for people; of a site with domains where each has its own."""
        return self.path or ", ".join(self.domains.values())

    @property
    def has_domain(self) -> bool:
        """Whether it says of each row which domain it is of."""
        return bool(self.domains) or DOMAIN in self.columns

    @model_validator(mode="after")
    def _of_a_database(self) -> Self:
        if self.domains:
            return self  # each has been asked
        if addresses.is_database(self.path):
            if (self.table is None) == (self.query is None):
                raise ValueError("a database needs a table or a query: add ?table=NAME to its address, or set one")
        elif given := next((name for name in addresses.OWN if getattr(self, name) is not None), None):
            raise ValueError(f"'{given}' is for databases, and the path is none, such as postgresql://host/shop")
        return self

    @field_validator("delimiter", "quote", "escape", mode="before")
    @classmethod
    def _as_meant(cls, text: object) -> object:
        return as_meant(text) if isinstance(text, str) else text

    @field_validator("delimiter")
    @classmethod
    def _between_columns(cls, text: str | None) -> str | None:
        if text and (len(text.encode()) > 4 or set(text) & set("\r\n\0")):
            raise ValueError("a delimiter has up to four bytes, and none of them ends a line")
        return text

    @field_validator("quote", "escape")
    @classmethod
    def _one_byte(cls, text: str | None) -> str | None:
        if text and (not text.isascii() or text in "\r\n\0"):
            raise ValueError("it is one character of ASCII; none where there is none")
        return text

    @field_validator("header")
    @classmethod
    def _distinct(cls, names: list[str] | None) -> list[str] | None:
        if names and (twice := headers.repeated([headers.clean(name) for name in names])):
            raise ValueError(f"the column '{next(iter(twice))}' is named twice")
        return names

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.delimiter and self.quote and self.quote in self.delimiter:
            raise ValueError(f'the delimiter and the quote are both {self.quote}; choose another, or quote = "none"')
        return self

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
            known = codecs.lookup(name).name not in _NOT_OF_FILES
        except (LookupError, ValueError):
            known = False
        if not known:
            raise ValueError(f"unknown encoding '{name}'; for example 'utf-8' or 'latin-1'")
        return name

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if zones.is_zone(name):
            return name
        raise ValueError(
            f"the time zone '{name}' is unknown or has more than one meaning; "
            f"give UTC, or an area and a city such as '{zones.near(name)}'"
        )

    @field_validator("timestamp_format")
    @classmethod
    def _whole_day(cls, pattern: str | None) -> str | None:
        if pattern is not None and (wrong := time_formats.complaint(pattern)):
            raise ValueError(wrong)
        return pattern


class Inputs(BaseModel):
    """The tables of a site; only the interactions are needed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interactions: TableInput = Field(description="Who did what, when: user_id, item_id, timestamp [, rating, event].")
    items: TableInput | None = Field(
        default=None, description="The catalogue: item_id [, title, available, any others]."
    )
    users: TableInput | None = Field(default=None, description="The users: user_id [, opted_out, any others].")
    tags: TableInput | None = Field(default=None, description="Tags given to items: item_id, tag [, timestamp].")
    exposures: TableInput | None = Field(
        default=None,
        description="What was shown to whom: user_id, item_id, rank, timestamp [, export_id, clicked, outcome].",
    )
    item_vectors: TableInput | None = Field(
        default=None,
        description="What an encoder makes of the items' texts, images or sounds, as Parquet: item_id, vector.",
    )
    user_vectors: TableInput | None = Field(
        default=None, description="What is known of the users as numbers, as Parquet: user_id, vector."
    )

    @model_validator(mode="after")
    def _that_grow(self) -> Self:
        for name in ("items", "users", "item_vectors", "user_vectors"):
            if (table := getattr(self, name)) is not None and table.watermark is not None:
                raise ValueError(f"a watermark is for tables that grow; leave that of {name} out, they are read whole")
        return self

    @model_validator(mode="after")
    def _of_the_same_domains(self) -> Self:
        """The same id may be two items, so that each table of items must say which it means."""
        if other := next((name for name, one in self.tables().items() if one.domains and name not in IN_DOMAINS), None):
            raise ValueError(f"{other} have no domains: they are of the whole site; give a path")
        there = {name: one.has_domain for name, one in self.tables().items() if name in IN_DOMAINS}
        if len({*there.values()}) > 1:
            named, lacking = (next(name for name, has in there.items() if has is which) for which in (True, False))
            raise ValueError(
                f"{named} have domains and {lacking} have none: an id could be several items; give {lacking} domains, "
                "too (domains = {…}), or name its column with columns = { domain = … }"
            )
        of_items = set(self.items.domains) if self.items and self.interactions.domains else set()
        if odd := sorted(of_items - {*self.interactions.domains}):
            raise ValueError(f"items have the domain {odd[0]!r} and the interactions have not; name its interactions")
        return self

    @property
    def has_domains(self) -> bool:
        """Whether the site has several catalogues."""
        return self.interactions.has_domain

    def tables(self) -> dict[str, TableInput]:
        """The tables that are given, by name; the interactions first."""
        return {name: table for name in type(self).model_fields if (table := getattr(self, name)) is not None}
