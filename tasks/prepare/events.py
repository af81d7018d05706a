"""The valid interactions as one log of events, its users and items under dense indices."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.compute import memory
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.errors import DataRefused
from tasks.prepare.interactions import Log, Rows, log_order, picked
from tasks.prepare.settings import PrepareSettings
from tasks.store.opted_out import are_among, opted_out_ids
from tasks.store.parts import parts


@dataclass(frozen=True)
class Source:
    """The valid tables that a log is read from."""

    valid: Path

    @cached_property
    def files(self) -> list[Path]:
        """The interactions, in order."""
        return parts(self.valid, "interactions") or [self.valid / "interactions.parquet"]  # which says what is missing

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.unify_schemas([pq.read_schema(file) for file in self.files])

    @property
    def columns(self) -> list[str]:
        return columns_of(self.schema)

    def columns_of(self, schema: pa.Schema) -> list[str]:
        """Those that a part has: columns may begin with a later one."""
        return [name for name in self.columns if name in schema.names]

    @property
    def nothing(self) -> pa.Table:
        """No rows."""
        return _nothing(self.schema, self.columns)

    def read(self, files: Sequence[Path] | None = None) -> pa.Table:
        """All rows at once, or those of some files."""
        return read_events(self.files if files is None else files, self.schema)

    def known(self, kind: str) -> pa.Array:
        """The ids of the table of users (or items)."""
        path = self.valid / f"{kind}s.parquet"
        name = f"{kind}_id"
        return pq.read_table(path, columns=[name])[name].combine_chunks() if path.exists() else pa.array([])

    def opted_out(self) -> pa.Array:
        return opted_out_ids(self.valid / "users.parquet")


def columns_of(schema: pa.Schema) -> list[str]:
    """The columns that a log is read from."""
    return ["user_id", "item_id", "timestamp", *(name for name in ("rating", "event") if name in schema.names)]


def read_events(files: Sequence[Path], schema: pa.Schema, names: Sequence[str] = ()) -> pa.Table:
    """The rows of some files, as those of tables of a schema, whose columns may begin with a later file.

    All columns that a log is read from, if no `names` are given.
    """
    wanted = list(names) or columns_of(schema)
    there = ([name for name in wanted if name in pq.read_schema(file).names] for file in files)
    tables = (pq.read_table(file, columns=columns) for file, columns in zip(files, there, strict=True))
    return pa.concat_tables([_nothing(schema, wanted), *tables], promote_options="default")


def _nothing(schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    return pa.schema([schema.field(name) for name in names]).empty_table()


def read_log(valid: Path, settings: PrepareSettings) -> Log:
    """The events of users that have not opted out, under dense indices for every known user and item."""
    source = Source(valid)
    gone = source.opted_out()
    table = _read_coded(source, gone)
    known_users, known_items = source.known("user"), source.known("item")
    if len(gone):
        known_users = known_users.filter(pc.invert(are_among(known_users, gone)))
    refuse_empty(table.num_rows)
    with ThreadPoolExecutor(2) as threads:
        encoded = threads.map(_dense, (table["user_id"], table["item_id"]), (known_users, known_items))
        (user, user_ids), (item, item_ids) = encoded
    table = table.drop_columns(["user_id", "item_id"])
    columns = dict(vars(as_events(user, item, table, settings)))
    del table, user, item, columns["first"]  # there is one event a row: it is the timestamp
    memory.trim()  # or Arrow keeps what the table took beside all that is made of the log
    order = log_order(columns["user"], columns["timestamp"], len(user_ids))
    for name, column in columns.items():
        columns[name] = None if column is None else picked(column, order)
        del column  # so that there are not two of each
    del order
    memory.trim()
    return Log(Rows(first=columns["timestamp"], **columns), user_ids, item_ids)


def _read_coded(source: Source, gone: pa.Array) -> pa.Table:
    """All rows of users that are not `gone`; texts as codes of dictionaries, as the files have them: decoded, they
    would take most of the memory and of the time.
    """
    texts = [name for name in source.columns if pa.types.is_string(source.schema.field(name).type)]
    schema = source.nothing.schema
    for name in texts:
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.dictionary(pa.int32(), pa.string())))
    read = [schema.empty_table()]
    for file in source.files:
        table = pq.read_table(file, columns=source.columns_of(pq.read_schema(file)), read_dictionary=texts)
        read.append(table.filter(~_coded_among(table["user_id"], gone)) if len(gone) else table)
    return pa.concat_tables(read, promote_options="default")


def _coded_among(user_ids: pa.ChunkedArray, gone: pa.Array) -> Bools:
    """Which of some ids are those of users who have `gone`; each text is looked for once."""
    if not pa.types.is_dictionary(user_ids.type):
        among: Bools = are_among(user_ids, gone).to_numpy()
        return among
    codes = _as_codes(user_ids)
    return picked(are_among(codes.dictionary, gone).to_numpy(zero_copy_only=False), codes.indices.to_numpy())


def _as_codes(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column as codes of one dictionary."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return coded.unify_dictionaries().combine_chunks()


def refuse_empty(n_rows: int) -> None:
    """Raise DataRefused where nobody's interactions remain."""
    if not n_rows:
        raise DataRefused("No interactions remain: every user of the interactions has opted out (users.opted_out).")


