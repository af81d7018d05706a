"""The panel of a night by hand: what it measures, what it keeps, and of whom."""

import shutil
from datetime import date, timedelta
from math import log, log2
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.metrics.beyond_accuracy import gini
from tasks.forgetting.forget import forget
from tasks.panel import choices, known, stage
from tasks.panel.settings import PanelSettings
from tasks.panel.stage import follow, panel_notes, retain_panels
from tasks.store import history
from tasks.store.files import Json
from tasks.store.leftovers import foreign, sweep
from tasks.store.manifests import run_stage, whole
from tasks.store.paths import Night, Store
from tests.tasks.panel.panels import ITEMS, ROLES, cutoff, measured, prepared, published

DAY = date(2026, 3, 31)
USERS = [10, 11, 12, 13]
IDS = ITEMS["item_id"].to_pylist()
LISTS = np.array([[0, 1], [0, -1], [2, 0], [-1, -1]])
LOG = [(0, 2, 40.0), (0, 3, 0.5), (1, 0, 10.0), (2, 0, 20.0), (2, 1, 0.2), (3, 0, 3.0)]
SECOND = 1 / log2(3)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Store(tmp_path).night(DAY)
    prepared(night, LOG, USERS)
    return night


def publish(night: Night, lists: Any = LISTS, **about: Any) -> Json:
    return published(night.store, night.run_date, lists, USERS, IDS, **about)


def kept(night: Night, name: str) -> pa.Table:
    return pq.read_table(night.store.panel(night.run_date) / f"{name}.parquet")


def test_figures_are_those_of_their_definitions(night: Night) -> None:
    published(night.store, DAY - timedelta(days=1), np.array([[0, 1], [2, 3], [0, 1], [0, 1]]), USERS, IDS)
    found = measured(night, publish(night), provider="brand")["summary"]
    figures = found["figures"]
    exposure = np.array([2 + SECOND, SECOND, 1, 0])
    assert figures["exposure_gini"] == pytest.approx(gini(exposure[:3]))  # d is not available, and not shown
    acme, middle = (2 + 2 * SECOND) / (3 + 2 * SECOND), 0.0
    for share, target in ((acme, 2 / 3), (1 - acme, 1 / 3)):
        both = (share + target) / 2
        middle += (share * log2(share / both) + target * log2(target / both)) / 2
    assert figures["provider_divergence"] == pytest.approx(middle)
    popularity = np.array([3, 1, 1, 1]) / 4
    listed = np.array([(popularity[0] + popularity[1]) / 2, popularity[0], (popularity[2] + popularity[0]) / 2])
    chosen = np.array([0.25, 0.75, 0.5])
    assert figures["popularity_lift"] == pytest.approx(listed.mean() / chosen.mean() - 1)
    distance = [log(1 / 0.01), 0, log(1 / (0.99 / 2 + 0.01))]  # all y and the list all x; all x both; and half of it y
    assert figures["miscalibration"] == pytest.approx(np.mean(distance))
    assert figures["age"] == pytest.approx(np.mean([(20 + 0.2) / 2, 20, (40 + 20) / 2]))
    assert figures["individual_entropy"] == 0  # in 28 days each chose of one genre
    assert figures["collective_entropy"] == pytest.approx(-(0.2 * log2(0.2) + 0.8 * log2(0.8)))
    assert figures["from_lists"] == 0.5  # of the last day, b was in its list, and d in none
    assert (figures["unseen_7_days"], figures["unseen_28_days"]) == (None, None)  # no night is so old
    assert (found["assumed"], found["users"], found["of_users"]) == (True, 4, 4)


def test_users_keep_what_they_add_to_each_figure(night: Night) -> None:
    summary = measured(night, publish(night), provider="brand")["summary"]
    users = kept(night, "users")
    assert users["user_id"].to_pylist() == USERS
    for name in set(users.column_names) - {"user_id"}:
        assert np.nanmean(users[name].to_numpy()) == pytest.approx(summary["figures"][name], abs=1e-6), name
    assert users["popularity_lift"][3].as_py() is None  # who has no list
    pairs = kept(night, "pairs").to_pylist()
    at_random = [one for one in pairs if not one["nearest"]]
    assert sorted(one[name] for one in at_random for name in ("user_id", "other_id")) == USERS
    alike = [tuple(one.values()) for one in pairs if one["nearest"]]
    assert alike == [(11, 13, True, 0.0)]  # both chose a alone
    assert kept(night, "items")["item_id"].to_pylist() == ["a", "b", "c"]


