"""Ids become dense indices, and users that have opted out are gone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.errors import DataRefused
from tests.tasks.prepared import LOOSE, SITE, pairs, prepared
from tests.tasks.site import events


def test_ids_are_indexed_in_their_own_order_and_type(tmp_path: Path) -> None:
    out = prepared(
        tmp_path, interactions=events([(2**60 + 1, "b", 2), (-5, "B", 1), (2**60 + 1, "a", 3), (-5, "b", 2)])
    )
    users, items = pq.read_table(out / layout.USERS), pq.read_table(out / layout.ITEMS)
    assert users["user_id"].to_pylist() == [-5, 2**60 + 1]
    assert users["user_id"].type == pa.int64()
    assert items["item_id"].to_pylist() == ["B", "a", "b"]
    assert items["item_index"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize("spread", [1, 10**12])
def test_integer_ids_close_together_and_far_apart_are_indexed_the_same_way(tmp_path: Path, spread: int) -> None:
    log = events(
        [(user * spread, item * spread, day) for user, item, day in ((-3, 5, 9), (-3, 7, 8), (4, 5, 7), (4, 6, 6))]
    )
    items = pa.table({"item_id": [9 * spread, -spread]})
    out = prepared(tmp_path, interactions=log, items=items)
    assert pq.read_table(out / layout.ITEMS)["item_id"].to_pylist() == [n * spread for n in (-1, 5, 6, 7, 9)]
    assert pairs(out) == [
        (-3 * spread, 5 * spread),
        (-3 * spread, 7 * spread),
        (4 * spread, 5 * spread),
        (4 * spread, 6 * spread),
    ]


@pytest.mark.parametrize("name", [int, str])
def test_opted_out_users_are_gone_from_everything(name: type, tmp_path: Path) -> None:
    users = pa.table({"user_id": [name(n) for n in (1, 2, 3, 9)], "opted_out": [None, False, True, True]})
    log = [(name(user), item, day) for user, item, day in [*SITE, (3, "only", 1)]]
    out = prepared(tmp_path, interactions=events(log), users=users)
    assert pq.read_table(out / layout.USERS)["user_id"].to_pylist() == [name(1), name(2)]
    assert "only" not in pq.read_table(out / layout.ITEMS)["item_id"].to_pylist()
    assert {user for user, _ in pairs(out)} == {name(1), name(2)}


def test_a_site_whose_users_have_all_opted_out_is_refused(tmp_path: Path) -> None:
    users = pa.table({"user_id": [1, 2], "opted_out": [True, True]})
    with pytest.raises(DataRefused, match="every user of the interactions has opted out"):
        prepared(tmp_path, interactions=events(SITE), users=users)


def test_weights_of_events_that_nobody_has_are_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "nightrec")
    rules = LOOSE.model_copy(update={"event_weights": {"view": 1.0, "purchse": 5.0}, "min_rating": 3.0})
    prepared(tmp_path / "1", rules, interactions=events(SITE))
    without = "has no effect: the interactions have no column"
    assert all(f"prepare.{name}" in caplog.text for name in (f"event_weights {without} event", f"min_rating {without}"))
    caplog.clear()
    names, ratings = ["view", None, "purchase", "view"], [4.0, None, 5.0, 1.0]
    prepared(tmp_path / "2", rules, interactions=events(SITE, event=names, rating=ratings))
    assert "prepare.event_weights: no interaction has the event 'purchse'; check the names" in caplog.text
    assert "has no effect" not in caplog.text
