"""Days of the demo site, one after the other: each is what the site's users did with the lists that they were shown.

A day is a pure function of the site, the days before it, and the lists: nothing is kept but the tables themselves.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Longs
from recmodels.demo.behaviour import CART, EVENTS, PURCHASE_OF_CART
from recmodels.demo.catalogue import make_audience, make_catalogue
from recmodels.demo.files import write_tables
from recmodels.demo.reaction import NOTHING, Reaction, Truth, react
from recmodels.demo.site import MADE_FROM, Site, streams_of
from recmodels.errors import ConfigError

_TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Written:
    """What `write_day` wrote: the files of the day, and how much of what is in them."""

    interactions: Path
    exposures: Path
    visitors: int
    seen: int
    clicks: int
    rows: int


def site_of(folder: Path) -> Site:
    """What the tables in `folder` were made from.

    Raises:
        ConfigError: they were not written by `write_site` as Parquet.
    """
    path = folder / "users.parquet"
    try:
        made_from = (pq.read_schema(path).metadata or {})[MADE_FROM]
        return Site(**json.loads(made_from))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        raise ConfigError(
            f"{path} is no table of a demo site in Parquet: write one with `nightrec demo {folder}`, and leave its "
            "files as they are."
        ) from None


def truth_on(folder: Path, day: date) -> Truth:
    """What users like on the morning of a day: as at first, and after the days in `folder` before it."""
    site = site_of(folder)
    streams = streams_of(site.seed)
    catalogue = make_catalogue(site.items, site.calendar, streams[0])
    audience = make_audience(site.users, site.calendar, catalogue, streams[1])
    truth = Truth.at_first(catalogue, audience, np.random.default_rng([site.seed, 0]))
    for before in _days(folder):
        if before < day:
            interactions, exposures = (_read(path, site) for path in _paths(folder, before))
            looks = interactions.filter(pc.equal(interactions["event"], "view"))
            truth.learn(user_index(truth, looks["user_id"]), item_index(truth, looks["item_id"]))
            visitor, row = np.unique(user_index(truth, exposures["user_id"]), return_inverse=True)
            clicks = np.bincount(row, exposures["clicked"].to_numpy(), visitor.size)
            truth.please(visitor, clicks > 0)
    return truth


def write_day(folder: Path, day: date, export_id: str, topk: pa.Table) -> Written:
    """Write what the users of the site in `folder` do on a day on which they are shown the lists `topk`.

    Two files come beside the site's tables: `interactions-<day>.parquet`, with the columns of the interactions, and
    `exposures-<day>.parquet`: user_id, item_id, rank, timestamp, export_id and clicked, a row for each place that was
    seen. The same lists after the same days give the same bytes; a day that is there is replaced.

    Args:
        folder: of a site that `write_site` wrote as Parquet.
        day: not before the site's last one.
        export_id: of the lists.
        topk: their user_id, item_id and rank.

    Raises:
        ConfigError: the folder holds no such site, the lists are of other users, or the day is one of its first ones.
    """
    site = site_of(folder)
    if day < site.calendar.end:
        raise ConfigError(
            f"The demo site in {folder} has its days until {site.calendar.end} already: the lists of {day} come too "
            "late to change them. Run a later night, or write the site anew with --until."
        )
    truth = truth_on(folder, day)
    rng = np.random.default_rng([site.seed, 1, day.toordinal()])
    done = react(truth, lists_of(truth, topk, folder), rng)
    midnight = int(np.datetime64(day, "us").astype(np.int64))
    tables = {
        "interactions": _interactions(truth, done, midnight, rng),
        "exposures": _exposures(truth, done, midnight, export_id),
    }
    files = dict(zip(tables, _paths(folder, day), strict=True))
    of_this_site = {name: iter([table.replace_schema_metadata(site.metadata)]) for name, table in tables.items()}
    try:
        rows = write_tables(files, of_this_site, "parquet")
    except OSError as error:
        raise ConfigError(f"Cannot write the day into {folder}: {error.strerror or error}.") from error
    return Written(
        **files,
        visitors=done.visitors.size,
        seen=rows["exposures"],
        clicks=int(done.clicked.sum()),
        rows=rows["interactions"],
    )


def lists_of(truth: Truth, topk: pa.Table, folder: Path) -> Longs:
    """Published lists under the generator's own indices: [n_users, k], -1 in empty places."""
    user, item = user_index(truth, topk["user_id"]), item_index(truth, topk["item_id"])
    if topk.num_rows and not ((user >= 0) & (item >= 0)).any():
        raise ConfigError(
            f"The lists are not of the demo site in {folder}: they have none of its users. Name the store of its "
            "nights; user ids must not be hashed there."
        )
    rank = topk["rank"].to_numpy().astype(np.int64)
    lists = np.full((truth.mood.size, int(rank.max(initial=1))), NOTHING, np.int64)
    there = (user >= 0) & (item >= 0)
    lists[user[there], rank[there] - 1] = item[there]
    return lists


