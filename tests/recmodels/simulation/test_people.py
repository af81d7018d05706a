"""Some of a site's users and items, in an order that tells nothing of them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.simulation.people import People

CHOSEN = {0: [0, 1, 2], 1: [0, 1], 2: [0, 3], 3: [4]}  # by user


@pytest.fixture
def data() -> Dataset:
    """Four users and a fifth without choices; six items, of which the last is never chosen; terms of their own."""
    pairs = [(user, item) for user, items in CHOSEN.items() for item in items]
    user, item = zip(*pairs, strict=True)
    terms = sparse.csr_array(np.eye(6, 9, dtype=np.float32))
    return Dataset.from_arrays(user, item, timestamp=range(len(pairs)), terms=terms, n_users=5, n_items=6, end=100)


def drawn(data: Dataset, users: int, items: int, seed: int = 0) -> People:
    texts = [f"item {n}" for n in range(6)]
    return People.drawn(data, texts, np.array([7, 7, 3, 3, 9, 1]), users, items, np.random.default_rng(seed))


def chosen(people: People) -> list[list[str]]:
    """The texts of what each user chose, in order of time."""
    data = people.data
    rows = (data.item_index[data.user_index == user].tolist() for user in range(data.n_users))
    return [[people.texts[item] for item in items] for items in rows]


def test_all_who_chose_something_are_there_with_what_they_chose(data: Dataset) -> None:
    people = drawn(data, 10, 10)
    named = [[f"item {item}" for item in items] for items in CHOSEN.values()]
    assert sorted(chosen(people)) == sorted(named)
    assert people.data.n_items == 5 and people.data.end == 100
    of_category = {text: int(number) for text, number in zip(people.texts, people.category, strict=True)}
    assert of_category == {"item 0": 1, "item 1": 1, "item 2": 0, "item 3": 0, "item 4": 2}
    assert people.data.terms.shape == (5, 5) and people.data.terms.sum(axis=1).tolist() == [1] * 5


def test_the_most_chosen_items_and_users_by_lot_are_kept_in_any_order(data: Dataset) -> None:
    few = [drawn(data, 2, 2, seed) for seed in range(12)]
    assert all(one.data.n_users == 2 and set(one.texts) == {"item 0", "item 1"} for one in few)
    assert len({tuple(one.texts) for one in few}) == 2
    assert {len(items) for one in few for items in chosen(one)} == {1, 2}


def test_what_is_saved_is_read_as_it_was(data: Dataset, tmp_path: Path) -> None:
    people, path = drawn(data, 3, 4), tmp_path / "there" / "log.npz"
    people.save(path)
    again = People.load(path)
    assert chosen(again) == chosen(people) and again.category.tolist() == people.category.tolist()
    assert (again.data.terms != people.data.terms).nnz == 0
    assert again.data.timestamp.tolist() == people.data.timestamp.tolist()


def test_nobody_and_a_damaged_file_are_told(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match="has no interactions"):
        drawn(data.without(np.arange(5, dtype=np.int32)), 3, 3)
    for content in (None, b"", b"PK\x03\x04 half"):
        if content is not None:
            (tmp_path / "log.npz").write_bytes(content)
        with pytest.raises(NightrecError, match="is gone or damaged"):
            People.load(tmp_path / "log.npz")
