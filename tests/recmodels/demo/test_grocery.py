"""The demo grocer: as many purchases as are asked for, most of them again, and the same for the same seed."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.demo import write_grocery
from recmodels.demo.grocery import DEPARTMENTS, Assortment, shop
from recmodels.errors import ConfigError

END = date(2026, 11, 1)


def test_the_tables_are_as_large_as_asked_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    size = {"users": 50, "items": 60, "interactions": 3000, "days": 60}
    written = [
        write_grocery(tmp_path / name, **size, end=END, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert written[0]["rows"] == {"interactions": 3000, "items": 60, "users": 50}
    files = [[(tmp_path / name / file).read_bytes() for file in written[0]["files"].values()] for name in "abc"]
    assert files[0] == files[1] and files[0][0] != files[2][0]
    log = pq.read_table(tmp_path / "a" / "interactions.parquet").to_pandas()
    assert log["timestamp"].is_monotonic_increasing and set(log["event"]) == {"purchase"}
    days = (np.datetime64(END, "ns") - log["timestamp"].dt.tz_localize(None)).dt.total_seconds() / 86_400
    assert 0 < days.min() < 1 and 50 < days.max() <= 60
    assert log.duplicated(["user_id", "item_id"]).mean() > 0.5
    items = pq.read_table(tmp_path / "a" / "items.parquet").to_pandas()
    assert set(log["item_id"]) <= set(items["item_id"]) and (items["margin"] < items["price"]).all()


def test_what_lasts_longer_is_bought_again_later() -> None:
    rng = np.random.default_rng(0)
    assortment = Assortment.of(300, rng)
    log = shop(60_000, 200, 365, assortment, rng)
    order = np.lexsort((log.seconds, log.item, log.user))
    user, item, days = log.user[order], log.item[order], log.seconds[order] / 86_400
    again = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    gap, department = np.diff(days)[again], assortment.department[item[1:][again]]
    median = [np.median(gap[department == one]) for one in range(len(DEPARTMENTS))]
    lasts = [days for days, _ in DEPARTMENTS.values()]
    assert np.corrcoef(np.argsort(np.argsort(median)), np.argsort(np.argsort(lasts)))[0, 1] > 0.9


def test_what_cannot_be_a_grocer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs items of at least 2, got 1"):
        write_grocery(tmp_path, items=1, end=END)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Cannot write the demo grocer"):
        write_grocery(tmp_path / "file", users=5, interactions=10, end=END)
