"""Stage 7, export: lists for every user from the refitted winner, written, audited from the files, then published."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from recmodels import dataset as layout
from recmodels.base import Recommender
from recmodels.dataset import Dataset
from recmodels.popularity import Popularity
from recmodels.rerank import Rules
from recmodels.serving import Lists, serve
from tasks.audit import audit
from tasks.features import FeatureRules, categories_of
from tasks.lists import ListRules, translate
from tasks.publish import newest_export, next_export_id, point_to
from tasks.stage import stage_task, tell, told
from tasks.store import (
    NIGHTREC_VERSION,
    Json,
    Manifest,
    Night,
    code_version,
    describe,
    digest,
    outputs,
    replacing,
    write_json,
)

SCHEMA_VERSION = 1
SOURCES = ["personal", "cold", "pinned"]
ROWS_A_GROUP = 128_000
ROWS_A_PART = 16_000_000


class ExportRules(ListRules):
    """What is published."""

    k: int = Field(default=10, ge=1, le=1000, description="Items in a user's list.")
    valid_hours: float = Field(default=48, gt=0, description="How long downstream jobs may rely on an export.")


@stage_task("export-{name}", reads_and_writes=True)
def export(
    night: Night,
    cutoff: datetime,
    name: str,
    rules: ExportRules,
    features: FeatureRules,
    prepared: Manifest,
    champion: Manifest,
    comparison: Manifest,
    fresh: bool = False,
) -> Json:
    """Publish the lists of the model in ``champion/`` and return the export's manifest.

    An export that the same inputs, parameters and code gave is not written again.

    Raises:
        ExportRefused: the files broke a rule of the contract; the last export stays.
    """
    inputs = outputs(prepared=prepared, champion=champion)
    parameters = {"model": name, "rules": rules.model_dump(), "roles": features.roles}
    fingerprint = digest({"stage": "export", "inputs": inputs, "parameters": parameters, "code": code_version()})
    done = newest_export(night.store, night.run_date)
    if done and done["fingerprint"] == fingerprint and not fresh:
        point_to(night.store, done)
        tell("export", "skipped", f"{done['export_id']} is published already")
        return done | {"skipped": True}
    with told("export") as line:
        export_id = next_export_id(night.store, night.run_date)
        data = Dataset.load(night.features, "full")
        plan = translate(night, "full", rules, features) if rules.rerank else None
        with replacing(night.store.export(export_id)) as out:
            write_export(night, data, Recommender.load(night.champion), name, rules, features, out, plan)
            docs = night.store.quality(night.run_date)
            profile = audit(out, night.features, data, rules.k, repeats=rules.repeats, docs=docs, rules=plan)
            files = [describe_part(path, out) for path in sorted(out.rglob("*.parquet"))]
        created = datetime.now(UTC).replace(microsecond=0)
        measured = comparison["summary"]
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "export_id": export_id,
            "run_date": str(night.run_date),
            "cutoff": cutoff.isoformat(),
            "champion": name,
            "recipe": {key: champion.get("parameters", {}).get(key) for key in ("recommender", "params")},
            "k": rules.k,
            "repeats": rules.repeats,
            "rules": rules.model_dump(exclude_defaults=True, exclude={"k", "valid_hours"}) | {"roles": features.roles},
            "users": profile["users_listed"],
            "cold_users": profile["cold_users"],
            "rows": profile["rows"],
            "files": files,
            "metrics": measured["metrics"],
            "measured": {"k": measured["k"], "users": measured["users"]},
            "created_at": created.isoformat(),
            "valid_until": (created + timedelta(hours=rules.valid_hours)).isoformat(),
            "nightrec_version": NIGHTREC_VERSION,
            "code_version": code_version(),
            "inputs": inputs,
            "fingerprint": fingerprint,
        }
        write_json(night.store.export_manifest(export_id), manifest)
        point_to(night.store, manifest)
        line["text"] = f"{profile['rows']:,} rows for {profile['users_listed']:,} users, as {export_id}"
    return manifest | {"skipped": False}


def write_export(
    night: Night,
    data: Dataset,
    model: Recommender,
    name: str,
    rules: ExportRules,
    features: FeatureRules,
    out: Path,
    plan: Rules | None = None,
) -> None:
    """Write ``topk/`` and ``popular/`` into ``out``: Parquet and nothing else. ``plan`` is the translation of rules."""
    items = pq.read_table(night.prepared / layout.ITEMS)
    user_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    allowed = items["available"].to_numpy() if plan is None else plan.allowed
    popular = Popularity().fit(data)
    writer = Writer(night.run_date, name, user_ids, items["item_id"].combine_chunks(), out / "topk")
    k = rules.longest
    for users in batches(data.n_users, k):
        lists = serve(model, popular, data, users, k, allowed=allowed, repeats=rules.repeats, explain=True, rules=plan)
        writer.write(lists)
    writer.close()
    (out / "popular").mkdir()
    table = popular_table(night.run_date, popular, data, items, features, allowed, rules.k)
    write_part(out / "popular" / "part-00000.parquet", table)


def batches(n_users: int, k: int) -> Iterator[layout.Ints]:
    """All users in their order, about two million list rows at a time."""
    size = max(1, 2_000_000 // k)
    for start in range(0, n_users, size):
        yield np.arange(start, min(n_users, start + size), dtype=np.int32)


class Writer:
    """Streams lists, which come in the order of users, into the parts of ``topk/``."""

    def __init__(self, run_date: date, model: str, user_ids: pa.Array, item_ids: pa.Array, folder: Path) -> None:
        self.run_date, self.model = run_date, model
        self.user_ids, self.item_ids = user_ids, item_ids
        self.folder = folder
        self.part, self.rows = 0, 0
        self.file: pq.ParquetWriter | None = None
        folder.mkdir()

    def write(self, lists: Lists) -> None:
        table = self.table(lists)
        if self.file is None:
            path = self.folder / f"part-{self.part:05d}.parquet"
            self.file = open_part(path, table.schema, [("user_id", "ascending"), ("rank", "ascending")])
        self.file.write_table(table, row_group_size=ROWS_A_GROUP)
        self.rows += table.num_rows
        if self.rows >= ROWS_A_PART:
            self.close()

    def table(self, lists: Lists) -> pa.Table:
        """A row a recommended item, as in the export contract."""
        row, column = np.nonzero(lists.items >= 0)  # by user, then rank
        reason = lists.reasons[row, column]
        return pa.table(
            {
                "run_date": pa.repeat(pa.scalar(self.run_date, pa.date32()), len(row)),
                "user_id": self.user_ids.take(pa.array(lists.users[row])),
                "rank": (column + 1).astype(np.int16),
                "item_id": self.item_ids.take(pa.array(lists.items[row, column])),
                "score": lists.scores[row, column],
                "model": coded(np.zeros(len(row), np.int8), [self.model]),
                "source": coded((lists.cold + 2 * lists.pinned)[row, column].astype(np.int8), SOURCES),
                "reason_item_id": self.item_ids.take(pa.array(reason, mask=reason < 0)),
            }
        )

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file, self.part, self.rows = None, self.part + 1, 0


def coded(codes: np.ndarray[Any, np.dtype[np.int8]], names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, names)


def open_part(path: Path, schema: pa.Schema, order: list[tuple[str, str]]) -> pq.ParquetWriter:
    sorting = pq.SortingColumn.from_ordering(schema, order)
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True, sorting_columns=sorting)


def write_part(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", write_page_index=True)


def popular_table(
    run_date: date,
    popular: Popularity,
    data: Dataset,
    items: pa.Table,
    features: FeatureRules,
    allowed: layout.Bools,
    k: int,
) -> pa.Table:
    """The most popular available items, overall (category null) and in each category."""
    scores = popular.scores_  # [n_items]
    best = np.lexsort((np.arange(data.n_items), -scores))
    best = best[allowed[best] & (scores[best] > 0)].astype(np.int32)
    item: list[np.ndarray[Any, np.dtype[np.integer[Any]]]] = [best[:k]]
    category, rank = [np.full(len(item[0]), -1)], [np.arange(1, len(item[0]) + 1)]
    names, pair_item, pair_category = categories_of(items, features)
    if names:
        place = np.full(data.n_items, data.n_items)
        place[best] = np.arange(len(best))
        ranked = place[pair_item] < data.n_items
        pair_item, pair_category = pair_item[ranked], pair_category[ranked]
        order = np.lexsort((place[pair_item], pair_category))
        pair_item, pair_category = pair_item[order], pair_category[order]
        starts = np.searchsorted(pair_category, np.arange(len(names)))
        within = np.arange(len(pair_item)) - starts[pair_category]
        top = within < k
        item.append(pair_item[top])
        category.append(pair_category[top])
        rank.append(within[top] + 1)
    code, chosen = np.concatenate(category), np.concatenate(item)
    return pa.table(
        {
            "run_date": pa.repeat(pa.scalar(run_date, pa.date32()), len(chosen)),
            "category": pa.array(names, pa.string()).take(pa.array(code, mask=code < 0)),
            "rank": np.concatenate(rank).astype(np.int16),
            "item_id": items["item_id"].combine_chunks().take(pa.array(chosen)),
            "score": scores[chosen].astype(np.float32),
            "model": coded(np.zeros(len(chosen), np.int8), ["popularity"]),
        }
    )


def describe_part(path: Path, root: Path) -> Json:
    """A data file as the manifest names it, with the range of its users."""
    part = describe(path, root)
    if path.parent.name == "topk":
        file = pq.ParquetFile(path)
        first, last = (file.read_row_group(group, ["user_id"]) for group in (0, file.num_row_groups - 1))
        part |= {"min_user": first["user_id"][0].as_py(), "max_user": last["user_id"][-1].as_py()}
    return part
