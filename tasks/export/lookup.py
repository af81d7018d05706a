"""Looking at what was published: one user's list with titles, and whether an export is still what it was."""

import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.errors import ExportRefused
from recmodels.data import layout
from recmodels.errors import ConfigError
from recmodels.messages import counted
from recmodels.published.pseudonyms import hashed, hashed_ids, key_in
from recmodels.published.reader import Export
from tasks.store.files import read_json, sha256
from tasks.store.paths import Night, Store

Row = dict[str, Any]

TERMS = 3  # that are named of each reason


def _export_of(store: Path, run_date: date | None) -> Export:
    return Export.of_night(store, run_date) if run_date else Export.latest(store)


def list_of(store: Path, user_id: str, run_date: date | None = None) -> list[Row]:
    """The rows of a user's list, with the titles of the items and of the reasons, and the terms that matched.

    Raises:
        ConfigError: nothing is published, or the user has no list in it.
    """
    export = _export_of(store, run_date)
    rows = export.table("topk", [_published_as(export, user_id)]).sort_by("rank")
    if not rows.num_rows:
        raise ConfigError(
            f"User {user_id} is not in the export {export.manifest['export_id']}: unknown visitors get the popular "
            "items in its popular/ table."
        )
    return _with_titles(store, export, rows)


def _published_as(export: Export, user_id: str) -> int | str:
    """The user id as it is in the export: in the type of its column, or hashed.

    Raises:
        ConfigError: it cannot be one, or the key of the hashes is not in the environment.
    """
    if variable := export.manifest.get("hash_key_env"):
        return hashed(user_id, key_in(variable))
    topk = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    if topk["schema"]["user_id"] != "int64":
        return user_id
    try:
        return int(pa.scalar(int(user_id), pa.int64()).as_py())
    except (ValueError, OverflowError):
        raise ConfigError(f"User {user_id} cannot be: this site's user ids are whole numbers.") from None


def someone(store: Path, run_date: date) -> tuple[Any, list[Row]]:
    """A user with a personal list, and that list: the first one of a night's export, or the first of all."""
    export = Export.of_night(store, run_date)
    first = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    head = next(pq.ParquetFile(export.folder / first["path"]).iter_batches(100_000, columns=["user_id", "source"]))
    personal = pc.equal(head["source"].cast(pa.string()), "personal").to_numpy(zero_copy_only=False)
    user_id = head["user_id"][int(personal.argmax())].as_py()
    return user_id, _with_titles(store, export, export.table("topk", [user_id]).sort_by("rank"))


def _with_titles(store: Path, export: Export, rows: pa.Table) -> list[Row]:
    night = Night(Store(store), date.fromisoformat(export.manifest["run_date"]))
    path = night.prepared / layout.ITEMS
    about: dict[Any, Row] = {}
    try:
        columns = [name for name in ("item_id", "item_index", "title") if name in pq.read_schema(path).names]
        named = pa.concat_arrays([rows["item_id"].combine_chunks(), rows["reason_item_id"].combine_chunks()])
        table = pq.read_table(path, columns=columns, filters=pc.is_in(pc.field("item_id"), named))
        about = {item["item_id"]: item for item in table.to_pylist()}
    except (OSError, pa.ArrowException):  # the lists are there without the night's working files, too
        about = {}
    listed = [
        row | {"item": about.get(row["item_id"], {}), "reason": about.get(row["reason_item_id"], {})}
        for row in rows.to_pylist()
    ]
    terms = _matched_terms(night, listed)
    return [
        {key: value for key, value in row.items() if key not in ("item", "reason")}
        | {"title": row["item"].get("title"), "reason_title": row["reason"].get("title"), "reason_terms": found}
        for row, found in zip(listed, terms, strict=True)
    ]


