"""The counts of items in lists: beside a plain count, wherever files and batches end."""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.published.reader import Export
from tasks.export.listed import listed_table
from tasks.forgetting.forget import forget
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE


def counted(topk: pa.Table) -> dict[object, tuple[int, float, int, int]]:
    """Lists, mean rank, first and last row of each item."""
    places: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for row, (item, rank) in enumerate(zip(topk["item_id"].to_pylist(), topk["rank"].to_pylist(), strict=True)):
        places[item].append((row, rank))
    return {
        item: (len(found), sum(rank for _, rank in found) / len(found), found[0][0], found[-1][0])
        for item, found in places.items()
    }


def as_counts(listed: pa.Table) -> dict[object, tuple[int, float, int, int]]:
    names = ("lists", "mean_rank", "first_row", "last_row")
    return {row["item_id"]: tuple(row[name] for name in names) for row in listed.to_pylist()}  # type: ignore[misc]


def test_every_listed_item_is_counted_and_a_forgotten_user_is_not(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    publish(night)
    for user in (None, "1"):
        if user is not None:
            forget(night.store, user)
        export = Export.latest(night.store.root)
        topk, listed = export.table("topk"), export.table("listed")
        assert as_counts(listed).keys() == counted(topk).keys()
        assert all(as_counts(listed)[item] == pytest.approx(found) for item, found in counted(topk).items())
        assert listed["item_id"].to_pylist() == sorted(counted(topk), key=str)
        entries = [file for file in export.manifest["files"] if file["path"].startswith("listed/")]
        assert [entry["rows"] for entry in entries] == [len(listed)]


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_it_does_not_matter_where_files_and_batches_end(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.export.listed.ROWS_AT_ONCE", rows)
    items = [7, 3, 7, 9, 3, 7, 1]
    topk = pa.table({"item_id": items, "rank": pa.array([1, 2, 1, 2, 1, 2, 1], pa.int16())})
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, part in zip(paths, (topk[:4], topk[4:]), strict=True):
        pq.write_table(part, path)
    assert listed_table(paths, RUN_DATE).select(["lists", "first_row", "last_row"]).to_pydict() == {
        "lists": [1, 2, 3, 1],
        "first_row": [6, 1, 0, 3],
        "last_row": [6, 4, 5, 3],
    }
    empty = tmp_path / "empty.parquet"
    pq.write_table(topk[:0], empty)
    assert listed_table([empty], RUN_DATE).num_rows == 0