def test_buckets_of_an_engine_find_what_is_counted_here(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    path = night.prepared / "full" / "interactions.parquet"
    table = pq.read_table(path)
    weight = pa.array([0.0, *[1.0] * (len(LOG) - 1)], pa.float32())  # the first is no choice
    again = pa.array([time.as_py() - timedelta(hours=2) for time in table["timestamp"]], table["timestamp"].type)
    pq.write_table(table.set_column(3, "weight", weight).append_column("first", again), path)
    monkeypatch.setattr(known, "followed", lambda *_: np.array([0, 1], np.int32))
    published(night.store, DAY - timedelta(days=1), np.array([[0, 1], [2, 3], [0, 1], [0, 1]]), USERS, IDS)
    export = publish(night)

    def found() -> list[Any]:
        figures = measured(night, export)["summary"]["figures"]
        return [figures, *(kept(night, name).to_pylist() for name in ("users", "pairs", "items"))]

    here = found()
    shutil.rmtree(night.store.panel(night.run_date))
    monkeypatch.setattr(choices, "bucket_count", lambda _: 3)
    with using(LocalEngine()):
        there = found()
    assert repr(there) == repr(here)  # nan is nan
    assert here[0]["from_lists"] == 0.5  # of two choices on the last day, one by who is not followed
    assert not night.parts("panel").exists()


def test_logged_exposures_are_counted_instead_of_lists(night: Night) -> None:
    export = publish(night)
    now = int(cutoff(DAY).timestamp()) * 1_000_000
    hour = 3_600_000_000

    def build(out: Path) -> dict[str, Any]:
        table = {
            "user_index": pa.array([0, 0, 1, 2, 2], pa.int32()),
            "item_index": pa.array([3, 0, 0, 1, 2], pa.int32()),
            "timestamp": [now - 13 * hour, now - 2 * hour, now - 2 * hour, now - 4 * hour, now - 100 * hour],
        }
        pq.write_table(pa.table(table), out / "exposures.parquet")
        return {"assumed": False}

    shown = run_stage(night.exposures, build, code="", inputs={}, parameters={})
    found = measured(night, export, shown)["summary"]
    assert found["figures"]["exposure_gini"] == pytest.approx(gini(np.array([2, 1, 0, 1])))
    assert found["figures"]["from_lists"] == 0.5  # d was shown to 10 before, and b to 12 only afterwards
    rows = {(row["metric"], row["slice"]): row for row in kept(night, "history").to_pylist()}
    assert ("exposure_gini", "shown") in rows and ("age", "published") in rows
    assert rows["unseen_28_days", "shown"]["value"] is None


@pytest.mark.slow
def test_items_that_nobody_is_shown_in_seven_days_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n, lists in enumerate([LISTS, *[np.array([[1], [1], [1], [1]])] * 7]):
        night = store.night(DAY + timedelta(days=n))
        prepared(night, LOG, USERS)
        found = measured(night, publish(night, lists))["summary"]["figures"]
        if n == 6:
            assert found["unseen_7_days"] == 0  # a, b and c were shown seven days ago
    assert found["unseen_7_days"] == pytest.approx(2 / 3)
    assert found["unseen_28_days"] is None


def test_a_rerun_replaces_and_what_cannot_be_measured_costs_no_night(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "panel", stage.panel.fn)  # without a server
    night.evaluation.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([], schema=history.ROWS), night.evaluation / history.COMPARISON)

    def again(export: Json, **settings: Any) -> list[Json]:
        about = (night, PanelSettings(**settings), ROLES, cutoff(DAY), {"output": "p"}, None, export)
        follow(*about)  # type: ignore[arg-type]
        rows: list[Json] = pq.read_table(night.store.history(DAY)).to_pylist()
        return [row for row in rows if row["metric"] == "exposure_gini"]

    export = publish(night)
    (first,) = again(export)
    (second,) = again(publish(night, np.array([[0], [0], [0], [0]]), fingerprint="other"))
    assert second["value"] > first["value"]
    assert (second["slice"], second["users"]) == ("published", 4)
    assert again(export | {"export_id": "2020-01-01"})[0]["value"] is None  # an export that is gone
    assert again(export | {"k": "?"}) == []
    assert not night.store.panel(DAY).exists()
    assert again(export, enabled=False) == []


def test_a_provider_that_is_no_column_is_noted(night: Night) -> None:
    export = publish(night)
    assert measured(night, export, provider="brnd")["summary"]["figures"]["provider_divergence"] is None
    assert panel_notes(night) == ["panel.provider is 'brnd', and the items have no such column with one value each"]
    nobody = measured(night, export, provider="brand", target={"acme": 1.0})["summary"]
    assert nobody["figures"]["provider_divergence"] is None
    assert nobody["notes"] == ["panel.target names nobody who is in the items' column 'brand'"]
    target = {"Acme": 1.0, "Bolt": 3.0}
    found = measured(night, export, provider="brand", target=target)["summary"]["figures"]["provider_divergence"]
    assert found and found > measured(night, export, provider="brand")["summary"]["figures"]["provider_divergence"]  # type: ignore[operator]


def test_who_is_forgotten_leaves_with_their_pairs_and_the_rest_stays_whole(night: Night) -> None:
    measured(night, publish(night))
    folder = night.store.panel(DAY)
    before = {name: kept(night, name).to_pylist() for name in ("users", "pairs")}
    forget(night.store, "12")
    assert whole(folder) is not None
    for name, rows in before.items():
        rest = [row for row in rows if 12 not in (row["user_id"], row.get("other_id"))]
        assert kept(night, name).to_pylist() == rest and len(rest) < len(rows)


def test_old_panels_go_leftovers_are_swept_and_what_is_somebodys_stays(night: Night) -> None:
    days = [DAY - timedelta(days=ago) for ago in (200, 120, 119, 0)]
    for day in days:
        night.store.panel(day).mkdir(parents=True)
    half, notes = night.store.panel(DAY).with_name(".tmp-2026-04-01"), night.store.panel(DAY).with_name("notes")
    for folder in (half, notes):
        folder.mkdir()
    retain_panels(night.store, 120)
    sweep(night.store)
    assert list(night.store.panels()) == days[2:] and not half.exists()
    assert foreign(night.store) == [notes]
