"""Users who have opted out: they are in the user table of a night, and in nothing that is made of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.store.paths import Store


def latest_users(store: Store) -> Path | None:
    """The user table of the newest night that knows of users: who has opted out by it appears nowhere any more."""
    tables = (night.valid / "users.parquet" for night in reversed(store.all_nights()))
    return next((path for path in tables if path.exists()), None)


def opted_out_ids(users: Path) -> pa.Array:
    """The users of a table who have opted out."""
    if not users.exists() or "opted_out" not in pq.read_schema(users).names:
        return pa.array([])
    table = pq.read_table(users, columns=["user_id", "opted_out"])
    return table.filter(pc.fill_null(table["opted_out"], False))["user_id"].combine_chunks()


def are_among(user_ids: pa.ChunkedArray | pa.Array, gone: pa.Array) -> pa.ChunkedArray | pa.Array:
    """Which of some ids are those of users who have `gone`: blanks at their ends do not bring a user back."""
    if pa.types.is_integer(gone.type):
        return pc.is_in(user_ids, value_set=gone)
    return pc.is_in(pc.utf8_trim_whitespace(user_ids), value_set=pc.utf8_trim_whitespace(gone))
