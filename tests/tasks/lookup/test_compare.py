"""Two exports and two models beside each other: counted here by plain sets."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.candidate_lists import LISTS
from recmodels.errors import ConfigError
from tasks.export.listed import write_listed
from tasks.lookup.compare import Compared, compared
from tasks.lookup.sides import models_of, of_export, of_model
from tasks.store.paths import Store
from tests.tasks.exported import with_manifest
from tests.tasks.site import RUN_DATE

OLD, NEW = "2026-03-30", "2026-03-31"
Lists = dict[Any, list[Any]]
BEFORE: Lists = {n: [1, 2, 3] for n in range(6)}
AFTER: Lists = {0: [1, 2, 3], 1: [2, 1, 3], 2: [1, 2, 4], 3: [1, 5, 4], 4: [5, 6, 7], 9: [1, 2, 3]}


def rows(lists: Lists, user: str, item: str) -> pa.Table:
    ordered = [(one, rank, item_id) for one in sorted(lists) for rank, item_id in enumerate(lists[one], 1)]
    users, ranks, items = zip(*ordered, strict=True)
    scores = pa.array([1 / rank for rank in ranks], pa.float32())
    return pa.table({user: users, "rank": pa.array(ranks, pa.int16()), item: items, "score": scores})


def write(store: Store, export_id: str, lists: Lists, group: int = 1000, listed: bool = True) -> None:
    folder = store.export(export_id)
    (folder / "topk").mkdir(parents=True)
    pq.write_table(rows(lists, "user_id", "item_id"), folder / "topk" / "part-00000.parquet", row_group_size=group)
    if listed:
        write_listed(folder, RUN_DATE)
    with_manifest(store, export_id, k=3, users=len(lists), rows=3 * len(lists))


def counts(found: Compared) -> dict[str, int]:
    return found.tally.counts | {"wholly_new": found.tally.wholly_new}


@pytest.mark.parametrize("listed", [True, False])
def test_users_and_items_of_two_exports_are_compared(tmp_path: Path, listed: bool) -> None:
    store = Store(tmp_path)
    write(store, OLD, BEFORE, listed=listed)
    write(store, NEW, AFTER)
    found = compared(store, of_export(store, OLD), of_export(store, NEW))
    assert counts(found) == {
        "users_old": 6, "users_new": 6, "users_in_both": 5, "users_unchanged": 1, "users_reordered": 1, "wholly_new": 1,
    }  # fmt: skip
    assert found.tally.overlap.tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2]
    assert [(one.item_id, one.before, one.after) for one in found.rose] == [(4, 0, 2), (5, 0, 2), (6, 0, 1), (7, 0, 1)]
    assert [(one.item_id, one.before, one.after) for one in found.fell] == [(3, 6, 3), (2, 6, 4), (1, 6, 5)]
    assert (found.entered, found.left, found.exact, found.sampled) == (4, 0, True, False)
    assert [(one.user_id, round(one.kept, 2)) for one in found.examples] == [(4, 0), (3, 0.33), (2, 0.67), (0, 1)]
    assert [(one.rank, one.item_id, one.shared) for one in found.examples[1].new] == [
        (1, 1, True),
        (2, 5, False),
        (3, 4, False),
    ]


@pytest.mark.slow
def test_of_many_users_a_sample_is_compared_and_all_items_are(tmp_path: Path) -> None:
    store = Store(tmp_path)
    users = range(3000)
    write(store, OLD, {n: [1, 2, 3] for n in users}, group=100)
    write(store, NEW, {n: [1, 2, 4] if n % 2 else [1, 2, 3] for n in users}, group=100)
    found = compared(store, of_export(store, OLD), of_export(store, NEW), rows=900)
    looked_at = found.tally.counts["users_in_both"]
    assert found.sampled and found.exact and 200 < looked_at < 400
    assert found.tally.counts["users_old"] == found.tally.counts["users_new"] == looked_at  # whole lists, of both
    assert found.tally.overlap[6] == found.tally.counts["users_in_both"] - found.tally.counts["users_unchanged"]
    assert found.tally.mean_churn == pytest.approx(1 / 6, abs=0.02)
    assert [(one.item_id, one.before, one.after) for one in found.rose + found.fell] == [(4, 0, 1500), (3, 3000, 1500)]


def test_two_models_of_a_night_are_compared_under_the_sites_own_ids(tmp_path: Path) -> None:
    store = Store(tmp_path)
    night = store.night(RUN_DATE)
    night.prepared.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": [f"u{n}" for n in range(10)]}), night.prepared / "users.parquet")
    titles = [f"Title {n}" for n in range(8)]
    items = pa.table({"item_id": [f"i{n}" for n in range(8)], "title": titles, "available": [True] * 8})
    pq.write_table(items, night.prepared / "items.parquet")
    for model, lists in (("als", BEFORE), ("ease", AFTER)):
        night.toplists(model).mkdir(parents=True)
        pq.write_table(rows(lists, "user_index", "item_index"), night.toplists(model) / LISTS)
    assert models_of(night) == ["als", "ease"]
    found = compared(store, of_model(night, "als"), of_model(night, "ease"))
    assert counts(found)["users_unchanged"] == 1 and found.exact
    assert (found.rose[0].item_id, found.rose[0].title) == ("i4", "Title 4")
    assert [one.user_id for one in found.examples] == ["u4", "u3", "u2", "u0"]
    assert (found.examples[0].old[0].item_id, found.examples[0].old[0].title) == ("i1", "Title 1")
    night.valid.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": ["u4"], "opted_out": [True]}), night.valid / "users.parquet")
    again = compared(store, of_model(night, "als"), of_model(night, "ease"))
    assert "u4" not in [one.user_id for one in again.examples]
    with pytest.raises(ConfigError, match="has no lists of a model knn: there are als, ease"):
        of_model(night, "knn")


def test_ids_of_different_types_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, OLD, BEFORE)
    write(store, NEW, {str(user): items for user, items in AFTER.items()})
    with pytest.raises(ConfigError, match="of different types"):
        compared(store, of_export(store, OLD), of_export(store, NEW))
