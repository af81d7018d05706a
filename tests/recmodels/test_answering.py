"""Lists between nights; that a session counts as in the data is a claim of the contract of recommenders."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from recmodels.answering import Answering, alone
from recmodels.data.dataset import Dataset
from recmodels.data.ids import Ids
from recmodels.data.lookup import Numbers, SortedIds
from recmodels.errors import NightrecError
from recmodels.factors.mf import MF
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from recmodels.testing.site import N_ITEMS, small_site


def test_ids_are_those_of_the_data_and_unknown_items_are_passed_over() -> None:
    ids = Ids(np.array(["ann", "bob", "cas"]), np.array(["tea", "cup", "jam"]))
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], ids=ids)
    answering = Answering(ItemKNN().fit(data), data, k=2)
    answer = answering.answer("dan", ["tea", "kiwi", "tea"])
    assert (answer.items, answer.sources) == (["cup", "jam"], ["personal", "cold"])
    assert (answer.reasons, answer.counted, answer.unknown, answer.known) == (["tea", None], ["tea"], ["kiwi"], False)
    assert answering.answer("ann").known and answering.answer("ann").items == ["jam"]


def test_an_item_counts_once_at_its_last_time_with_its_larger_weight() -> None:
    data = Dataset.from_arrays([0, 0, 1], [0, 1, 2], weight=[3.0, 1.0, 1.0], timestamp=[5, 6, 7], end=10)
    session = alone(data, 0, np.array([2, 0], np.int32))
    assert session.item_index.tolist() == [1, 2, 0] and session.weight.tolist() == [1, 1, 3]
    assert session.timestamp.tolist() == [6, 10, 11] and session.end == 12


def test_what_is_excluded_from_training_is_seen_and_counts_once_it_is_in_the_session() -> None:
    data = Dataset.from_arrays(
        [0, 0, 1], [0, 1, 2], weight=[0.0, 1.0, 1.0], rating=[1.0, 5.0, np.nan], timestamp=[5, 6, 7]
    )
    before, after = alone(data, 0, np.empty(0, np.int32)), alone(data, 0, np.array([0], np.int32))
    assert before.item_index.tolist() == [1] and before.seen.indices.tolist() == [0, 1]
    assert after.item_index.tolist() == [1, 0] and after.weight.tolist() == [1, 1]
    assert before.ratings is not None and before.ratings.toarray().tolist() == [[1, 5, 0]]


def test_the_length_of_a_list_is_the_users_own_under_rules() -> None:
    data = small_site()
    rules = Rules(np.arange(N_ITEMS) != 7, lengths=np.arange(data.n_users, dtype=np.int32))
    answering = Answering(Popularity().fit(data), data, k=5, rules=rules)
    assert [len(answering.answer(user).items) for user in (0, 3, 8)] == [0, 3, 8]
    assert [len(answering.answer(user, k=6).items) for user in (0, 3, 8)] == [0, 6, 6]
    assert len(answering.answer().items) == 5 and 7 not in answering.answer().items


def test_a_model_that_cannot_count_a_session_says_why() -> None:
    data = replace(small_site(), rated=None)
    with pytest.raises(NightrecError, match="MF knows users by what it learned of them in training: a session cannot"):
        Answering(MF(epochs=1).fit(data), data)


def test_sorted_ids_are_found_around_those_who_were_forgotten() -> None:
    names = SortedIds(pa.array([None, "b", "c", None, "é"]))
    assert [names.index(name) for name in ("b", "c", "é", "a", "z", 5)] == [1, 2, 4, None, None, None]
    numbers = SortedIds(pa.array([2, 5, 9]))
    assert [numbers.index(name) for name in ("5", 9, 3, "x", None)] == [1, 2, None, None, None]
    assert numbers.name(2) == 9 and Numbers(3).index(3) is None
