"""The lists that a candidate's process writes: whose, and of which items."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.candidate import run as run_here
from recmodels.candidate_lists import read_lists
from recmodels.candidate_spec import Spec
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.linear.ease import EASE
from recmodels.testing import N_ITEMS
from tests.recmodels.specifications import specification


def test_lists_of_the_whole_catalogue_have_items_that_are_not_available(features: Path) -> None:
    for unavailable in (False, True):
        lists = {"out": str(features.parent / "lists"), "users": "all", "k": 20, "unavailable": unavailable}
        run_here(Spec.read(specification(features, lists=lists)))
        listed = pq.read_table(features.parent / "lists" / "lists.parquet")["item_index"].to_numpy()
        assert (4 in listed) == unavailable


def test_held_out_users_are_excluded_from_training_and_listed_by_their_history(features: Path) -> None:
    unseen = np.array([3, 5], np.int32)
    pq.write_table(pa.table({"user_index": unseen}), features / layout.PREPARED / layout.UNSEEN)
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    run_here(Spec.read(specification(features, lists=lists)))
    data = Dataset.load(features, "train")
    model = EASE(regularization=20).fit(data.without(unseen))
    wanted = model.recommend(data, unseen, 5, allowed=np.arange(N_ITEMS) != 4).items
    found = pq.read_table(features.parent / "lists" / "lists.parquet")["item_index"].to_numpy().reshape(2, 5)
    assert found.tolist() == wanted.tolist()
    assert wanted.tolist() != EASE(regularization=20).fit(data).recommend(data, unseen, 5).items.tolist()


def test_lists_for_others_are_refused(features: Path) -> None:
    lists = {"out": str(features.parent / "lists"), "users": "some", "k": 5}
    with pytest.raises(ConfigError, match="there are lists for 'holdout' and for 'all' users"):
        run_here(Spec.read(specification(features, lists=lists)))


def test_lists_are_read_by_user_and_rank(tmp_path: Path) -> None:
    table = {
        "user_index": pa.array([2, 7, 7], pa.int32()),
        "rank": pa.array([1, 2, 1], pa.int16()),
        "item_index": pa.array([4, 6, 5], pa.int32()),
    }
    pq.write_table(pa.table(table), tmp_path / "lists.parquet")
    assert read_lists(tmp_path, np.array([2, 4, 7], np.int32), 2).tolist() == [[4, -1], [-1, -1], [5, 6]]
