"""Which export is looked at, and whose lists in it may be shown."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import hashed, hashed_ids, key_in
from recmodels.published.reader import Export
from recmodels.published.schema import completed
from tasks.lookup.cached import kept
from tasks.lookup.catalogue import as_written
from tasks.lookup.rows import rows_with
from tasks.store.exports import manifest_of, named_export, whole_exports
from tasks.store.ids import age_order
from tasks.store.opted_out import are_among, latest_users, opted_out_ids
from tasks.store.paths import Night, Store


def chosen(store: Store, name: str | None = None) -> Export:
    """The export that readers see now, or that of a name: a night's newest by its date, its n-th as `<date>.n`.

    Raises:
        ConfigError: there is no such export.
    """
    return Export(store.exports, named_export(store, name)) if name else Export.latest(store.root)


def before(store: Store, export: Export) -> Export | None:
    """The newest export of the nights before that of an export; None where there is none."""
    for export_id in reversed(whole_exports(store)):
        if age_order(export_id)[0] < export.manifest["run_date"] and (manifest := manifest_of(store, export_id)):
            return Export(store.exports, manifest)
    return None


def night_of(store: Store, export: Export) -> Night:
    return store.night(date.fromisoformat(export.manifest["run_date"]))


def user_type(export: Export) -> pa.DataType:
    """The type of the user ids of an export."""
    topk = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    return pa.int64() if topk["schema"]["user_id"] == "int64" else pa.string()


def published_as(export: Export, user_id: str) -> int | str:
    """The user id as it is in the export: in the type of its column, or hashed.

    Raises:
        ConfigError: it cannot be one, or the key of the hashes is not in the environment.
    """
    if variable := export.manifest.get("hash_key_env"):
        return hashed(user_id, key_in(variable))
    if user_type(export) != pa.int64():
        return user_id
    if (number := as_written(user_id, pa.int64())) is None:
        raise ConfigError(f"User {user_id[:40]} cannot be: this site's user ids are whole numbers.")
    return number


def list_in(export: Export, published: int | str) -> pa.Table:
    """The rows of a user's list, in order of rank; none where the user has no list.

    Raises:
        NightrecError: a file is damaged.
    """
    paths = [export.folder / file["path"] for file in export.manifest["files"] if file["path"].startswith("topk/")]
    try:
        return completed(rows_with(paths, "user_id", published).sort_by("rank"), "topk")
    except (pa.ArrowInvalid, OSError):
        return export.table("topk", [published]).sort_by("rank")  # which says what is wrong


def not_found(export: Export, user_id: str) -> ConfigError:
    """What is said of a user who has no list, or has opted out: nothing tells the one from the other."""
    return ConfigError(
        f"User {user_id[:40]} is not in the export {export.manifest['export_id']}: unknown visitors get the popular "
        "items in its popular/ table."
    )


def has_opted_out(store: Store, export: Export, user_id: str) -> bool:
    """Whether a user has opted out by the newest night that knows of users, whatever earlier nights published.

    An id that is a number is one however it is written: 007 is 7.
    """
    table = latest_users(store)
    if table is None:
        return False
    if export.manifest.get("hash_key_env") is None and user_type(export) == pa.int64():
        return str(as_written(user_id, pa.int64())) in _texts(table)
    return user_id.strip() in _texts(table)


def without_opted_out(store: Store, export: Export, rows: pa.Table) -> pa.Table:
    """The rows of users who may be shown; none where that cannot be told, of hashed ids whose key is not there."""
    gone = _opted_out(store)
    if not len(gone) or not len(rows):
        return rows
    if variable := export.manifest.get("hash_key_env"):
        try:
            gone = hashed_ids(gone, key_in(variable))
        except ConfigError:
            return rows[:0]
    users = rows["user_id"].cast(pa.string())
    return rows.filter(pc.invert(are_among(users, gone.cast(pa.string()))))


def _opted_out(store: Store) -> pa.Array:
    path = latest_users(store)
    return pa.array([], pa.string()) if path is None else _ids(path)


@kept(1)
def _texts(path: Path) -> frozenset[str]:
    return frozenset(one.strip() for one in _ids(path).cast(pa.string()).to_pylist())


@kept(1)
def _ids(path: Path) -> pa.Array:
    return opted_out_ids(path)


def first_of(rows: pa.Table, column: str) -> Any:
    """The value of a column in the first row; None where there are no rows, or no such column."""
    return rows[column][0].as_py() if len(rows) and column in rows.column_names else None
