"""The audit of the tables of items, and of the columns of all tables."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.data.dataset import Dataset
from tasks.export import audit_items
from tasks.export.audit import audit
from tasks.export.audit_items import check_columns, item_tables
from tasks.store.paths import Night
from tests.tasks.publishing import K, prepare_night, rewrite, written


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


SIMILAR = "similar/part-00000.parquet"


@pytest.mark.parametrize(
    ("count", "file", "change"),
    [
        ("similar_unknown", SIMILAR, lambda f: f.assign(item_id=f["item_id"].where(f["item_id"] != "i0", "?"))),
        ("similar_unavailable", SIMILAR, lambda f: f.assign(similar_item_id="i5")),
        ("similar_repeats", SIMILAR, lambda f: f.assign(similar_item_id=f["item_id"])),
        ("similar_ranks", SIMILAR, lambda f: f.assign(rank=f["rank"] + 1)),
        ("similar_ranks", SIMILAR, lambda f: f.assign(score=f["rank"].astype("float32"))),
        ("popular_unavailable", "popular/part-00000.parquet", lambda f: f.assign(item_id="i5")),
    ],
)
def test_the_audit_counts_and_refuses_what_is_wrong_with_the_tables_of_items(
    night: Night, count: str, file: str, change: Any
) -> None:
    out = written(night)
    assert not any(item_tables(out, night.features).values())
    rewrite(out, change, file)
    assert item_tables(out, night.features)[count] > 0
    with pytest.raises(ExportRefused):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


@pytest.mark.parametrize("table", ["topk", "similar", "popular"])
def test_the_audit_refuses_columns_that_are_not_the_contracts(night: Night, table: str) -> None:
    out = written(night)
    path = out / table / "part-00000.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.append_column("more", pa.nulls(len(rows))), path)
    check_columns(out)  # columns may be added
    pq.write_table(rows.set_column(rows.schema.get_field_index("score"), "score", rows["score"].cast("double")), path)
    with pytest.raises(ExportRefused, match="the column score is double, the contract has float"):
        check_columns(out)
    pq.write_table(rows.drop_columns(["score", "rank"]), path)
    with pytest.raises(ExportRefused, match=r"the column rank is missing.*score is missing"):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


@pytest.mark.parametrize(("rows", "tables"), [(1, [3, 2, 1, 3]), (4, [3, 3, 3]), (100, [9])])
def test_tables_of_lists_are_as_large_as_they_may_be_and_never_end_within_one(
    rows: int, tables: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_items, "ROWS_AT_ONCE", rows)
    ids = ["a", "a", "a", "b", "b", "c", "d", "d", "d"]
    for name, part in (("0", slice(0, 4)), ("1", slice(4, 9))):
        kind = pa.array(ids[part]).dictionary_encode()
        pq.write_table(pa.table({"id": ids[part], "kind": kind}), tmp_path / name, row_group_size=3)
    found = list(audit_items.whole_lists([tmp_path / "0", tmp_path / "1"], ["id", "kind"]))
    assert [len(table) for table in found] == tables
    assert [value for table in found for value in table["kind"].to_pylist()] == ids