def user_index(truth: Truth, ids: pa.ChunkedArray) -> Longs:
    """The generator's index of each user id, -1 for others."""
    return _index(ids, truth.audience.table["user_id"])


def item_index(truth: Truth, ids: pa.ChunkedArray) -> Longs:
    """The generator's index of each item id, -1 for others."""
    return _index(ids, pa.chunked_array([truth.catalogue.item_id]))


def _index(ids: pa.ChunkedArray, known: pa.ChunkedArray) -> Longs:
    if pa.types.is_integer(ids.type) != pa.types.is_integer(known.type):
        return np.full(len(ids), NOTHING, np.int64)
    found: Longs = pc.fill_null(pc.index_in(ids.cast(known.type), known), NOTHING).to_numpy().astype(np.int64)
    return found


def _interactions(truth: Truth, done: Reaction, midnight: int, rng: np.random.Generator) -> pa.Table:
    """The looks, and after some of them a cart and a purchase, in order of time."""
    chance = rng.random(done.user.size)
    depth = 1 + (chance < CART).astype(np.int64) + (chance < CART * PURCHASE_OF_CART)
    look = np.repeat(np.arange(depth.size), depth)
    event = np.arange(look.size) - (np.cumsum(depth) - depth)[look]
    seconds = done.seconds[look] + 15 * event
    order = np.argsort(seconds, kind="stable")
    look = look[order]
    return pa.table(
        {
            "user_id": truth.audience.table["user_id"].combine_chunks().take(done.user[look]),
            "item_id": truth.catalogue.item_id[done.item[look]],
            "timestamp": pa.array(midnight + seconds[order] * 1_000_000, _TIMESTAMP),
            "event": pa.array(EVENTS).take(event[order]),
        }
    )


def _exposures(truth: Truth, done: Reaction, midnight: int, export_id: str) -> pa.Table:
    return pa.table(
        {
            "user_id": truth.audience.table["user_id"].combine_chunks().take(done.seen_user),
            "item_id": truth.catalogue.item_id[done.seen_item],
            "rank": pa.array(done.seen_rank, pa.int16()),
            "timestamp": pa.array(midnight + done.seen_seconds * 1_000_000, _TIMESTAMP),
            "export_id": pa.repeat(export_id, done.seen_user.size),
            "clicked": done.clicked,
        }
    )


def _days(folder: Path) -> list[date]:
    """The days that were written so far, in order."""
    names = [path.stem.removeprefix("exposures-") for path in folder.glob("exposures-????-??-??.parquet")]
    return sorted(date.fromisoformat(name) for name in names)


def _read(path: Path, site: Site) -> pa.Table:
    """The table of an earlier day of the site."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        table = None
    if table is None or table.schema.metadata != site.metadata:
        raise ConfigError(
            f"{path} is damaged, or of another demo site than the one in its folder: remove the days that it has "
            "there (`interactions-*.parquet` and `exposures-*.parquet`), and let them happen again."
        )
    return table


def _paths(folder: Path, day: date) -> tuple[Path, Path]:
    return folder / f"interactions-{day}.parquet", folder / f"exposures-{day}.parquet"
