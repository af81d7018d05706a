"""Days of the demo site: files that the next night reads, the same for the same lists and days before."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recmodels.demo.days import truth_on, write_day
from recmodels.demo.site import write_site
from recmodels.errors import ConfigError

END = date(2026, 3, 1)
NEXT = END + timedelta(days=1)


def make_site(folder: Path, seed: int = 0) -> None:
    write_site(folder, users=300, items=120, interactions=2_000, days=20, end=END, seed=seed)


def lists(folder: Path, seed: int = 0) -> pa.Table:
    """Five items for each user, as an export has them."""
    users = pq.read_table(folder / "users.parquet", columns=["user_id"])["user_id"].unique().drop_null()
    rng = np.random.default_rng(seed)
    items = np.argsort(rng.random((len(users), 120)), axis=1)[:, :5] + 1001
    return pa.table(
        {
            "user_id": users.take(np.repeat(np.arange(len(users)), 5)),
            "item_id": items.ravel(),
            "rank": pa.array(np.tile(np.arange(1, 6), len(users)), pa.int16()),
        }
    )


def test_a_day_has_what_was_seen_of_the_lists_and_what_users_did(tmp_path: Path) -> None:
    make_site(tmp_path)
    published = lists(tmp_path)
    done = write_day(tmp_path, END, "2026-03-01", published)
    shown, log = pq.read_table(done.exposures), pq.read_table(done.interactions)
    assert (shown.num_rows, log.num_rows) == (done.seen, done.rows)
    assert shown.column_names == ["user_id", "item_id", "rank", "timestamp", "export_id", "clicked"]
    assert log.schema.equals(pq.read_schema(tmp_path / "interactions.parquet"))
    assert set(shown["export_id"].to_pylist()) == {"2026-03-01"}
    assert pc.sum(shown["clicked"]).as_py() == done.clicks > 0
    matched = shown.join(published, ["user_id", "item_id", "rank"], join_type="inner")
    assert matched.num_rows == shown.num_rows
    clicked = shown.filter(shown["clicked"]).join(log, ["user_id", "item_id"], join_type="left semi")
    assert clicked.num_rows == done.clicks
    for table in (shown, log):
        assert set(table["timestamp"].cast(pa.date32()).to_pylist()) == {END}


def test_the_same_lists_give_the_same_bytes_again_and_others_give_others(tmp_path: Path) -> None:
    make_site(tmp_path)
    done = write_day(tmp_path, END, "2026-03-01", lists(tmp_path))
    first = done.interactions.read_bytes(), done.exposures.read_bytes()
    write_day(tmp_path, END, "2026-03-01", lists(tmp_path, seed=1))
    assert first != (done.interactions.read_bytes(), done.exposures.read_bytes())
    write_day(tmp_path, END, "2026-03-01", lists(tmp_path))
    assert first == (done.interactions.read_bytes(), done.exposures.read_bytes())


def test_a_day_follows_from_the_days_before_it(tmp_path: Path) -> None:
    make_site(tmp_path)
    before = truth_on(tmp_path, END)
    write_day(tmp_path, END, "2026-03-01", lists(tmp_path))
    same, after = truth_on(tmp_path, END), truth_on(tmp_path, NEXT)
    assert (same.weights == before.weights).all()
    assert (same.quality == after.quality).all()
    log = pq.read_table(tmp_path / "interactions-2026-03-01.parquet", columns=["user_id"])["user_id"].unique()
    moved = (after.weights != before.weights).any(axis=1) | (after.niches != before.niches).any(axis=1)
    assert set(np.flatnonzero(moved)) == set(pc.index_in(log, before.audience.table["user_id"]).to_pylist())


def test_what_cannot_go_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no table of a demo site in Parquet"):
        write_day(tmp_path, END, "2026-03-01", pa.table({}))
    make_site(tmp_path)
    with pytest.raises(ConfigError, match="has its days until 2026-03-01 already"):
        write_day(tmp_path, END - timedelta(days=1), "2026-02-28", lists(tmp_path))
    others = pa.table({"user_id": [1, 2], "item_id": [5, 6], "rank": pa.array([1, 1], pa.int16())})
    with pytest.raises(ConfigError, match="they have none of its users"):
        write_day(tmp_path, END, "2026-03-01", others)
    assert not list(tmp_path.glob("*-2026*"))


def test_days_of_another_site_are_not_taken_for_this_one(tmp_path: Path) -> None:
    make_site(tmp_path)
    write_day(tmp_path, END, "2026-03-01", lists(tmp_path))
    make_site(tmp_path, seed=1)
    with pytest.raises(ConfigError, match=r"interactions-2026-03-01.parquet is damaged, or of another demo site"):
        write_day(tmp_path, NEXT, "2026-03-02", lists(tmp_path))
