"""The single events of the pairs that are trained on, for models that look at who comes back, how often and when."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.events import Events
from recmodels.data.pairs import Pairs
from recmodels.errors import ConfigError
from recmodels.knn.intervals import resting_pairs
from recmodels.messages import short
from tasks.features.tables import write_numbers
from tasks.store.duckdb import connect, literal, read_parquet, read_parts


def write_events(path: Path, prepared: Path, valid: Path, pairs: Pairs, kinds: list[str], due_after: float) -> int:
    """Write `user_index`, `item_index` and `timestamp`, a row an event, by user, time and item; how many there are.

    An event is one of a pair of positive weight of the split, no later than the pair's last one there, so that nothing
    that is held out is among them. One that was logged twice is there once. Beside it stands what is not due
    yet by them.

    Args:
        path: the file.
        prepared, valid: the folders of these tables.
        pairs: of the split.
        kinds: the events that count, by name; all if there are none.
        due_after: the share of an interval that must have passed.

    Raises:
        ConfigError: kinds are given, and the interactions name no events, or none of these.
    """
    columns = pairs.columns(["user_index", "item_index", "timestamp", "weight"])
    trained = columns.pop("weight") > 0
    known = pa.table({name: column[trained] for name, column in columns.items()})
    with connect(path.parent) as db:
        db.register("known", known)
        log = read_parts(valid, "interactions")
        if kinds and "event" not in db.sql(f"FROM {log} LIMIT 0").columns:
            raise ConfigError("features.event_kinds: the interactions have no column event; leave the setting out.")
        wanted = f"AND log.event IN ({', '.join(map(literal, kinds))})" if kinds else ""
        found = db.sql(
            f"SELECT DISTINCT user_index, item_index, epoch_us(log.timestamp) AS timestamp {of_known(log, prepared)} "
            f"WHERE epoch_us(log.timestamp) <= known.timestamp {wanted} "
            "ORDER BY user_index, timestamp, item_index"
        ).to_arrow_table()
        if kinds and not found.num_rows:
            _refuse_unknown(db, log, kinds)
    events = Events(*(found[name].to_numpy() for name in found.column_names))
    excluded = columns["user_index"][~trained], columns["item_index"][~trained]
    shape = tuple(pq.read_metadata(prepared / name).num_rows for name in (layout.USERS, layout.ITEMS))
    rests = resting_pairs(events, pairs.end, excluded, shape, due_after)
    layout.write_resting(path.with_name(layout.RESTING), rests, due_after)
    times = found["timestamp"].cast(pa.timestamp("us", "UTC"))
    table = found.set_column(2, "timestamp", times).replace_schema_metadata({layout.SPLIT_END: str(pairs.end)})
    write_numbers(table, path)
    return int(pq.read_metadata(path).num_rows)


def _refuse_unknown(db: duckdb.DuckDBPyConnection, log: str, kinds: list[str]) -> None:
    """Raise ConfigError where no row of a log has one of the kinds: all models of repeats would learn of nothing."""
    named = db.sql(f"SELECT DISTINCT event FROM {log} WHERE event IS NOT NULL ORDER BY event").fetchall()
    there = [event for (event,) in named]
    if there and not set(there) & set(kinds):
        some = ", ".join(short(repr(event)) for event in there[:5])
        asked = ", ".join(short(repr(kind)) for kind in kinds[:3])
        raise ConfigError(f"features.event_kinds: no interaction has the event {asked}; there are {some}.")


def of_known(log: str, prepared: Path) -> str:
    """The rows of a log of those pairs that are registered as `known`, with their indices, as a part of a query."""
    return (
        f"FROM {log} log "
        f"JOIN {read_parquet(prepared / layout.USERS)} users USING (user_id) "
        f"JOIN {read_parquet(prepared / layout.ITEMS)} items USING (item_id) "
        "JOIN known USING (user_index, item_index)"
    )
