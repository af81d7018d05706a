"""A site whose users react: what a night publishes is what the next one finds to have been shown, with its clicks."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.flows.reacting import nights

FIRST = date(2026, 3, 1)
SETTINGS = """
[models.popularity]
[models.item_knn]
[gate]
min_lift = 0
[exploration]
epsilon = 0.5
slot = 1
"""


def test_nights_log_each_place_that_was_seen_once_with_its_propensity_and_click(
    tmp_path: Path, no_prefect: None
) -> None:
    size = ("--users", "150", "--items", "60", "--interactions", "3000", "--dirty", "none")
    for day, ran in nights(tmp_path, FIRST, 3, SETTINGS, *size):
        assert ran.code == 0, ran.err
        before = sorted((tmp_path / "data").glob("exposures-*.parquet"))
        assert len(before) == (day - FIRST).days
        if before:
            seen = sum(pq.read_metadata(path).num_rows for path in before)
            assert f"{seen:,} of {seen:,} exposures as published" in ran.out
    shown = pq.read_table(tmp_path / "store/feedback" / str(day) / "shown.parquet")
    there = pq.read_table(before[0])
    keys = ["user_id", "item_id", "rank", "export_id"]
    first = shown.filter(pc.equal(shown["rank"], 1))
    explored = first.filter(pc.equal(first["policy"].cast(pa.string()), "explore"))
    assert 0 < explored.num_rows < first.num_rows
    assert pc.min(shown["propensity"].filter(pc.not_equal(shown["rank"], 1))).as_py() == 1
    assert set(first["propensity"].to_pylist()) <= {0.25, 0.5, 0.75, 1.0}  # of two proposers, or of one
    both = shown.join(there, keys, right_suffix=" there", join_type="inner")
    assert shown.num_rows == there.num_rows == both.num_rows
    assert both["clicked"].equals(both["clicked there"])
    assert both["reward"].to_pylist() == [float(one) for one in both["clicked"].to_pylist()]
