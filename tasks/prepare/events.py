"""The valid interactions as one log of events, its users and items under dense indices."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.compute import memory
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.errors import DataRefused
from recmodels.messages import short
from tasks.prepare.interactions import Log, Rows, picked
from tasks.prepare.settings import PrepareSettings
from tasks.store.events import log_event
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
    """The events of users that have not opted out, as they stand, under dense indices for every known user and item.

    Users and items are encoded beside each other, and the other columns read after that, one after another, so that the
    rows are never there twice.
    """
    columns = _Columns(Source(valid))
    source, n_events = columns.source, columns.n_rows
    refuse_empty(n_events)
    known_users = source.known("user")
    if len(columns.gone):
        known_users = known_users.filter(pc.invert(are_among(known_users, columns.gone)))
    with ThreadPoolExecutor(1) as beside:
        users = beside.submit(lambda: _dense(columns.read("user_id"), known_users))
        item, item_ids = _dense(columns.read("item_id"), source.known("item"))
        user, user_ids = users.result()
    memory.trim()  # or Arrow keeps what a column took beside all that is made of it
    timestamp = columns.read("timestamp").cast(pa.int64()).to_numpy()
    weighing = ("rating", "event") if settings.event_weights else ("rating",)
    told = {name: columns.read(name) for name in weighing if name in source.columns}
    weight, rating = _weights(told, n_events, settings)
    if "event" in told:
        _note_unknown(told["event"], settings)
    del told
    memory.trim()
    return Log(Rows(user, item, timestamp, timestamp, weight, rating), user_ids, item_ids)


class _Columns:
    """The columns of a log's files without the rows of users that have opted out.

    Attributes:
        gone: the ids of those users.
        n_rows: of the others.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.gone = source.opted_out()
        self._stay: list[Bools] | None = None
        self.n_rows = sum(pq.read_metadata(file).num_rows for file in source.files)
        if len(self.gone):
            with ThreadPoolExecutor(2) as threads:
                self._stay = list(threads.map(self._staying, source.files))
            self.n_rows = sum(map(np.count_nonzero, self._stay))

    def read(self, name: str) -> pa.ChunkedArray:
        """A column; texts as codes of dictionaries, as the files have them: decoded, they would take most of the memory
        and of the time.
        """
        with ThreadPoolExecutor(2) as threads:
            chunks = list(threads.map(partial(self._left_of_file, name), range(len(self.source.files))))
        return pa.chunked_array([chunk for column in chunks for chunk in column.chunks], _coded(self._type(name)))

    def _staying(self, file: Path) -> Bools:
        return ~_coded_among(self._of_file(file, "user_id"), self.gone)

    def _left_of_file(self, name: str, nth: int) -> pa.ChunkedArray:
        column = self._of_file(self.source.files[nth], name)
        return column if self._stay is None else column.filter(pa.array(self._stay[nth]))

    def _of_file(self, file: Path, name: str) -> pa.ChunkedArray:
        """A column of a file; nulls where it has begun later."""
        kind = self._type(name)
        if name not in pq.read_schema(file).names:
            return pa.chunked_array([pa.nulls(pq.read_metadata(file).num_rows, _coded(kind))])
        coded = [name] if pa.types.is_string(kind) else None
        return pq.read_table(file, columns=[name], read_dictionary=coded, use_threads=False)[name].cast(_coded(kind))

    def _type(self, name: str) -> pa.DataType:
        return self.source.schema.field(name).type


def _coded(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), kind) if pa.types.is_string(kind) else kind


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
    told = {name: table[name] for name in ("rating", "event") if name in table.column_names}
    return Rows(user, item, timestamp, timestamp, *_weights(told, table.num_rows, settings))


def _weights(
    told: Mapping[str, pa.ChunkedArray], n_events: int, settings: PrepareSettings
) -> tuple[Floats, Floats | None]:
    """The weights of events, one value for all where nothing tells them apart, and their ratings."""
    rating = told["rating"].cast(pa.float32()).to_numpy() if "rating" in told else None
    weight = np.broadcast_to(np.float32(1), n_events)
    if "event" in told and settings.event_weights:
        weight = _event_weights(told["event"], settings)
    if rating is not None and settings.min_rating is not None:
        weight = np.where(rating < settings.min_rating, np.float32(0), weight)
    return weight, rating


def _dense(column: pa.ChunkedArray, more: pa.Array) -> tuple[Ints, pa.Array]:
    """Indices into the sorted distinct ids of `column` and `more`, and those ids."""
    if pa.types.is_integer(column.type):
        runs = [chunk.to_numpy() for chunk in (*column.chunks, more.cast(pa.int64())) if len(chunk)]
        low, high = min(int(ids.min()) for ids in runs), max(int(ids.max()) for ids in runs)
        if high - low < 4 * len(column) + 1000:  # close together: a table over their range is far faster than hashing
            known = np.zeros(high - low + 1, np.bool_)
            for ids in runs:
                known[ids - low] = True
            index = (np.cumsum(known) - 1).astype(np.int32)
            dense = np.concatenate([picked(index, ids - low) for ids in runs])[: len(column)]
            return dense, pa.array(np.flatnonzero(known) + low)
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


def note_unused(columns: Sequence[str], settings: PrepareSettings) -> None:
    """Say in the log which settings are of a column that the interactions, whose names are given, do not have."""
    of_column = {"event": ("event_weights", settings.event_weights), "rating": ("min_rating", settings.min_rating)}
    for column, (name, given) in of_column.items():
        if given and column not in columns:
            log_event("prepare", "note", f"prepare.{name} has no effect: the interactions have no column {column}")


def _note_unknown(events: pa.ChunkedArray, settings: PrepareSettings) -> None:
    """Say in the log which names of `event_weights` no interaction has: they may be misspelt."""
    there = {name for chunk in events.chunks for name in chunk.dictionary.to_pylist()}
    if unknown := [name for name in settings.event_weights if name not in there]:
        names = ", ".join(short(repr(name)) for name in unknown[:3])
        log_event("prepare", "note", f"prepare.event_weights: no interaction has the event {names}; check the names")


def _event_weights(column: pa.ChunkedArray, settings: PrepareSettings) -> Floats:
    """The weight of each event by its name."""
    events = _as_codes(column)
    weights = [settings.event_weights.get(event, 1.0) for event in events.dictionary.to_pylist()]
    weight: Floats = np.array([*weights, 1.0], np.float32)[pc.fill_null(events.indices, -1).to_numpy()]
    return weight