def as_events(user: Ints, item: Ints, table: pa.Table, settings: PrepareSettings) -> Rows:
    """The events of a table whose ids are encoded, weighted, in its order."""
    timestamp = table["timestamp"].cast(pa.int64()).to_numpy()
    rating = table["rating"].cast(pa.float32()).to_numpy() if "rating" in table.column_names else None
    weight = _event_weights(table, settings)
    if rating is not None and settings.min_rating is not None:
        weight = np.where(rating < settings.min_rating, np.float32(0), weight)
    return Rows(user, item, timestamp, timestamp, weight, rating)


def _dense(column: pa.ChunkedArray, more: pa.Array) -> tuple[Ints, pa.Array]:
    """Indices into the sorted distinct ids of `column` and `more`, and those ids."""
    if pa.types.is_integer(column.type):
        ids, others = column.to_numpy(), more.cast(pa.int64()).to_numpy()
        low, high = (int(pick(np.append(others, pick(ids)))) for pick in (np.min, np.max))
        room = 4 * len(ids) + 1000
        if high - low < room:  # close together: a table over their range is far faster than hashing
            low = 0 if low >= 0 and high < room else low
            places = ids - low if low else ids
            known = np.zeros(high - low + 1, np.bool_)
            known[places] = known[others - low] = True
            index = (np.cumsum(known) - 1).astype(np.int32)
            return picked(index, places), pa.array(np.flatnonzero(known) + low)
    encoded = _as_codes(column)
    codes, used = encoded.indices.to_numpy(), np.zeros(len(encoded.dictionary), np.bool_)
    used[codes] = True  # not those whose rows were left out
    ids = sorted_distinct(encoded.dictionary.filter(used), more)
    rank = pc.index_in(encoded.dictionary, value_set=ids).fill_null(0).to_numpy()
    return picked(rank.astype(np.int32), codes), ids


def sorted_distinct(ids: pa.Array, more: pa.Array) -> pa.Array:
    """All ids of both, each once, in order."""
    distinct = pc.unique(pa.concat_arrays([ids, more.cast(ids.type)]))
    return distinct.take(pc.array_sort_indices(distinct))


def _event_weights(table: pa.Table, settings: PrepareSettings) -> Floats:
    """The weight of each event by its name."""
    if "event" not in table.column_names or not settings.event_weights:
        return np.broadcast_to(np.float32(1), table.num_rows)
    events = _as_codes(table["event"])
    weights = [settings.event_weights.get(event, 1.0) for event in events.dictionary.to_pylist()]
    weight: Floats = np.array([*weights, 1.0], np.float32)[pc.fill_null(events.indices, -1).to_numpy()]
    return weight
