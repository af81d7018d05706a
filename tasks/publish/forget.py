"""Forgetting a user: their rows leave the working files of all nights and the exports that are kept.

Each file is replaced in one step, and an export's files, manifest and pointer in such an order that a run that was cut
short can be completed. What remains is a line in `forgotten.jsonl` that names files and counts, but not the user.
"""

import json
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import hashed, key_in
from tasks.export.writer import describe_part, open_part
from tasks.store.exports import switching, whole_exports
from tasks.store.files import TEMPORARY, Json, digest, now_text, read_json, sha256, sync, write_json
from tasks.store.manifests import describe
from tasks.store.paths import Night, Store

FORGOTTEN = "[forgotten]"
TRAINED = ("models", "champion", "toplists")  # of a night: its models, which were trained on the user, and their lists


def forget(store: Store, user_id: str) -> Json:
    """Remove a user from the store, whose caller holds it; returns the line that was written down.

    Raises:
        ConfigError: there is no id, or an export has hashed ids and its key is not there to find the user's.
    """
    if not user_id.strip():
        raise ConfigError("No user was named: `nightrec forget USER_ID`.")
    exports, nights = Counter[str](), Counter[str]()
    for written in _ways_of_writing(store, user_id):
        exports += _rewrite_exports(store, written)
        nights += Counter({str(night.run_date): _rewrite_night(night, written) for night in store.all_nights()})
    line = {
        "at": now_text(),
        "reference": uuid.uuid4().hex,
        "exports": sorted(exports),
        "nights": sorted(nights),
        "rows": exports.total() + nights.total(),
    }
    with (store.root / "forgotten.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    return line


def _ways_of_writing(store: Store, user_id: str) -> list[str]:
    """The id, and those in the store that differ from it only by blanks at their ends: they are the same person's."""
    found = {user_id.strip()}
    exports = [store.export(name) for name in whole_exports(store)]
    for folder in (*exports, *(night.folder for night in store.all_nights())):
        for path in folder.rglob("*.parquet"):
            schema = pq.read_schema(path)
            if "user_id" in schema.names and not pa.types.is_integer(schema.field("user_id").type):
                ids = pq.read_table(path, columns=["user_id"])["user_id"].cast(pa.string())
                same = pc.equal(pc.utf8_trim_whitespace(ids), user_id.strip())
                found.update(pc.unique(ids.filter(pc.fill_null(same, False))).to_pylist())
    return sorted(found)


def _rewrite_exports(store: Store, user_id: str) -> Counter[str]:
    """Remove a user's rows from all exports: export -> how many there were, of those that had some."""
    exports = [manifest for name in whole_exports(store) if (manifest := read_json(store.export_manifest(name)))]
    known_as = {manifest["export_id"]: _published_as(manifest, user_id) for manifest in exports}
    with switching(store):
        for folder in sorted(store.exports.glob(".forget-*")):
            apply(store, folder)
        names = [manifest["export_id"] for manifest in exports]
        rows = [_rewrite_export(store, manifest, known_as[name]) for manifest, name in zip(exports, names, strict=True)]
    return +Counter(dict(zip(names, rows, strict=True)))


def _published_as(manifest: Json, user_id: str) -> str:
    """The user's id in an export, as text."""
    variable = manifest.get("hash_key_env")
    return hashed(user_id, key_in(variable)) if variable else user_id


def _rewrite_export(store: Store, manifest: Json, user_id: str) -> int:
    """Remove a user's rows from an export; how many there were.

    The new files and the new manifest are written aside, and put in place when all of them are there.
    """
    export_id = manifest["export_id"]
    aside, new = store.exports / f".forget-{export_id}", dict(manifest)
    rows, files = 0, []
    for file in manifest["files"]:
        path = store.export(export_id) / file["path"]
        if "user_id" not in file["schema"] or not _rows_of(path, user_id):
            files.append(file)
            continue
        target = aside / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        gone = _copy_without(path, target, user_id)
        rows += len(gone)
        if file["path"].startswith("topk/"):
            cold = bool(pc.all(pc.equal(gone["source"].cast(pa.string()), "cold")).as_py())
            new |= {"users": new["users"] - 1, "rows": new["rows"] - len(gone), "cold_users": new["cold_users"] - cold}
        files.append(describe_part(target, aside))
    if rows:
        write_json(aside / "manifest.json", new | {"files": files, "forgotten": manifest.get("forgotten", 0) + 1})
        apply(store, aside)
    return rows


def apply(store: Store, aside: Path) -> None:
    """Put the files of a rewritten export in place, then its manifest, then the pointer; may be done again."""
    manifest = read_json(aside / "manifest.json")
    if manifest is None:  # it was cut short while it was written: nothing has changed yet
        shutil.rmtree(aside)
        return
    export_id = manifest["export_id"]
    for path in sorted(aside.rglob("*.parquet")):
        path.replace(store.export(export_id) / path.relative_to(aside))
    write_json(store.export_manifest(export_id), manifest)
    pointer = read_json(store.pointer)
    if pointer and pointer["export_id"] == export_id:
        write_json(store.pointer, pointer | {"manifest_sha256": sha256(store.export_manifest(export_id))})
    shutil.rmtree(aside)


def _rows_of(path: Path, user_id: str) -> int:
    """How many rows a user has in a file that is sorted by user: other row groups are not read."""
    value = _typed(user_id, pq.read_schema(path).field("user_id").type)
    if value is None:
        return 0
    return len(pq.read_table(path, columns=["user_id"], filters=pc.field("user_id") == value))


def _copy_without(path: Path, target: Path, user_id: str) -> pa.Table:
    """Write a file of an export without a user's rows, a row group at a time, and return these."""
    file = pq.ParquetFile(path)
    value = _typed(user_id, file.schema_arrow.field("user_id").type)
    gone = []
    with open_part(target, file.schema_arrow) as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            mine = pc.equal(table["user_id"], value)
            gone.append(table.filter(mine))
            if len(rest := table.filter(pc.invert(mine))):
                writer.write_table(rest, row_group_size=len(rest))
    sync(target)
    return pa.concat_tables(gone)


def _rewrite_night(night: Night, user_id: str) -> int:
    """Remove a user's rows from a night's working files; how many there were.

    In the index of users the row stays, without id or attributes, so that the others keep their numbers. Trained
    models go as a whole: a night that is run again trains anew.
    """
    index = _user_index(night.prepared / layout.USERS, user_id)
    rows = 0
    for path in sorted(night.folder.rglob("*.parquet")):
        if path.relative_to(night.folder).parts[0] not in TRAINED:
            rows += _rewrite_table(path, user_id, index)
    texts = sum(redact(path, user_id) for path in _text_files(night))
    if rows and index is not None:
        for name in TRAINED:
            shutil.rmtree(night.folder / name, ignore_errors=True)
    for manifest in night.folder.rglob("manifest.json"):
        if rows and manifest.parent.is_dir():
            _describe_again(manifest)
    return rows + texts


def _user_index(users: Path, user_id: str) -> int | None:
    """The number of a user in a night's index, None where the night does not know them."""
    if not users.exists():
        return None
    ids = pq.read_table(users, columns=["user_id"])["user_id"]
    value = _typed(user_id, ids.type)
    place = -1 if value is None else int(pc.index(ids, value).as_py())
    return place if place >= 0 else None


def _rewrite_table(path: Path, user_id: str, index: int | None) -> int:
    """Replace a Parquet file by one without the user's rows, if it has any; how many it had."""
    names = pq.read_schema(path).names
    lines = path.name == "rejects.parquet"  # what was no row, as text
    if not lines and not {"user_id", "user_index"} & set(names):
        return 0
    table = pq.read_table(path)
    mine = np.zeros(len(table), np.bool_)
    if "user_id" in names and (value := _typed(user_id, table["user_id"].type)) is not None:
        mine |= pc.fill_null(pc.equal(table["user_id"], value), False).to_numpy()
    if "user_index" in names and "user_id" not in names and index is not None:
        mine |= pc.equal(table["user_index"], index).to_numpy()
    if lines:
        mine |= pc.fill_null(
            pc.match_substring_regex(table["text"], rf"(^|\W){re.escape(user_id)}(\W|$)"), False
        ).to_numpy()
    if not mine.any():
        return 0
    index_of_users = "user_index" in names and "user_id" in names
    rest = _blanked(table, mine) if index_of_users else table.filter(pa.array(~mine))
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    pq.write_table(rest, temporary)
    sync(temporary)
    temporary.replace(path)
    return int(mine.sum())


def _blanked(table: pa.Table, rows: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Table:
    """A table in which some rows have nothing but their `user_index`."""
    columns = [
        column if name == "user_index" else pc.if_else(pa.array(rows), pa.scalar(None, column.type), column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, schema=table.schema)


def _describe_again(path: Path) -> None:
    """Bring a stage's manifest up to date with its files."""
    manifest, folder = read_json(path) or {}, path.parent
    files = [describe(folder / file["path"], folder) for file in manifest.get("files", [])]
    if files and files != manifest["files"]:
        output = digest([(file["path"], file["sha256"]) for file in files])
        write_json(path, manifest | {"files": files, "output": output})


def _text_files(night: Night) -> Iterator[Path]:
    """What a night has written in words: its record, notes in manifests, the logs of its models, its Data Docs."""
    for folder in (night.folder, night.store.quality(night.run_date)):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".json", ".log", ".html", ".txt"):
                yield path


def redact(path: Path, user_id: str) -> int:
    """Replace a user's id in a text; 1 if it was there. Numbers are left alone: they are mostly figures."""
    if not any(letter.isalpha() for letter in user_id):
        return 0
    word = re.compile(rf"(?<!\w){re.escape(user_id)}(?!\w)")
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if not word.search(text):
        return 0
    content = read_json(path) if path.suffix == ".json" else None
    if content is None:
        new = word.sub(FORGOTTEN, text)
    else:
        redacted = _redacted(content, word)
        if path.name == "manifest.json":  # what else it says is compared when the night is run again
            redacted = content | {"summary": _redacted(content.get("summary"), word)}
            if redacted == content:
                return 0
        new = json.dumps(redacted, indent=2) + "\n"
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.write_text(new, encoding="utf-8", errors="surrogateescape")
    sync(temporary)
    temporary.replace(path)
    return 1


def _redacted(value: Any, word: re.Pattern[str]) -> Any:
    """What JSON holds, with a word replaced in all texts, but not in the names of things."""
    if isinstance(value, dict):
        return {name: _redacted(inner, word) for name, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner, word) for inner in value]
    return word.sub(FORGOTTEN, value) if isinstance(value, str) else value


def _typed(user_id: str, kind: pa.DataType) -> pa.Scalar | None:
    """The id in the type of a column; None where it cannot be one, as '007' is no number but another user."""
    try:
        if not pa.types.is_integer(kind):
            return pa.scalar(user_id, kind)
        number = int(user_id)
        return pa.scalar(number, kind) if str(number) == user_id else None
    except (ValueError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError):
        return None
