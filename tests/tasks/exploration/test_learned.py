"""What came of proposals makes the better proposer of each segment more probable; damage makes all alike."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.exploration.learned import Shares, _pulls, check_segment, learned_shares
from tasks.exploration.settings import ExplorationSettings
from tasks.store.feedback import PROPOSALS, SHOWN, learned
from tasks.store.paths import Night, Store
from tests.tasks.exported import with_manifest
from tests.tasks.site import RUN_DATE

YESTERDAY = RUN_DATE - timedelta(days=1)
EPSILON, SHARE, N = 0.5, 0.5, 400
SETTINGS = ExplorationSettings(epsilon=EPSILON, choose="linucb", segment="plan")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Two models have proposed to `N` users: `x` is liked by those who pay, `y` by the others.

    `x` proposes what the list has anyway to every second one of the others, and they like it: it is no merit of its.
    """
    night = Store(tmp_path).night(RUN_DATE)
    night.prepared.mkdir(parents=True)
    users = np.arange(N)
    paying = users < N // 2
    plans = ["paid" if one else "free" for one in paying]
    pq.write_table(pa.table({"user_id": users, "user_index": users, "plan": plans}), night.prepared / "users.parquet")
    agrees = ~paying & (users % 2 == 0)
    items = {"x": np.where(agrees, 0, 1), "y": np.full(N, 2)}
    table = pa.table(
        {
            "user_id": np.repeat(users, 2),
            "model": pa.array(["x", "y"] * N).dictionary_encode(),
            "item_id": np.stack([items["x"], items["y"]], axis=1).ravel(),
            "usual": np.zeros(2 * N, np.int64),
            "slot": pa.array([3] * (2 * N), pa.int16()),
            "share": pa.array([SHARE] * (2 * N), pa.float32()),
        }
    ).replace_schema_metadata({"export_id": str(YESTERDAY), "epsilon": repr(EPSILON)})
    with learned(night.store, YESTERDAY, PROPOSALS) as path:
        pq.write_table(table, path)
    drawn = np.random.default_rng(0).random(N)
    shown = np.where(drawn < 0.25, items["x"], np.where(drawn < 0.5, items["y"], 0))
    chance = EPSILON * SHARE * ((shown == items["x"]) * 1.0 + (shown == items["y"])) + (1 - EPSILON) * (shown == 0)
    liked = np.select([shown == 0, shown == 1], [~paying, paying], ~paying)
    log = {"user_id": users, "item_id": shown, "export_id": [str(YESTERDAY)] * N, "rank": [3] * N}
    log |= {"propensity": pa.array(chance, pa.float32()), "reward": pa.array(liked * 1.0, pa.float32())}
    log |= {"assumed": [False] * N}
    with learned(night.store, RUN_DATE, SHOWN) as path:
        pq.write_table(pa.table(log).replace_schema_metadata({"reward": "clicked"}), path)
    return night


def shares(night: Night, **settings: object) -> Shares:
    found = learned_shares(night, SETTINGS.model_copy(update=settings), 0, ["x", "y", "z"])
    assert found is not None
    return found


@pytest.mark.parametrize("choose", ["linucb", "thompson"])
def test_the_better_proposer_of_a_segment_is_more_probable(night: Night, choose: str) -> None:
    found = shares(night, choose=choose)
    by_plan = found.json_ready()
    assert by_plan["paid"]["x"] > 0.8 and by_plan["free"]["y"] > 0.4
    assert min(share for one in by_plan.values() for share in one.values()) >= 0.05 / 3 - 1e-4
    assert sum(by_plan["paid"].values()) == pytest.approx(1, abs=1e-3)
    of_users = found.of(np.array([0, N - 1], np.int32), ["y", "x"])
    expected = [[by_plan[plan][model] for model in "yx"] for plan in ("paid", "free")]
    assert of_users == pytest.approx(np.array(expected), abs=1e-4)


def test_a_proposer_gains_nothing_by_what_is_shown_anyway(night: Night) -> None:
    """Among the free, whom `x` pleases where it proposes the usual item alone, it is worth half of what `y` is."""
    users = pq.read_table(night.prepared / "users.parquet")
    of_users = (np.arange(N) >= N // 2).astype(np.int32)
    found = _pulls(night, users["user_id"], of_users)
    rows = zip(found["segment"], found["model"], found["reward"] / found["n"], strict=True)
    mean = {(segment, model): value for segment, model, value in rows}
    assert mean[1, "y"] == pytest.approx(1) and mean[0, "x"] == pytest.approx(1) and mean[0, "y"] == pytest.approx(0)
    assert mean[1, "x"] == pytest.approx(0.5, abs=0.1)


def test_lists_that_refilter_has_made_count_for_the_export_they_are_of(night: Night) -> None:
    before = shares(night).json_ready()
    again = f"{YESTERDAY}.2"
    with_manifest(night.store, again, refilter={"of": str(YESTERDAY)})
    path = night.store.feedback(RUN_DATE) / SHOWN
    rows = pq.read_table(path)
    pq.write_table(rows.set_column(2, "export_id", pa.array([again] * N)), path)
    assert shares(night).json_ready() == before


@pytest.mark.parametrize("newest", ["empty", "assumed"])
@pytest.mark.slow
def test_a_night_on_which_nothing_was_logged_makes_nobody_forget(night: Night, newest: str) -> None:
    before = shares(night).json_ready()
    path = night.store.feedback(RUN_DATE) / SHOWN
    rows = pq.read_table(path)
    with learned(night.store, YESTERDAY, SHOWN) as earlier:
        path.rename(earlier)
    guessed = {"assumed": pa.array([True] * N), "reward": pa.nulls(N, pa.float32()).fill_null(0)}
    others = rows.slice(0, 0)
    if newest == "assumed":
        others = pa.table({name: guessed.get(name, rows[name]) for name in rows.column_names})
    with learned(night.store, RUN_DATE, SHOWN) as path:
        pq.write_table(others.replace_schema_metadata({"reward": "interaction"}), path)
    assert shares(night).json_ready() == before


def test_without_a_log_all_are_alike_and_so_they_are_where_it_is_damaged(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    path = night.store.feedback(RUN_DATE) / SHOWN
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    for _ in range(2):
        by_plan = shares(night).json_ready()
        assert list(by_plan["paid"].values()) == pytest.approx([1 / 3] * 3, abs=1e-3)
        path.unlink(missing_ok=True)
    assert "all proposals are alike" in caplog.text


def test_a_column_that_is_not_there_is_refused_before_anything_is_trained(night: Night) -> None:
    check_segment(night, SETTINGS)
    with pytest.raises(ConfigError, match=r"exploration\.segment: the users have no column 'tier'; there are user_id"):
        check_segment(night, SETTINGS.model_copy(update={"segment": "tier"}))
    users = pq.read_table(night.prepared / "users.parquet")
    lists = users.append_column("likes", pa.array([["x"]] * N))
    pq.write_table(lists, night.prepared / "users.parquet")
    with pytest.raises(ConfigError, match=r"exploration\.segment: 'likes' has lists"):
        check_segment(night, SETTINGS.model_copy(update={"segment": "likes"}))
    with pytest.raises(ValueError, match="segment goes with choose"):
        ExplorationSettings(epsilon=0.1, segment="plan")
