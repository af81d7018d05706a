"""An item was seldom shown by the log of what was shown or, without one, by the lists that it was in."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.exploration.seldom import seldom_shown
from tasks.store.feedback import SHOWN, learned
from tasks.store.paths import Night, Store
from tests.tasks.exported import with_manifest
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Items a to d; two exports have a in 5 lists and b in 2, and one of this very night has all of them."""
    night = Store(tmp_path).night(RUN_DATE)
    night.prepared.mkdir(parents=True)
    pq.write_table(pa.table({"item_id": ["a", "b", "c", "d"]}), night.prepared / "items.parquet")
    for name, lists in (("2026-03-29", [2, 1]), ("2026-03-30", [3, 1]), (str(RUN_DATE), [9, 9])):
        folder = night.store.export(name) / "listed"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"item_id": ["a", "b"], "lists": lists}), folder / "part-00000.parquet")
        with_manifest(night.store, name)
    return night


def test_lists_count_where_nothing_is_logged(night: Night) -> None:
    assert seldom_shown(night, 5).tolist() == [False, True, True, True]
    assert seldom_shown(night, 2).tolist() == [False, False, True, True]


def test_what_was_shown_counts_where_it_is_logged(night: Night) -> None:
    for day, items in ((date(2026, 3, 30), ["c", "c", "gone"]), (RUN_DATE, ["c", "d"])):
        with learned(night.store, day, SHOWN) as path:
            pq.write_table(pa.table({"item_id": items}), path)
    assert seldom_shown(night, 3).tolist() == [True, True, False, True]
    (night.store.feedback(RUN_DATE) / SHOWN).write_bytes(b"PAR1")
    assert seldom_shown(night, 3).tolist() == [True, True, True, True]
