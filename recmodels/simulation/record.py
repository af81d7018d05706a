"""The figures of a simulation as files: of each night as it ends, and of all nights of a policy in two tables.

`nights.parquet` has a row a night of each run, with a column a figure; `users.parquet` a row a user and night. Until
all nights are over, those of each are in a folder of the run: a night that is simulated again, as the simulation was
cut short after it, takes the place of what it had left.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Doubles
from recmodels.simulation.recorded import NIGHT, NIGHTS, RUN, USER, USERS

FIT = "fit.json"
"""How like a site the simulated users are, in the folder of a policy."""
TEMPORARY = ".tmp-"
N_USERS = b"n_users"
"""Schema metadata of the nights: how many users take part."""


@dataclass(frozen=True)
class Record:
    """What the nights of one run have left so far.

    Attributes:
        folder: of the run.
        run: its number, from 0.
    """

    folder: Path
    run: int

    def add(self, night: int, figures: dict[str, float], by_user: dict[str, Doubles]) -> None:
        """Keep the figures of a night: those of everybody by name, and of each user, NaN where a user has none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        known = ~np.logical_and.reduce([np.isnan(values) for values in by_user.values()])
        user = np.flatnonzero(known).astype(np.int32)
        columns = {name: values[user].astype(np.float32) for name, values in by_user.items()}
        number = {RUN: np.full(len(user), self.run, np.int32), NIGHT: np.full(len(user), night, np.int32), USER: user}
        with _written(self._users(night)) as unfinished:
            pq.write_table(pa.table({**number, **columns}), unfinished, compression="zstd")
        with _written(self._figures(night)) as unfinished:  # last: it tells that the night is over
            unfinished.write_text(json.dumps(figures))

    def nights(self) -> int:
        """How many nights there are, from the first on without a gap."""
        night = 0
        while self._figures(night).is_file():
            night += 1
        return night

    def _figures(self, night: int) -> Path:
        return self.folder / f"night-{night:05d}.json"

    def _users(self, night: int) -> Path:
        return self.folder / f"users-{night:05d}.parquet"


def collect(folder: Path, records: list[Record], nights: int, n_users: int) -> None:
    """Put all nights of all runs of a policy into the two tables in its folder, that of the users first.

    Memory holds one night at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [(record, night) for record in records for night in range(nights)]
    with _written(folder / USERS) as unfinished:
        schema = pq.read_schema(parts[0][0]._users(0))
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for record, night in parts:
                writer.write_table(pq.read_table(record._users(night)))
    rows = [
        {RUN: record.run, NIGHT: night, **json.loads(record._figures(night).read_text())} for record, night in parts
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    columns |= {name: columns[name].astype(np.int32) for name in (RUN, NIGHT)}
    with _written(folder / NIGHTS) as unfinished:
        pq.write_table(pa.table(columns).replace_schema_metadata({N_USERS: str(n_users)}), unfinished)


def is_collected(folder: Path) -> bool:
    """Whether a policy's folder has all of its nights."""
    return (folder / NIGHTS).is_file() and (folder / USERS).is_file()


def n_users_of(folder: Path) -> int:
    """How many users take part, by the table of the nights."""
    metadata = pq.read_schema(folder / NIGHTS).metadata or {}
    return int(metadata[N_USERS])


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file to be written, which takes the place of `path` when the block ends well."""
    unfinished = path.with_name(f"{TEMPORARY}{path.name}")
    yield unfinished
    unfinished.replace(path)
