"""The lists of a candidate: whose they are, what they may hold, and the Parquet files that they are written to."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.base import Recommender
from recmodels.candidate_spec import ListsSpec
from recmodels.data.arrays import Bools, Ints, Truth
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.layout import HOLDOUT, ITEMS, PREPARED
from recmodels.data.parquet import Array, arrow_table, read_columns
from recmodels.errors import ConfigError
from recmodels.exposure_prices import with_prices
from recmodels.fallback import Lists, serve
from recmodels.ranking.rerank import Rules

LISTS, PLAIN = "lists.parquet", "plain.parquet"  # as they are shown; as they would be without rules
LIST_POSITIONS = 2**18  # of lists that are made and written at a time: some 15 MB
SCHEMA = pa.schema(
    [
        ("user_index", pa.int32()),
        ("rank", pa.int16()),  # from 1
        ("item_index", pa.int32()),
        ("score", pa.float32()),
        ("cold", pa.bool_()),  # whether the fallback supplied the item
    ]
)


def write_lists(
    lists: ListsSpec,
    model: Recommender,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    allowed: Bools,
    domains: Domains | None = None,
) -> None:
    """Lists by batches of users, in their order, so that memory does not grow with the number of users."""
    step = step_of(lists)
    rules = rules_of(lists, model, fallback, data, users, allowed)
    for name, kind in list_files(rules, allowed, domains).items():
        batches = (users[start : start + step] for start in range(0, len(users), step))
        served = (lists_of(lists, model, fallback, data, batch, kind) for batch in batches)
        write_tables(lists.out / name, map(table_of, served))


def step_of(lists: ListsSpec) -> int:
    """How many users' lists are made at a time."""
    return max(1, LIST_POSITIONS // lists.k)


def rules_of(
    lists: ListsSpec, model: Recommender, fallback: Recommender, data: Dataset, users: Ints, allowed: Bools
) -> Rules | None:
    """The rules of lists, with the prices that keep their bounds over those of all `users`; None without rules."""
    if lists.rules is None:
        return None
    return with_prices(
        Rules.load(lists.rules), model, fallback, data, users, lists.k,
        allowed=allowed, repeats=lists.repeats, min_history=lists.min_history,
    )  # fmt: skip


class Kind(NamedTuple):
    """What lists of one file may hold, and by which rules."""

    allowed: Bools  # [n_items]
    rules: Rules | None


def list_files(rules: Rules | None, allowed: Bools, domains: Domains | None) -> dict[str, Kind]:
    """The files that lists are written to: as they are shown, without rules, and of each domain alone."""
    kinds = {LISTS: Kind(allowed, rules)} | ({} if rules is None else {PLAIN: Kind(allowed, None)})
    if domains is None:
        return kinds
    for name in domains.names:
        among = domains.items(name)
        kinds[domains.file(name)] = Kind(allowed & among, None if rules is None else rules.within(among))
    return kinds


def domains_of(lists: ListsSpec, features: Path) -> Domains | None:
    """The domains of which there are lists."""
    return Domains.read(features / PREPARED) if lists.by_domain else None


def lists_of(
    lists: ListsSpec,
    model: Recommender,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    kind: Kind,
) -> Lists:
    """The lists of some users."""
    return serve(
        model, fallback, data, users, lists.k,
        allowed=kind.allowed, repeats=lists.repeats, min_history=lists.min_history, rules=kind.rules,
    )  # fmt: skip


def table_of(served: Lists) -> pa.Table:
    """A row a place of a list, as `SCHEMA` says."""
    row, place = np.nonzero(served.items >= 0)
    columns: dict[str, Array] = {
        "user_index": served.users[row],
        "rank": (place + 1).astype(np.int16),
        "item_index": served.items[row, place],
        "score": served.scores[row, place],
        "cold": served.cold[row, place],
    }
    return arrow_table(columns, SCHEMA)


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables into one file, one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def users_of(features: Path, lists: ListsSpec | None, data: Dataset) -> Ints:
    """The users that lists are made for."""
    if lists is None:
        return np.empty(0, np.int32)
    if lists.users == "all":
        return np.arange(data.n_users, dtype=np.int32)
    if lists.users == "holdout":
        return np.unique(read_columns(features / PREPARED / HOLDOUT, ["user_index"])["user_index"])
    raise ConfigError(f"Lists for {lists.users!r}: there are lists for 'holdout' and for 'all' users.")


def allowed_items(features: Path, lists: ListsSpec) -> Bools:
    """Which items may be listed: bool [n_items]."""
    available: Bools = read_columns(features / PREPARED / ITEMS, ["available"])["available"]
    return np.ones_like(available) if lists.unavailable else available


def read_lists(toplists: Path, users: Ints, k: int, file: str = LISTS, *, own: bool = False) -> Ints:
    """The items of each user's list, -1 where it ends early: int32 [n_users, k]. `users` ascend.

    `own`: without those that the fallback supplied, which are its last ones.
    """
    listed = read_columns(toplists / file, ["user_index", "rank", "item_index", *(["cold"] if own else [])])
    if own:
        listed = {name: column[~listed["cold"]] for name, column in listed.items()}
    items = np.full((len(users), k), -1, np.int32)
    row = np.searchsorted(users, listed["user_index"])
    rank = listed["rank"] - 1
    within = rank < k
    items[row[within], rank[within]] = listed["item_index"][within]
    return items


def read_truth(prepared: Path) -> tuple[Ints, Truth]:
    """The users of the holdout, ascending [n], and what they did in it: bool [n, n_items]."""
    holdout = read_columns(prepared / HOLDOUT, ["user_index", "item_index"])
    users, row = np.unique(holdout["user_index"], return_inverse=True)
    n_items = pq.read_metadata(prepared / ITEMS).num_rows
    pairs = (row, holdout["item_index"])
    return users, sparse.csr_array((np.ones(len(row), np.bool_), pairs), shape=(len(users), n_items))
