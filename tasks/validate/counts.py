"""How many valid interactions each user and each item has, and when they were.

A night keeps its counts. The next one takes them, less the rows of the parts that went, with those of the parts that
came: so it reads the rows of these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.duckdb import read_files, read_parquet

COUNTED = ("user", "item")


@dataclass(frozen=True)
class Earlier:
    """The counts of an earlier night, in the files of a folder, and what has changed since.

    Attributes:
        folder: with the file of each of `COUNTED`.
        came: the parts of tonight that it has not.
        went: its parts that tonight has not.
    """

    folder: Path
    came: Sequence[Path]
    went: Sequence[Path]


def count(db: duckdb.DuckDBPyConnection, parts: Sequence[Path], earlier: Earlier | None) -> None:
    """Make the tables `by_user` and `by_item` of a database: the `n` rows of each id in the valid parts of a night."""
    for name in COUNTED:
        key = f"{name}_id"
        if earlier is None:
            counted, having = f"SELECT {key}, count(*) AS n FROM {read_files(parts)}", ""
        else:
            sets = [f"SELECT {key}, n FROM {read_parquet(earlier.folder / file_of(name))}"]
            sets += [f"SELECT {key}, 1 FROM {read_files(earlier.came)}"] if earlier.came else []
            sets += [f"SELECT {key}, -1 FROM {read_files(earlier.went)}"] if earlier.went else []
            counted, having = f"SELECT {key}, CAST(sum(n) AS BIGINT) AS n FROM ({' UNION ALL '.join(sets)})", "n > 0"
        db.execute(f"CREATE TEMP TABLE by_{name} AS {counted} GROUP BY {key} {having and f'HAVING {having}'}")


def counts(db: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """The counts that `count` has made, by the names of the files that keep them; by id, whatever the threads did."""
    return {file_of(name): db.sql(f"FROM by_{name} ORDER BY {name}_id").to_arrow_table() for name in COUNTED}


def file_of(name: str) -> str:
    """The file that keeps the counts of users, or of items."""
    return f"by_{name}.parquet"


def write(kept: Mapping[str, pa.Table], folder: Path) -> None:
    """Keep counts in a folder."""
    for file, table in kept.items():
        pq.write_table(table, folder / file, use_dictionary=["n"])


@dataclass(frozen=True)
class Spread:
    """When the rows of some parts were, from first to last, and how many of them have a rating, as their files say."""

    oldest: datetime | None = None
    newest: datetime | None = None
    ratings: int = 0


def spread(parts: Sequence[Path]) -> Spread:
    """Of all rows of some valid parts; their timestamps are there."""
    times, ratings = list[datetime](), 0
    for part in parts:
        about = pq.read_metadata(part)
        place = {name: number for number, name in enumerate(about.schema.names)}
        for number in range(about.num_row_groups):
            group = about.row_group(number)
            of_times = group.column(place["timestamp"]).statistics
            if of_times is None or not of_times.has_min_max:  # no rows
                continue
            times += [of_times.min, of_times.max]
            if "rating" in place:
                ratings += group.num_rows - group.column(place["rating"]).statistics.null_count
    return Spread(min(times), max(times), ratings) if times else Spread()
