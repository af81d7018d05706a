"""A search sees what came before the holdout alone, goes on where it was, and never ends below the defaults."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from recmodels.data.backtests import backtest_folds
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.errors import ConfigError, NightrecError
from recmodels.registry import create
from tasks.store.files import write_json
from tasks.store.paths import Night, Store
from tasks.train.tuning import block, tune
from tests.recmodels.specifications import written_features
from tests.tasks.site import RUN_DATE


@pytest.fixture
def data() -> Dataset:
    """30 users in three groups with some of 12 items each, over 40 days."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(30), 8)
    items = np.concatenate([(user % 3 * 4 + rng.permutation(12)[:8] // 2) % 12 for user in range(30)])
    pairs = np.unique(np.column_stack([users, items]), axis=0)
    times = rng.integers(0, 40 * DAY, len(pairs))
    return Dataset.from_arrays(pairs[:, 0], pairs[:, 1], timestamp=times, n_users=30, n_items=12, end=40 * DAY)


@pytest.fixture
def night(tmp_path: Path, data: Dataset) -> Night:
    """A night whose training window is `data`; it has no other."""
    night = Store(tmp_path).night(RUN_DATE)
    written_features(night.folder, data)
    return night


def test_backtests_lie_one_before_the_other_and_train_on_what_came_before(data: Dataset) -> None:
    newest, older = backtest_folds(data, 2, 7, 0)
    assert (newest.train.end, older.train.end) == (33 * DAY, 26 * DAY)
    for part in (newest, older):
        within = (data.timestamp >= part.train.end) & (data.timestamp < part.train.end + 7 * DAY)
        known = np.isin(data.user_index, part.train.user_index)
        pairs = set(
            zip(data.user_index[within & known].tolist(), data.item_index[within & known].tolist(), strict=True)
        )
        row, item = part.truth.nonzero()
        assert set(zip(part.users[row].tolist(), item.tolist(), strict=True)) == pairs
        assert part.train.timestamp.max() < part.train.end


def test_backtests_without_anybody_are_refused(data: Dataset) -> None:
    with pytest.raises(NightrecError, match="nobody to evaluate"):
        backtest_folds(data, 1, 100, 0)


@pytest.mark.slow
def test_a_search_starts_from_the_defaults_and_goes_on_where_it_was(night: Night) -> None:
    first = tune(night, "ease", {}, minutes=1, trials=1)
    assert first.params == {name: getattr(create("ease"), name) for name in ("regularization", "recency")}
    assert (first.value, first.tried) == (first.default, 1)
    second = tune(night, "ease", {}, minutes=1, trials=4)
    assert (second.tried, second.default) == (5, first.default)
    assert second.value >= first.value
    with using(LocalEngine()):
        third = tune(night, "ease", {}, minutes=1, trials=1, engine=EngineChoice("local"))
    assert (third.tried, third.default) == (6, first.default)
    assert second.file == night.store.root / "tuning" / "ease.jsonl"


@pytest.mark.slow
def test_what_is_configured_is_measured_whole_though_others_are_better(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(trials: object, params: dict[str, float], trial: int, fold: int) -> float:
        if params["recency"] == 0.5:
            raise NightrecError("it cannot be.")
        return 0.1 if params["regularization"] == 20 else 0.5

    monkeypatch.setattr("tasks.train.tuning.ndcg", fake)
    assert tune(night, "ease", {}, minutes=1, trials=5).default == 0.5
    found = tune(night, "ease", {"regularization": 20}, minutes=1, trials=1)
    assert (found.value, found.default) == (0.5, 0.1)
    assert tune(night, "ease", {"recency": 0.5}, minutes=1, trials=1).default is None
    write_json(night.features / "train" / "manifest.json", {"output": "of other terms"})
    assert tune(night, "ease", {}, minutes=1, trials=1).tried == 1
    write_json(night.features / "train" / "manifest.json", {"output": "of others"})
    with pytest.raises(NightrecError, match=r"No trial of ease came to an end: it cannot be\.$"):
        tune(night, "ease", {"recency": 0.5}, minutes=1, trials=1)


def test_a_model_that_lists_what_its_users_have_is_not_searched_by_what_is_new(night: Night) -> None:
    with pytest.raises(NightrecError, match=r"No trial of personal_frequency .* its lists hold nothing that is new"):
        tune(night, "personal_frequency", {}, minutes=1, trials=1)


def test_what_is_configured_outside_the_space_is_kept(night: Night) -> None:
    found = tune(night, "ease", {"method": "exact", "regularization": 20}, minutes=1, trials=1)
    assert found.params == {"method": "exact", "regularization": 20.0, "recency": 0.0}
    beyond = tune(night, "ease", {"method": "exact", "regularization": 5, "recency": 0}, minutes=1, trials=1)
    assert beyond.params == {"method": "exact", "regularization": 5, "recency": 0} and beyond.value == beyond.default


def test_the_block_is_what_the_configuration_reads() -> None:
    params = {"neighbors": 50, "weighting": "bm25", "shrinkage": 12.3456, "own_power": 0.0, "half": None, "exact": True}
    read = tomllib.loads(block("mine", "item_knn", params))["models"]["mine"]
    assert read["recommender"] == "item_knn"
    wanted = {"neighbors": 50, "weighting": "bm25", "shrinkage": 12.35, "own_power": 0.0, "exact": True}
    assert read["parameters"] == wanted


def test_without_optuna_a_sentence_says_what_to_install(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'nightrec\[tune\]'"):
        tune(night, "ease", {}, minutes=1)
