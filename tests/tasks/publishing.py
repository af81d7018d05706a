"""A small site's nights, up to the refitted champion and published: what the tests of exports start from."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from expectations.exports import check_export
from recmodels.data.dataset import Dataset
from recmodels.knn.item_knn import ItemKNN
from recmodels.persistence import save
from recmodels.published.reader import read_latest
from recmodels.published.schema import ADDED
from tasks.arms.tonight import ArmsTonight
from tasks.exploration.settings import NO_EXPLORATION, ExplorationSettings
from tasks.export.decisions import decide
from tasks.export.settings import ExportSettings
from tasks.export.stage import export
from tasks.export.writer import describe_part
from tasks.export.writing import write_export
from tasks.features.settings import FeatureSettings
from tasks.features.stage import write_features
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.store.exports import manifest_of, pointer_of, write_export_manifest
from tasks.store.files import Json, sha256, write_json
from tasks.store.manifests import describe, write_manifest
from tasks.store.paths import Night, Store
from tests.tasks.site import CUTOFF, RUN_DATE, events, write_valid_tables

K = 3
CATALOGUE = pa.table(
    {
        "item_id": [f"i{n}" for n in range(8)],
        "title": [f"Title {n}" for n in range(8)],
        "genre": ["x", "y", "x", "y", "x", "y", None, "x"],
        "available": [True, True, True, True, True, False, True, None],
    }
)
LOG = [
    (user, f"i{item}", 30 - user - item / 10)
    for user, items in enumerate([(0, 1, 2), (0, 1, 5), (1, 2, 3), (0, 2, 4), (0, 1, 2, 3, 4, 6, 7)])
    for item in items
]
USERS = pa.table({"user_id": [7, 8], "opted_out": [False, True]})


def prepare_night(root: Path, run_date: date = RUN_DATE, names: tuple[str, ...] = ()) -> Night:
    """A night up to its refitted champion: a copy, as all are the same.

    `names`: the ids of its first users, as texts; without them they are numbers.
    """
    night = Store(root).night(run_date)
    shutil.copytree(_prepared(names).folder, night.folder, dirs_exist_ok=True)
    return night


@cache
def _prepared(names: tuple[str, ...]) -> Night:
    """The night that is copied."""
    root = tempfile.mkdtemp(prefix="nightrec-night-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    night = Store(Path(root)).night(RUN_DATE)
    log, users = LOG, USERS
    if names:
        known = dict(enumerate(names))
        log = [(known.get(user, f"user {user}"), *rest) for user, *rest in LOG]
        users = USERS.set_column(0, "user_id", pa.array([f"user {user}" for user in USERS["user_id"].to_pylist()]))
    write_valid_tables(night.valid, interactions=events(log), items=CATALOGUE, users=users)
    for folder in (night.prepared, night.features / "train", night.features / "full"):
        folder.mkdir(parents=True)
    write_prepared(night.valid, PrepareSettings(holdout="last"), CUTOFF, night.prepared)
    for split in ("train", "full"):
        write_features(night.prepared, night.valid, split, FeatureSettings(), night.features / split)  # type: ignore[arg-type]
    save(ItemKNN().fit(Dataset.load(night.features, "full")), night.champion)
    return night


def with_manifests(night: Night, **outputs: str) -> None:
    """Describe the folders that `publish` names, as their stages would; `outputs` are other ones than it names."""
    folders = {"prepared": night.prepared, "features": night.features / "full", "champion": night.champion}
    for output, folder in folders.items():
        files = [
            describe(path, folder) for path in sorted(folder.rglob("*")) if path.suffix != ".json" and path.is_file()
        ]
        about: dict[str, Any] = {"inputs": {"features": "features"}, "parameters": {}, "code": "", "fingerprint": ""}
        write_manifest(folder, about | {"output": outputs.get(output, output), "summary": {}, "files": files})


def publish(
    night: Night,
    k: int = K,
    fresh: bool = False,
    champion: Json | None = None,
    arms: ArmsTonight | None = None,
    exploration: ExplorationSettings = NO_EXPLORATION,
    others: Sequence[str] = (),
    replicates: Sequence[int] = (),
    docs: bool = False,
    **rules: Any,
) -> Json:
    """Publish the lists of a night.

    Args:
        others: models that were measured beside the winner; `replicates` of that one.
        docs: whether the audit leaves its page of Data Docs, which takes three quarters of the time.
    """
    figures = {"ndcg": {"value": 0.5, "low": 0.4, "high": 0.6}}
    comparison = {"winner": "item_knn", "reason": "best", "metrics": figures, "failed": {}, "k": 10, "users": 5}
    comparison |= {
        "models": dict.fromkeys(["item_knn", *others], figures),
        "gate": {"winner": "item_knn", "reason": "best", "verdict": "first"},
    }
    with nullcontext() if docs else patch("tasks.export.audit.check_export", judged_alone):
        return export.fn(
            night,
            CUTOFF,
            "item_knn",
            ExportSettings(k=k, **rules),
            FeatureSettings(),
            {"output": "prepared"},
            {"output": "champion", **(champion or {})},  # type: ignore[typeddict-item]
            {"summary": comparison},
            fresh,
            exploration,
            0,
            arms,
            replicates,
        )


def judged_alone(counts: Json, *page: object) -> None:
    """Judge an export, and write no page about it."""
    check_export(counts)


def as_by_0_1(store: Store, export_id: str) -> None:
    """Take from an export what nightrec 0.1 did not write: how its rows came there."""
    about = manifest_of(store, export_id)
    assert about is not None
    folder = store.export(export_id)
    for path in sorted((folder / "topk").glob("*.parquet")):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(list(ADDED)), path)
    kept = [column for column in about["schema"]["topk"]["columns"] if column["name"] not in ADDED]
    files = [describe_part(folder / file["path"], folder) for file in about["files"]]
    schema = about["schema"] | {"topk": about["schema"]["topk"] | {"columns": kept}}
    current = pointer_of(store)
    write_export_manifest(store, about | {"files": files, "schema": schema})
    if current and current["export_id"] == export_id:
        write_json(store.pointer, {**current, "manifest_sha256": sha256(store.export_manifest(export_id))})


def lists(night: Night) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in read_latest(night.store.root).to_pylist():
        rows.setdefault(row["user_id"], []).append(row)
    return rows


def rewrite(out: Path, change: Any, file: str = "topk/part-00000.parquet") -> None:
    table = pq.read_table(out / file)
    schema = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(pa.Table.from_pandas(change(table.to_pandas()), schema, preserve_index=False), out / file)


def written(night: Night, arms: ArmsTonight | None = None, **settings: Any) -> Path:
    """The tables of an export, which nobody has audited."""
    out = night.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        decided = decide(night, "item_knn", ExportSettings(**{"k": K, **settings}), FeatureSettings(), arms=arms)
        write_export(decided, out, Path(folder), "")
    return out
