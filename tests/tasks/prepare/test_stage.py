"""What models learn from: merged pairs, dense ids, the k-core, and a holdout that leaks nothing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.errors import DataRefused
from tasks.prepare.settings import PrepareSettings
from tests.tasks.prepared import DAYS, LOOSE, SITE, prepared
from tests.tasks.site import events


def test_catalogue_and_user_table_join_the_index_with_their_columns(tmp_path: Path) -> None:
    items = pa.table({"item_id": ["z", "a"], "title": ["Zed", "Ay"], "available": [False, None], "source_row": [1, 2]})
    users = pa.table({"user_id": [7], "country": ["FR"]})
    out = prepared(tmp_path, interactions=events(SITE), items=items, users=users)
    catalogue = pq.read_table(out / layout.ITEMS).to_pylist()
    assert [row["item_id"] for row in catalogue] == ["a", "b", "c", "z"]
    assert [row["title"] for row in catalogue] == ["Ay", None, None, "Zed"]
    assert [row["available"] for row in catalogue] == [True, True, True, False]
    assert "source_row" not in catalogue[0]
    assert pq.read_table(out / layout.USERS)["country"].to_pylist() == [None, None, "FR"]


@pytest.mark.parametrize(
    ("rules", "log", "message"),
    [
        (DAYS, SITE, "holdout would be empty: in the last 7 days before the cutoff"),
        (LOOSE, [(1, "a", 9), (1, "b", 8)], "Only 1 user remain"),
        (LOOSE, [(1, "a", 9), (2, "a", 8)], "Only 1 item"),
        (PrepareSettings(min_user_interactions=3), SITE, "Only 0 users remain"),
    ],
)
def test_too_little_is_refused_in_a_sentence(tmp_path: Path, rules: PrepareSettings, log: Any, message: str) -> None:
    with pytest.raises(DataRefused, match=message):
        prepared(tmp_path, rules, interactions=events(log))
