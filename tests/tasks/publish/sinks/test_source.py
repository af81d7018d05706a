"""What a sink gets: rows, whole lists, and a tally of them."""

import pyarrow as pa
import pytest

from tasks.publish.sinks import source as module
from tasks.publish.sinks.source import Published, Tally
from tasks.store.paths import Night
from tests.tasks.loading import TABLES, published


def test_a_tally_does_not_depend_on_the_order_and_sees_every_change() -> None:
    rows = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"], "c": pa.array([0.5, 1.5, 2.5], pa.float32())})

    def tally(*tables: pa.Table) -> tuple[int, int]:
        one = Tally()
        for table in tables:
            one.add(table)
        return one.rows, one.checksum

    assert tally(rows) == tally(rows.slice(1), rows.slice(0, 1))
    assert tally(rows) != tally(rows.set_column(1, "b", [["x", "", "z"]]))
    assert tally(rows) != tally(pa.concat_tables([rows, rows.slice(0, 1)]))


@pytest.mark.slow
def test_lists_are_never_cut(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (1, 2, 4, 7):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", n)
        for table in TABLES:
            whole = [one for one in Published.latest(night.store).lists(table) if one.num_rows]
            assert all(one["rank"][0].as_py() == 1 for one in whole)
            assert pa.concat_tables(whole).num_rows == len(published(night.store, table))
