"""What a replay has kept as arrays, and how much of each list is new."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluate.summary import Figure, ModelSummary
from tasks.replay.kept import HOLDOUT, LISTS, USERS, folder_of, kept
from tasks.replay.measures import MEASURES, OF_USERS
from tasks.replay.panel import churn_between, panel_of
from tasks.store.manifests import run_stage
from tasks.store.paths import Store

NIGHTS = [date(2026, 1, 1), date(2026, 1, 8)]


def lists(rows: dict[str, list[str]]) -> pa.Table:
    pairs = [(user, item) for user, items in rows.items() for item in items]
    return pa.table({"user_id": [user for user, _ in pairs], "item_id": [item for _, item in pairs]})


def keep(store: Store, run_date: date, model: str, ndcg: dict[str, float], shown: dict[str, list[str]]) -> None:
    """What a night has kept of a model whose users have these figures and lists."""

    def build(out: Path) -> dict[str, object]:
        nothing = pa.nulls(len(ndcg), pa.float32())
        columns = dict.fromkeys(OF_USERS, nothing) | {"ndcg": pa.array(ndcg.values(), pa.float32())}
        pq.write_table(pa.table({"user_id": list(ndcg), **columns}), out / USERS)
        pq.write_table(lists(shown), out / LISTS)
        pq.write_table(pa.table({"user_id": list(ndcg), "ndcg": list(ndcg.values())}), out / HOLDOUT)
        mean = Figure(value=sum(ndcg.values()) / len(ndcg))
        holdout = ModelSummary(k=2, users=len(ndcg), metrics={"ndcg": mean}, slices=[], message="").json_ready()
        figures = dict.fromkeys([one.name for one in MEASURES]) | {"ndcg": 0.5, "coverage": 0.25}
        return {
            "figures": figures,
            "holdout": holdout,
            "k": 2,
            "users": 3,
            "judged": 2,
            "warm": 2,
            "beyond": 0,
            "seconds": 1.0,
        }

    run_stage(folder_of(store.night(run_date), model), build, code="", inputs={}, parameters={})


def test_churn_is_the_share_of_a_list_that_the_last_one_did_not_have() -> None:
    before = lists({"a": ["1", "2"], "b": ["1", "2"], "gone": ["1"]})
    now = lists({"a": ["2", "1"], "b": ["3", "2"], "new": ["1"]})
    users, shares = churn_between(before, now)
    assert dict(zip(users.to_pylist(), shares.tolist(), strict=True)) == {"a": 0.0, "b": 0.5}


def test_a_row_is_a_user_and_night_with_the_figures_of_all_models(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for run_date, ndcg in zip(NIGHTS, ({"u": 0.1, "v": 0.2}, {"v": 0.4, "w": 0.6}), strict=True):
        keep(store, run_date, "als", ndcg, {"v": ["1", str(run_date.day)]})
        keep(store, run_date, "ease", {name: value / 2 for name, value in ndcg.items()}, {"v": ["1", "2"]})
    found = panel_of(kept(store), ["ease", "als"])
    assert (found.dates, found.days[1] - found.days[0]) == (NIGHTS, 7)
    assert found.at.tolist() == [0, 0, 1, 1]
    assert len(set(found.user.tolist())) == 3 and found.user[1] == found.user[2]
    ndcg = OF_USERS.index("ndcg")
    assert found.values[:, 1, ndcg] == pytest.approx([0.1, 0.2, 0.4, 0.6])
    assert found.values[:, 0, ndcg] == pytest.approx([0.05, 0.1, 0.2, 0.3])
    churn = [one.name for one in MEASURES].index("churn")
    assert np.isnan(found.nights[0, :, churn]).all()  # there was no list before
    assert found.nights[1, :, churn].tolist() == [0.0, 0.5]
    assert found.values[2, :, OF_USERS.index("churn")].tolist() == [0.0, 0.5]


def test_what_is_damaged_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keep(store, NIGHTS[0], "als", {"u": 0.1}, {"u": ["1"]})
    (folder_of(store.night(NIGHTS[0]), "als") / USERS).write_bytes(b"PAR1")
    assert kept(store) == []