def _matched_terms(night: Night, rows: list[Row]) -> list[list[str]]:
    """For each row the terms that its item shares with its reason, best first, where the model looks at terms."""
    from recmodels.content import Content
    from recmodels.persistence import load
    from tasks.features.column_roles import VECTOR

    found: list[list[str]] = [[] for _ in rows]
    pairs = [
        (row, rows[row]["reason"]["item_index"], rows[row]["item"]["item_index"])
        for row in range(len(rows))
        if rows[row]["reason"] and rows[row]["item"]
    ]
    champion, vocabulary = night.champion / "model.json", night.features / "full" / layout.VOCABULARY
    recommender = (read_json(champion) or {}).get("recommender")
    if not pairs or recommender != "content" or not vocabulary.exists():
        return found
    model = load(night.champion)
    assert isinstance(model, Content)
    place, sources, targets = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    table = pq.read_table(vocabulary, columns=["term", "column"])
    names, of_words = table["term"], pc.not_equal(table["column"], VECTOR).to_numpy()
    for row, terms in zip(place, model.matched_terms(sources, targets, TERMS, of_words), strict=True):
        found[row] = names.take(terms[terms >= 0]).to_pylist()
    return found


@dataclass(frozen=True)
class Verified:
    """An export whose files are as published; `unchecked` says why its lists were not compared with the features."""

    export_id: str
    files: int
    rows: int
    users: int
    unchecked: str | None = None

    @property
    def sentence(self) -> str:
        there = f"{self.export_id}: {counted(self.files, 'file')} and {counted(self.rows, 'row')} are as published"
        if self.unchecked:
            return f"{there}. {self.unchecked}"
        return f"{there}, and the lists of {counted(self.users, 'user')} keep the contract."


def verified(store: Path, run_date: date | None) -> Verified:
    """Check an export's files against its manifest, and its lists against the contract.

    Raises:
        ExportRefused: a file is missing or changed, or a rule of the contract is broken.
    """
    from recmodels.data.dataset import Dataset
    from tasks.export.audit import audit
    from tasks.export.audit_items import check_columns
    from tasks.features.settings import FeatureSettings
    from tasks.lists.rules import translate
    from tasks.lists.settings import ListSettings
    from tasks.store.exports import intact, pointer_of
    from tasks.store.manifests import damage
    from tasks.store.manifests import manifest_of as stage_manifest

    export = _export_of(store, run_date)
    about, folder = export.manifest, Store(store)
    intact(folder, about)
    check_columns(export.folder)
    pointer = pointer_of(folder)
    if pointer and pointer["export_id"] == about["export_id"]:
        manifest = folder.export_manifest(about["export_id"])
        if sha256(manifest) != pointer["manifest_sha256"]:
            raise ExportRefused(
                f"{manifest} is not what {folder.pointer} points to: run the night {about['run_date']} again."
            )
    night = folder.night(date.fromisoformat(about["run_date"]))
    checked = Verified(about["export_id"], len(about["files"]), about["rows"], about["users"])
    if not (night.prepared / layout.USERS).exists():
        return replace(checked, unchecked="The night's features are gone, so its lists were not checked against them.")
    for part in (night.prepared, night.features / "full"):
        if (described := stage_manifest(part)) and (damaged := damage(part, described["files"])):
            why = f"{damaged}, so its lists were not checked against the night's features."
            return replace(checked, unchecked=why)
    try:
        data = Dataset.load(night.features, "full")
    except (OSError, pa.ArrowException):
        why = f"{night.features} cannot be read, so its lists were not checked against it."
        return replace(checked, unchecked=why)
    rules = ListSettings(
        k=about["k"], **{n: v for n, v in about.get("rules", {}).items() if n in ListSettings.model_fields}
    )
    roles = FeatureSettings(roles=about.get("rules", {}).get("roles", {}))
    plan = translate(night, "full", rules, roles) if rules.rerank else None
    published = None
    if variable := about.get("hash_key_env"):
        if not os.environ.get(variable):
            why = f"{variable} is not set, so its lists were not checked against what the users have."
            return replace(checked, unchecked=why)
        users = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
        published = hashed_ids(users, key_in(variable))
    audit(export.folder, night.features, data, about["k"], repeats=about["repeats"], rules=plan, published=published)
    return checked
