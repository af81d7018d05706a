from importlib import import_module
from pathlib import Path

import pytest

from recmodels import registry
from recmodels.errors import ConfigError
from recmodels.factors.als import ALS
from recmodels.linear.ease import EASE
from recmodels.options import FitOptions
from recmodels.testing import RecommenderContract


def test_every_name_makes_a_recommender_that_knows_its_name() -> None:
    for name in registry.names():
        assert registry.name_of(type(registry.create(name))) == name


def test_every_recommender_is_under_contract() -> None:
    for path in Path(__file__).parent.rglob("test_*.py"):
        import_module(".".join(("tests", "recmodels", *path.relative_to(Path(__file__).parent).with_suffix("").parts)))
    made = {registry.name_of(type(tests().make())) for tests in RecommenderContract.__subclasses__()}
    assert made == set(registry.names())


def test_parameters_are_passed_on() -> None:
    assert registry.create("als", {"factors": 7}, seed=3) == ALS(factors=7, seed=3)
    assert registry.create("ease", {"regularization": 7.0}, seed=3) == EASE(regularization=7.0)  # has no use for a seed


@pytest.mark.parametrize(
    ("name", "params", "advice"),
    [
        ("eese", {}, "Unknown recommender: 'eese'; did you mean 'ease'"),
        ("zzz", {}, "there are: popularity, item_knn"),
        ("ease", {"lambda": 1}, "Unknown parameter of ease: 'lambda'"),
        ("item_knn", {"neighbours": 1}, "did you mean 'neighbors'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(name: str, params: dict[str, float], advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        registry.create(name, params)


def test_options_of_a_training_are_no_longer_parameters_but_still_count_for_a_release(
    caplog: pytest.LogCaptureFixture,
) -> None:
    params = {"dropout": 0.1, "minutes": 5, "checkpoint": None}
    assert registry.create("transformer", params) == registry.create("transformer", {"dropout": 0.1})
    (note,) = caplog.messages
    assert note.startswith("transformer: minutes is no hyper-parameter any more, but an option of each training; ")
    assert note.endswith("set the candidate's timeout_minutes.")
    assert "checkpoint" not in caplog.text  # nothing was set
    assert registry.fit_options("transformer", params, FitOptions(minutes=90)).minutes == 5
    assert registry.fit_options("transformer", {}, FitOptions(minutes=90)).minutes == 90
    assert registry.fit_options("als", {"minutes": 5}).minutes is None  # it never had one
