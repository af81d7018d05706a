"""DuckDB as the stages use it."""

from pathlib import Path

import pytest

from recmodels.compute.memory import at_most
from tasks.store.duckdb import connect, literal, quoted


def test_a_database_keeps_the_order_of_rows_in_utc_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with connect(tmp_path, "500MB", threads=2) as db:
        assert db.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        assert db.execute("SELECT current_setting('threads')").fetchone() == (2,)
        assert [path.name.startswith(".tmp-duckdb-") for path in tmp_path.iterdir()] == [True]
    assert not list(tmp_path.iterdir())


def test_a_database_takes_three_fifths_of_the_memory_at_most(tmp_path: Path) -> None:
    limits = []
    for given in ("500MB", "100GB", None):
        with at_most(2**30), connect(tmp_path, given) as db:
            limits += db.execute("SELECT current_setting('memory_limit')").fetchone() or ()
    assert limits == ["476.8 MiB", "614.3 MiB", "614.3 MiB"]


@pytest.mark.parametrize("name", ["plain", 'with "quotes"', "it's", "a;b--"])
def test_names_and_texts_are_quoted(tmp_path: Path, name: str) -> None:
    with connect(tmp_path) as db:
        found = db.sql(f"SELECT {literal(name)} AS {quoted(name)}")
        assert (found.columns, found.fetchall()) == ([name], [(name,)])
