"""docs/library.md: its examples run as they stand, one after the other."""

import re
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "library.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the examples leave."""
    folder = tmp_path_factory.mktemp("library")
    rng = np.random.default_rng(0)
    rows = 1500
    user = rng.integers(0, 60, rows)
    item = (user % 2) * 15 + rng.integers(0, 15, rows)  # half of the users keep to half of the items
    log = pd.DataFrame({"customer": [f"c{u}" for u in user], "sku": [f"s{i}" for i in item]})
    log["ts"] = 1_760_000_000 + rng.integers(0, 90 * 86_400, rows)
    log.to_csv(folder / "log.csv", index=False)
    items = pd.DataFrame({"sku": [f"s{i}" for i in range(31)], "title": [f"Thing {i}" for i in range(31)]})
    items["tags"] = ["garden" if i < 15 else "kitchen" for i in range(31)]
    items.to_csv(folder / "catalogue.csv", index=False)
    scope: dict[str, Any] = {}
    with chdir(folder):
        for block in blocks():
            exec(block, scope)
    return scope


def test_the_first_example_lists_ten_items_for_each_of_two_users(ran: dict[str, Any]) -> None:
    frame = ran["lists"]
    assert list(frame.columns) == ["user", "rank", "item", "score", "reason"]
    assert set(frame["user"]) == {"c17", "c42"} and frame["rank"].max() <= 10
    seen = ran["log"].groupby("customer")["sku"].agg(set)
    assert all(item not in seen[user] for user, item in zip(frame["user"], frame["item"], strict=True))
    named = frame.dropna(subset="reason")
    assert all(reason in seen[user] for user, reason in zip(named["user"], named["reason"], strict=True)) and len(named)


def test_content_reaches_an_item_that_nobody_has(ran: dict[str, Any]) -> None:
    assert ran["described"].n_items == 31 and len(ran["found"]) == 5


def test_the_comparison_has_a_row_a_model(ran: dict[str, Any]) -> None:
    frame = ran["table"]
    assert set(frame.index) == {"ease", "knn", "als", "popular"} and frame["ndcg"].is_monotonic_decreasing


def test_what_another_list_would_have_earned_is_within_its_interval(ran: dict[str, Any]) -> None:
    """Half of its items are clicked with a probability of .10, the others with .02."""
    verdict = ran["verdict"]
    assert verdict.trust == "trust"
    assert verdict.estimates["snips"].low <= 0.06 <= verdict.estimates["snips"].high
    assert verdict.support.effective > 200


def test_the_loaded_model_gives_the_same_lists(ran: dict[str, Any]) -> None:
    expected = ran["lists"][ran["lists"]["user"] == "c17"]
    pd.testing.assert_frame_equal(ran["later"].reset_index(drop=True), expected.reset_index(drop=True))


def test_an_answer_leaves_out_what_the_session_has(ran: dict[str, Any]) -> None:
    assert len(ran["answer"].items) == 10 and not {"s3", "s20"} & set(ran["answer"].items)


def test_metrics_have_intervals_and_similar_items_their_names(ran: dict[str, Any]) -> None:
    assert (ran["intervals"]["low"] <= ran["intervals"]["high"]).all()
    assert set(ran["similar"]["item"]) == {"s1", "s2"}
    assert ran["bpr"].n_items_ == ran["data"].n_items
