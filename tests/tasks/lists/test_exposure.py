"""Bounds of the exposure as a site sets them, in an export, its manifest, and between nights."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError
from tasks.export.audit_exposure import Exposed, exposure_of, in_words
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.export.verification import verified
from tasks.features.settings import FeatureSettings
from tasks.lists.exposure import values_of
from tasks.lists.rules import translate
from tasks.lists.settings import ExposureSettings, ListSettings
from tasks.lookup.answers import Answers
from tasks.store.exports import manifest_of
from tasks.store.paths import Night
from tests.tasks.publishing import lists, prepare_night, publish, with_manifests

OF_GENRES = {"column": "genre", "least": {"x": 0.5}}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    with_manifests(night)
    return night


def shares(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["exposure"]["shares"]
    return found


@pytest.mark.parametrize(
    "wrong",
    [{}, {"least": {"x": 1.2}}, {"least": {"x": 0.5}, "most": {"x": 0.4}}, {"least": {"x": 0.5}, "measure": "clicks"}],
)
def test_bounds_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExposureSettings(column="genre", **wrong)


def test_items_have_the_values_of_their_column() -> None:
    items = pa.table({"maker": [7, None, 8], "tags": ["a|b", "", None], "brand": ["X", "Y", None]})
    settings = FeatureSettings(roles={"tags": "tags"})
    assert values_of(items, "maker", settings) == [["7"], [], ["8"]]
    assert values_of(items, "tags", settings) == [["a", "b"], [], []]
    assert values_of(items, "brand", settings) == [["X"], ["Y"], []]


def test_columns_must_exist_and_values_need_not(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    def bounds(**settings: Any) -> Any:
        rules = ListSettings(k=3, exposure=ExposureSettings(**settings))
        return translate(night, "full", rules, FeatureSettings(), note=True).bounds

    with pytest.raises(ConfigError, match=r"export.exposure.column: the items have no column 'gener'; did you mean"):
        bounds(column="gener", least={"x": 0.1})
    with caplog.at_level(logging.INFO, "nightrec.events"):
        found = bounds(column="genre", least={"y": 0.1}, most={"y": 0.5, "xx": 0.9})
    assert "export.exposure: no item has 'xx' in genre; did you mean x?" in caplog.text
    assert found.members.toarray().tolist() == [[0, 0], [0, 1]] * 3 + [[0, 0], [0, 0]]
    assert (found.least.tolist(), found.most.tolist()) == ([0, 0.1], [0.9, 0.5])


@pytest.mark.slow
def test_an_export_keeps_its_bounds_and_its_manifest_says_so(night: Night) -> None:
    genre = publish(night, exposure=OF_GENRES)
    assert shares(genre)["x"]["share"] >= 0.5 and shares(genre)["x"]["missed"] is None
    assert shares(genre)["x"]["price"] > 0
    title = publish(night, exposure={"column": "title", "least": {"Title 6": 0.2}, "measure": "places"})
    found = {user: [row["item_id"] for row in rows] for user, rows in lists(night).items()}
    assert shares(title)["Title 6"]["share"] == sum("i6" in items for items in found.values()) / 15 >= 0.2
    assert found[7] == ["i0", "i1", "i2"]  # popular items keep their places
    assert "keep the contract" in verified(night.store.root, None).sentence


LISTS = [[3, 4, 6], [2, 3, 4], [0, 4, 6], [1, 3, 6], [0, 1, 2]]  # the last one of popular items


@pytest.mark.parametrize(
    ("bounds", "share", "why"),
    [
        ({"column": "genre", "least": {"z": 0.1}}, 0, "no item that may be listed has this value"),
        ({"column": "title", "least": {"Title 6": 0.6}}, 0.1408, "its 1 item can have 46.9% at most, at the top of"),
        (
            {"column": "genre", "most": {"x": 0.1}},
            0.4939,
            "popular and pinned items, which keep their places, have 14",
        ),
        ({"column": "genre", "most": {"x": 0.3}}, 0.4939, "too few other items fit: see pool, the caps, and the other"),
        ({"column": "genre", "least": {"x": 0.95}}, 0.4939, "its 4 items fit into too few lists: see pool"),
        ({"column": "genre", "least": {"x": 0.5}}, 0.4939, None),
    ],
)
def test_a_bound_that_is_missed_says_why(night: Night, bounds: dict[str, Any], share: float, why: str | None) -> None:
    """Places count 1, .6309 and .5, a list 2.1309 and all of them 10.6546."""
    rules = ListSettings(k=3, exposure=ExposureSettings(**bounds))
    plan = translate(night, "full", rules, FeatureSettings())
    assert plan.bounds is not None
    exposed = Exposed(plan.bounds)
    source = pa.chunked_array([pa.array(["personal"] * 12 + ["cold"] * 3).dictionary_encode()])
    exposed.add(np.array(LISTS).ravel(), np.tile([1, 2, 3], 5), source)
    told = exposure_of(exposed, plan, rules)
    (one,) = shares(told).values()
    assert one["share"] == pytest.approx(share, abs=1e-4)
    assert one["missed"] is None if why is None else one["missed"].startswith(why)
    assert (in_words(told["exposure"]) == []) is (why is None)


def test_a_site_may_require_its_bounds(night: Night) -> None:
    bounds = {"column": "genre", "least": {"x": 0.95}, "required": True}
    with pytest.raises(ExportRefused, match=r"requires: x has .* not at least 95\.00%: .* stays published: change"):
        publish(night, exposure=bounds)
    assert not night.store.pointer.exists()


@pytest.mark.slow
def test_between_nights_lists_are_made_at_the_prices_of_their_night(night: Night) -> None:
    own = publish(night, exposure={"column": "title", "least": {"Title 6": 0.3, "Title 3": 0.01}})
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 3 for n in range(8)]})
    done = refilter(night.store, now, ExportSettings(k=7), complete=True, max_gone_share=0.5, name="now.csv")
    after = manifest_of(night.store, done.export_id)
    assert after is not None and done.lists
    assert {name: one["price"] for name, one in shares(after).items()} == {
        name: one["price"] for name, one in shares(own).items()
    }
    assert shares(after)["Title 3"]["missed"] == "no item that may be listed has this value"
    answered = Answers.latest(night.store.root).answer(0)
    assert answered.items == [row["item_id"] for row in lists(night)[0]]
