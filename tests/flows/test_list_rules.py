"""A night under the rules of a site: what it publishes keeps them, and it says the price."""

import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.flows.running import Demo, nightrec
from tests.flows.sites import DAY, write

SETTINGS = """
[demo]
users = 300
items = 120
interactions = 5000
[evaluation]
backtests = 2
[models.popularity]
[models.item_knn]
[features.roles]
category = "category"
[exploration]
epsilon = 0.5
[export]
relevance_weight = 0.6
max_per_category = 3
new_share = 0.2
pinned = [1003]
pinned_rank = 2
excluded = [1001, "nowhere"]
min_score = 0.0
calibration = 0.2
popularity_damping = 0.05
exposure = { column = "kind", least = { audiobook = 0.3 } }
"""


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory, no_prefect: None) -> Demo:
    folder = tmp_path_factory.mktemp("ruled")
    write(folder / "nightrec.toml", SETTINGS)
    night = Demo(folder, nightrec("run", "--date", DAY.isoformat(), cwd=folder))
    assert night.ran.code == 0, night.ran.err
    return night


def test_the_published_lists_keep_the_rules(ruled: Demo) -> None:
    lists = pq.read_table(ruled.store / "exports" / "latest" / "topk").to_pandas()
    items = pq.read_table(ruled.store / "nights" / str(DAY) / "features" / "prepared" / "items.parquet").to_pandas()
    filed = items[items["category"].notna()]
    category = dict(zip(filed["item_id"], filed["category"], strict=True))
    assert not (lists["item_id"] == 1001).any()
    assert set(lists.loc[lists["source"] == "pinned", "item_id"]) == {1003}
    for _, rows in lists.groupby("user_id"):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert (np.diff(rows["score"]) <= 0).all()
        assert max(Counter(category[item] for item in rows["item_id"] if item in category).values()) <= 3
        if (pinned := rows.loc[rows["item_id"] == 1003, "rank"]).size:
            assert pinned.tolist() == [2]


def test_drawn_places_keep_them_too_and_are_told(ruled: Demo) -> None:
    lists = pq.read_table(ruled.store / "exports" / "latest" / "topk").to_pandas()
    proposals = pq.read_table(ruled.store / "feedback" / str(DAY) / "proposals.parquet").to_pandas()
    drawn = lists[lists["policy"] == "explore"]
    assert len(drawn) and set(drawn["rank"]) == {10} and (drawn["propensity"] <= 0.5).all()
    found = drawn.merge(proposals, on=["user_id", "item_id"])
    assert set(found["user_id"]) == set(drawn["user_id"]) and (found["slot"] == 10).all()
    record = json.loads((ruled.store / "nights" / str(DAY) / "night.json").read_text())
    assert record["exploration"]["counts"]["drawn"] == len(drawn)


def test_the_night_says_what_the_rules_cost_and_gain(ruled: Demo) -> None:
    record = json.loads((ruled.store / "nights" / str(DAY) / "night.json").read_text())
    for name in ("popularity", "item_knn"):
        figures = record["reranking"][name]
        assert figures["with"]["ndcg"] == pytest.approx(record["models"][name]["ndcg"]["value"])
        assert figures["with"]["diversity"] > figures["without"]["diversity"]
        assert figures["with"]["exposure"]["audiobook"] >= 0.29
    assert "by the rules: NDCG" in " ".join(stage["message"] for stage in record["stages"])
    assert "export.excluded: 1 of 2 ids are not in the catalogue: nowhere" in ruled.ran.out


def test_each_candidate_has_its_mean_and_spread_over_windows(ruled: Demo) -> None:
    record = json.loads((ruled.store / "nights" / str(DAY) / "night.json").read_text())
    for name, metrics in record["models"].items():
        found = record["backtests"][name]
        assert (found["days"], found["measured"]) == (7, 2)
        assert [one["start"] for one in found["each"]] == ["holdout", "2024-02-23"]  # too few users for days
        values = [one["ndcg"] for one in found["each"]]
        assert values[0] == metrics["ndcg"]["value"] and found["mean"] == pytest.approx(sum(values) / 2)
    history = pq.read_table(ruled.store / "history" / f"{DAY}.parquet").to_pylist()
    assert {row["model"] for row in history if row["slice"] == "windows"} == set(record["models"])
    page = (ruled.store / "reports" / f"{DAY}.html").read_text()
    assert "Backtests" in page and "window:2024" not in page


def test_the_page_and_the_status_say_it_too(ruled: Demo) -> None:
    page = (ruled.store / "reports" / f"{DAY}.html").read_text()
    assert "What the rules of the lists cost and gain" in page
    figures = json.loads((ruled.store / "nights" / str(DAY) / "night.json").read_text())
    champion = figures["reranking"][figures["winner"]]
    told = nightrec("status", cwd=ruled.folder).out
    assert "Rules of the lists" in told
    for when in ("without", "with"):
        assert f"{champion[when]['miscalibration']:.4f}" in page
        assert f"{champion[when]['diversity']:.4f}" in page and f"{champion[when]['diversity']:.4f}" in told


def test_the_export_is_verified_by_its_own_rules(ruled: Demo) -> None:
    exposure = json.loads((ruled.store / "exports" / "manifests" / f"{DAY}.json").read_text())["exposure"]
    audiobook = exposure["shares"]["audiobook"]
    assert audiobook["missed"] is None and audiobook["share"] >= 0.29
    checked = nightrec("verify", cwd=ruled.folder)
    assert checked.code == 0, checked.err
    assert "keep the contract" in checked.out
