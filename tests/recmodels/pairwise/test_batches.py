"""The batches of a training on pairs: groups of whole users, and the negatives of each."""

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import torch

from recmodels.data.dataset import Dataset
from recmodels.pairwise import config
from recmodels.pairwise.batches import Batches
from recmodels.pairwise.config import PairConfig
from recmodels.pairwise.hybrid import Embedding
from tests.recmodels.test_sampling import head_and_tail

torch.set_num_threads(1)


def long_tail(n_users: int = 2000, n_items: int = 4000) -> Dataset:
    """Users without a taste of their own: item r is chosen with a probability as 1 / r^0.8, 16 times by each."""
    chances = np.arange(1, n_items + 1) ** -0.8
    users = np.repeat(np.arange(n_users), 16)
    items = np.random.default_rng(0).choice(n_items, len(users), p=chances / chances.sum())
    users, items = np.unique([users, items], axis=1)
    return Dataset.from_arrays(users, items, n_users=n_users, n_items=n_items)


def test_groups_are_all_users_of_a_batch_each_with_its_own_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "GROUP", 200)
    data = head_and_tail()
    batches = Batches(PairConfig(negatives=20, batch=1000), data, "cpu")
    chosen = data.matrix.toarray() > 0
    for batch in batches:
        assert batch.groups[0].users.start == batch.groups[0].pairs.start == 0
        assert batch.groups[-1].users.stop == len(batch.users) and batch.groups[-1].pairs.stop == len(batch.rows)
        for one, after in zip(batch.groups, batch.groups[1:], strict=False):
            assert one.users.stop == after.users.start and one.pairs.stop == after.pairs.start
        for group in batch.groups:
            assert batch.rows[group.pairs].unique().tolist() == list(range(group.users.start, group.users.stop))
            masked = np.zeros((group.users.stop - group.users.start, len(group.negatives)), bool)
            masked[group.masked] = True
            own, negatives = batch.users[group.users].numpy(), batch.items[group.negatives].numpy()
            np.testing.assert_array_equal(masked, chosen[own[:, None], negatives])
        assert len({tuple(group.negatives.tolist()) for group in batch.groups}) == len(batch.groups) > 1


def test_a_group_is_as_large_as_its_negatives_are_many() -> None:
    assert PairConfig().group(n_users=1000) == config.MAX_NEGATIVES
    assert PairConfig().group(n_users=1_000_000) == config.GROUP
    assert PairConfig(negatives=10**9).group(n_users=1000) == 10**9  # all items, once


def test_each_negative_is_expected_as_often_as_it_is_drawn() -> None:
    data = head_and_tail()
    batches = Batches(PairConfig(negatives=20), data, "cpu")
    sums = np.zeros(data.n_items)
    for _ in range(3000):
        negatives, expected, shares = batches._negatives()
        sums[negatives] += 1 / expected
        assert shares[-1] == pytest.approx(1)
    np.testing.assert_allclose(sums / 3000, 1, atol=0.2)


@pytest.mark.slow
def test_rare_items_do_not_rise_where_a_step_has_many_more_interactions_than_negatives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "GROUP", 128)
    data = long_tail()
    model = Embedding(factors=4, epochs=2, negatives=32, batch=8192).fit(data)
    listed = model.recommend(data, np.arange(0, 2000, 10), 10).items
    assert data.item_counts[listed].mean() > 100  # of all items: 8; of the ten most popular: 440


def test_where_shares_round_to_less_than_one_the_largest_number_draws_the_last_item() -> None:
    batches = Batches(PairConfig(negatives=2), head_and_tail(), "cpu")
    batches.ends = batches.ends * (1 - 2**-50)
    with patch.object(batches, "rng", SimpleNamespace(random=lambda n: np.full(n, 1 - 2**-53))):
        assert batches._negatives()[0].tolist() == [batches.known[-1]]
