"""Whether an export is still what was published."""

import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from expectations.errors import ExportRefused
from recmodels.data import layout
from recmodels.messages import counted
from recmodels.published.pseudonyms import check_of, hashed_ids, key_in
from recmodels.published.reader import Export
from recmodels.published.schema import is_older
from tasks.store.files import sha256
from tasks.store.paths import Store


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
    from recmodels.errors import NightrecError
    from tasks.export.audit import audit
    from tasks.export.audit_items import check_columns
    from tasks.export.gone import rules_without_gone
    from tasks.features.settings import FeatureSettings
    from tasks.lists.rules import translate
    from tasks.lists.settings import ListSettings
    from tasks.store.exports import intact, pointer_of
    from tasks.store.manifests import damage
    from tasks.store.manifests import manifest_of as stage_manifest

    export = Export.of_night(store, run_date) if run_date else Export.latest(store)
    about, folder = export.manifest, Store(store)
    intact(folder, about)
    check_columns(export.folder, older=is_older(about))
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
    there, made_of = stage_manifest(night.prepared), about.get("inputs", {}).get("prepared")
    if there and "forgotten" not in about and there["output"] != made_of:
        why = "The night was run again since, or somebody was forgotten: the lists were not checked against it."
        return replace(checked, unchecked=why)
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
    try:
        plan = rules_without_gone(night, about, plan)
    except NightrecError as error:
        return replace(checked, unchecked=str(error))
    published = None
    if variable := about.get("hash_key_env"):
        if not os.environ.get(variable):
            why = f"{variable} is not set, so its lists were not checked against what the users have."
            return replace(checked, unchecked=why)
        if about.get("hash_key_check") not in (None, check_of(key_in(variable))):
            why = f"Their user ids are hashed by another key than that in {variable}, so its lists were not checked."
            return replace(checked, unchecked=why)
        users = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
        published = hashed_ids(users, key_in(variable))
    audit(
        export.folder,
        night.features,
        data,
        about["k"],
        repeats=about["repeats"],
        rules=plan,
        published=published,
        older=is_older(about),
    )
    return checked
