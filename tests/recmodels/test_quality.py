"""Accuracy on real data: floors at what other libraries' models were measured at, on the same split.

`python -m tests.benchmarks.quality` prints every model on every data set.
"""

import json
from pathlib import Path

import pytest

from recmodels.content import Content
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.linear.graph_filter import GraphFilter
from recmodels.popularity import Popularity
from tests.benchmarks.quality import main, parse
from tests.benchmarks.splits import Split, movielens_1m, movielens_small

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def small() -> Split:
    return movielens_small()


def test_the_splits_are_those_of_the_comparison(small: Split) -> None:
    assert (len(small.users), small.truth.nnz) == (610, 20_417)
    large = movielens_1m()
    assert (len(large.train), len(large.users), large.truth.nnz) == (467_007, 1_086, 51_774)


def test_a_validation_part_is_nested_in_what_is_learnt_from(small: Split) -> None:
    nested = movielens_small(validation=True)
    learnt, whole = nested.train.matrix.toarray() > 0, small.train.matrix.toarray() > 0
    assert whole[learnt].all()
    assert whole[nested.users][nested.truth.toarray()].all()
    assert not learnt[nested.users][nested.truth.toarray()].any()


@pytest.fixture(scope="module")
def exact(small: Split) -> float:
    return small.measure(EASE(regularization=500, method="exact").fit(small.train))["ndcg"]


def test_ease_on_movielens_small_is_as_good_as_measured_elsewhere(exact: float) -> None:
    assert exact == pytest.approx(0.1307, abs=0.002)


def test_approximate_ease_on_movielens_small_is_as_good_as_the_exact_one(small: Split, exact: float) -> None:
    """With fewer neighbors than by default, which is harder, and a fraction of the work."""
    near = small.measure(EASE(regularization=500, method="approximate", neighbors=100).fit(small.train))
    assert near["ndcg"] == pytest.approx(exact, abs=0.002)


def test_popularity_on_movielens_small_is_as_good_as_measured_elsewhere(small: Split) -> None:
    measured = small.measure(Popularity().fit(small.train))
    assert measured["ndcg"] == pytest.approx(0.0884, abs=0.002)


def test_graph_filter_on_movielens_small_is_far_better_than_popularity(small: Split) -> None:
    """With fewer eigenvectors and neighbors than by default, which takes a fraction of the time."""
    assert small.measure(GraphFilter(rank=128, neighbors=100).fit(small.train))["ndcg"] > 0.11


def test_content_on_movielens_small_is_three_times_as_good_as_plain_tf_idf_elsewhere(small: Split) -> None:
    assert small.measure(Content().fit(small.train))["ndcg"] > 3 * 0.0166


def test_item_knn_cosine_on_movielens_1m_is_as_good_as_measured_elsewhere() -> None:
    data = movielens_1m()
    model = ItemKNN(neighbors=200, weighting="cosine", own_power=0.5, popularity_power=0.5)
    assert data.measure(model.fit(data.train))["ndcg"] == pytest.approx(0.2019, abs=0.002)


def test_the_runner_takes_parameters_and_writes_json(
    small: Split, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse("als") == ("als", {})
    assert parse("item_knn:weighting=bm25,neighbors=50") == ("item_knn", {"weighting": "bm25", "neighbors": 50})
    assert parse('ensemble:{"members": ["als", "ease"]}') == ("ensemble", {"members": ["als", "ease"]})
    file = tmp_path / "rows.json"
    assert main(["movielens-small", "popularity", "--json", str(file)]) == 0
    (row,) = json.loads(file.read_text())
    assert row["ndcg"] == small.measure(Popularity().fit(small.train))["ndcg"]
    assert row["fit_seconds"] >= 0 and row["peak_mb"] > row["loaded_mb"] * 0.99
    assert "popularity" in capsys.readouterr().out
