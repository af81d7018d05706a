"""What is known of items and users is fitted on one split, and describes the whole catalogue."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.errors import ConfigError
from tasks.features.settings import FeatureSettings
from tasks.features.stage import _scaled_numbers, write_features
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tests.tasks.site import CUTOFF, DAY, END, events, write_valid_tables

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red fox", "Red hen", None, "Красная лиса red"],
        "genres": ["Farm|Wild", "farm", "", "Wild"],
        "labels": [["x", "y"], [], None, ["x"]],
        "price": [1.0, 3.0, None, 100.0],
    }
)


LOG = [(1, "a", 20), (1, "b", 19), (2, "b", 18), (2, "a", 17), (3, "a", 16), (1, "d", 1), (2, "c", 2)]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    tags = pa.table(
        {
            "item_id": ["a", "b", "b", "a", "?"],
            "tag": ["cosy", "Cosy", "late", "late", "cosy"],
            "timestamp": pa.array([END - days * DAY for days in (30, 30, 3, 3, 30)], pa.timestamp("us", "UTC")),
        }
    )
    write_valid_tables(tmp_path / "valid", interactions=events(LOG), items=ITEMS, tags=tags)
    (tmp_path / "prepared").mkdir()
    rules = PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=7)
    write_prepared(tmp_path / "valid", rules, CUTOFF, tmp_path / "prepared")
    return tmp_path


def featured(site: Path, split: layout.Split, **rules: Any) -> tuple[Path, dict[str, Any]]:
    out = site / split
    out.mkdir()
    return out, write_features(site / "prepared", site / "valid", split, FeatureSettings(**rules), out)


def vocabulary(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["column"], row["term"]): row for row in pq.read_table(out / layout.VOCABULARY).to_pylist()}


def terms(out: Path, item: int) -> dict[tuple[str, str], float]:
    names = {row["term_index"]: key for key, row in vocabulary(out).items()}
    rows = pq.read_table(out / layout.TERMS).to_pylist()
    return {names[row["term_index"]]: row["weight"] for row in rows if row["item_index"] == item}


def test_vocabulary_and_idf_come_from_the_items_of_the_window_alone(site: Path) -> None:
    out, summary = featured(site, "train", max_items_share=1)
    known = vocabulary(out)
    assert summary["fitted_on_items"] == 2  # a and b; c and d were first met in the holdout
    assert set(known) == {("title", "red"), ("genres", "farm"), ("user_tags", "cosy")}
    assert {row["document_frequency"] for row in known.values()} == {2}
    assert known["title", "red"]["idf"] == pytest.approx(math.log(3 / 3) + 1)
    full, summary = featured(site, "full", max_items_share=1)
    assert summary["fitted_on_items"] == 4
    assert ("user_tags", "late") in vocabulary(full)  # given three days before the cutoff
    assert vocabulary(full)["title", "red"]["idf"] == pytest.approx(math.log(5 / 4) + 1, rel=1e-6)


def test_every_item_is_described_by_unit_length_tf_idf(site: Path) -> None:
    out, _ = featured(site, "full", max_items_share=1)
    red, wild, x = (math.log(5 / (1 + n)) + 1 for n in (3, 2, 2))
    length = math.sqrt(red**2 + wild**2 + x**2)
    expected = {("title", "red"): red / length, ("genres", "wild"): wild / length, ("labels", "x"): x / length}
    assert terms(out, 3) == pytest.approx(expected, rel=1e-6)
    assert terms(out, 2) == {}  # an item without a word is there, and empty
    weights = pq.read_table(out / layout.TERMS)
    squares = np.bincount(weights["item_index"].to_numpy(), weights["weight"].to_numpy() ** 2, minlength=4)
    np.testing.assert_allclose(squares, [1, 1, 0, 1], rtol=1e-6)


def test_words_in_most_items_and_rare_terms_are_left_out(site: Path) -> None:
    out, _ = featured(site, "full", max_items_share=0.5)
    assert ("title", "red") not in vocabulary(out)  # in 3 of 4
    assert ("title", "fox") not in vocabulary(out)  # in 1


def test_numbers_are_scaled_by_the_items_of_the_window(site: Path) -> None:
    out, _ = featured(site, "train")
    assert pq.read_table(out / layout.ITEM_FEATURES)["price"].to_pylist() == [-1, 1, 0, 98]


def test_a_number_that_all_known_items_have_is_no_measure_of_others() -> None:
    items = pa.table({"price": [0.1, 0.1, 0.1, 0.2], "size": [1.0, None, 3.0, 5.0]})
    known = np.array([True, True, True, False])
    assert items["price"].to_numpy()[:3].std() > 0  # by rounding
    scaled = _scaled_numbers(items, FeatureSettings(), known)
    assert {name: column.tolist() for name, column in scaled.items()} == {"size": [-1, 0, 1, 3]}


def test_activity_ends_with_the_window(site: Path) -> None:
    out, _ = featured(site, "train")
    items = pq.read_table(out / layout.ITEM_FEATURES).to_pylist()
    assert [row["interactions"] for row in items] == [3, 2, 0, 0]
    assert [row["popularity"] for row in items] == pytest.approx([0.6, 0.4, 0, 0])
    assert [row["recency_days"] for row in items] == [9, 11, None, None]  # the split ends 7 days before the cutoff
    users = pq.read_table(out / layout.USER_FEATURES).to_pylist()
    assert [row["age_days"] for row in users] == [13, 11, 9]


def test_sequences_are_the_users_items_in_order_of_time_for_those_who_ask(site: Path) -> None:
    assert not (featured(site, "train")[0] / layout.SEQUENCES).exists()
    out, _ = featured(site, "full", sequences=True)
    rows = pq.read_table(out / layout.SEQUENCES).to_pylist()
    assert [row["item_index"] for row in rows] == [[0, 1, 3], [1, 0, 2], [0]]
    assert all(row["timestamp"] == sorted(row["timestamp"]) for row in rows)


def test_a_site_without_a_catalogue_has_no_terms(tmp_path: Path) -> None:
    write_valid_tables(tmp_path / "valid", interactions=events(LOG))
    for name in ("prepared", "train"):
        (tmp_path / name).mkdir()
    write_prepared(tmp_path / "valid", PrepareSettings(min_user_interactions=1), CUTOFF, tmp_path / "prepared")
    summary = write_features(tmp_path / "prepared", tmp_path / "valid", "train", FeatureSettings(), tmp_path / "train")
    assert summary["terms"] == {}
    assert pq.read_table(tmp_path / "train" / layout.TERMS).num_rows == 0


@pytest.mark.slow
def test_single_events_are_those_that_the_split_may_know_for_those_who_ask(tmp_path: Path) -> None:
    log = [(1, "a", 20), (1, "a", 20), (1, "a", 12), (1, "b", 19), (2, "b", 18), (2, "a", 17), (1, "a", 2), (2, "d", 1)]
    kinds = ["buy", "buy", "look", "buy", "buy", "buy", "buy", "buy"]
    rows = events(log).append_column("event", pa.array(kinds))
    write_valid_tables(tmp_path / "valid", interactions=rows, items=ITEMS)
    (tmp_path / "prepared").mkdir()
    settings = PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=7, holdout_repeats=True)
    write_prepared(tmp_path / "valid", settings, CUTOFF, tmp_path / "prepared")
    held = pq.read_table(tmp_path / "prepared" / layout.HOLDOUT).to_pylist()
    assert [(row["user_index"], row["item_index"]) for row in held] == [(0, 0), (1, 3)]  # again, and for the first time
    assert not (featured(tmp_path, "train")[0] / layout.EVENTS).exists()
    (tmp_path / "train").rename(tmp_path / "before")

    def found(split: layout.Split, **rules: Any) -> list[tuple[int, int, float]]:
        out, _ = featured(tmp_path, split, events=True, due_after=0.7, **rules)
        table = pq.read_table(out / layout.EVENTS)
        days = (END - table["timestamp"].cast(pa.int64()).to_numpy()) / DAY
        (out).rename(tmp_path / f"{split}-{len(rules)}")
        return list(zip(table["user_index"].to_pylist(), table["item_index"].to_pylist(), days.tolist(), strict=True))

    first = [(0, 0, 20), (0, 1, 19), (0, 0, 12), (1, 1, 18), (1, 0, 17)]
    assert found("train") == first
    rests = pq.read_table(tmp_path / "train-0" / layout.RESTING).to_pylist()
    assert rests == [{"user_index": 0, "item_index": 0}]  # 5 of 8 days are over
    assert found("full") == [*first[:3], (0, 0, 2), *first[3:], (1, 3, 1)]
    assert found("train", event_kinds=["buy"]) == [*first[:2], *first[3:]]
    with pytest.raises(ConfigError, match="no interaction has the event 'bought'; there are 'buy', 'look'"):
        found("train", event_kinds=["bought"])
    write_valid_tables(tmp_path / "valid", interactions=events(log), items=ITEMS)
    with pytest.raises(ConfigError, match="event_kinds: the interactions have no column event"):
        found("full", event_kinds=["buy"])
