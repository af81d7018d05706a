"""A candidate's specification, as JSON and as types."""

from pathlib import Path

import pytest

from recmodels.candidate_spec import Spec
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from tests.recmodels.specifications import specification


def test_a_specification_is_read_into_types(features: Path) -> None:
    lists = {"out": "lists", "users": "all", "k": 5, "rules": "rules.parquet"}
    spec = Spec.read(specification(features, lists=lists, minutes=30, models={"als": "als"}, without=["ease"]))
    assert (spec.features, spec.lists.out, spec.lists.rules) == (features, Path("lists"), Path("rules.parquet"))
    options = spec.fit_options()
    assert (options.minutes, options.checkpoint) == (30, features.parent / "result.checkpoint")
    assert (options.members, options.without, options.warm_start) == ({"als": Path("als")}, ("ease",), None)


@pytest.mark.parametrize(
    ("spent", "expected"), [(0, (3, 1)), (30, (3, 0.5)), (60, (3, 0)), (90, (2.5, 0)), (600, (0, 0))]
)
def test_what_is_over_before_the_training_is_taken_from_the_lists_first(
    features: Path, spent: float, expected: tuple[float, float]
) -> None:
    spec = Spec.read(specification(features, minutes=3, list_minutes=1))
    options = spec.fit_options(spent=spent)
    assert (options.minutes, options.list_minutes) == expected


def test_a_backtest_starts_from_nothing_that_has_seen_what_it_measures(features: Path) -> None:
    start = {"model": "before", "features": "then", "most_changed": 0.1}
    spec = Spec.read(specification(features, models={"als": "als"}, earlier=start)).of_backtest(2)
    options = spec.fit_options()
    assert (options.members, spec.earlier, options.warm_start) == ({}, None, None)
    assert spec.warm_start(Dataset.load(features, "train")) == (None, None)
    assert options.checkpoint == features.parent / "result-window2.checkpoint"


def test_what_is_no_specification_is_refused(tmp_path: Path) -> None:
    for text in ("nothing", "{}", '{"features": 1}'):
        (tmp_path / "spec.json").write_text(text)
        with pytest.raises(ConfigError, match=r"spec\.json is no specification of a candidate"):
            Spec.read(tmp_path / "spec.json")
