"""Approximate lists in an export: asked for by its settings, said in its manifest."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from recmodels.knn.item_knn import ItemKNN
from recmodels.ranking.approximation import Approximation
from tasks.export.nearly import ApproximateSummary
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def test_by_default_lists_are_exact_and_the_manifest_says_nothing(night: Night) -> None:
    with patch.object(ItemKNN, "approximate") as asked:
        assert "approximate" not in publish(night)
    asked.assert_not_called()


def test_the_manifest_says_how_nearly_the_lists_are_the_exact_ones(night: Night) -> None:
    with patch.object(ItemKNN, "approximate", return_value=Approximation(0.9931, 3072, 0.021)) as asked:
        manifest = publish(night, k=2, approximate=True, recall=0.98)
    assert manifest["approximate"] == {
        "wanted": 0.98,
        "recall": 0.9931,
        "users": 3072,
        "products": 0.021,
        "exact": None,
    }
    assert asked.call_args.args[1:] == (2,)
    assert (asked.call_args.kwargs["recall"], asked.call_args.kwargs["repeats"]) == (0.98, False)
    assert np.flatnonzero(~asked.call_args.kwargs["allowed"]).tolist() == [5]  # not available


def test_under_rules_the_candidates_are_approximate(night: Night) -> None:
    with patch.object(ItemKNN, "approximate", return_value=Approximation()) as asked:
        publish(night, approximate=True, excluded=["i2"], pool=6)
    assert asked.call_args.args[1:] == (6,)
    assert np.flatnonzero(~asked.call_args.kwargs["allowed"]).tolist() == [2, 5]


def test_a_model_that_has_no_faster_way_keeps_exact_lists(night: Night) -> None:
    about = ApproximateSummary.of(publish(night, approximate=True)["approximate"])
    assert about.sentence == (
        "Lists are exact, though export.approximate is set: its scores are no products of vectors."
    )
