"""The steps of a training on pairs: the penalty of each vector, and Adagrad."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recmodels.data.dataset import Dataset
from recmodels.pairwise.hybrid import Hybrid
from recmodels.pairwise.training import EmbeddingTable, PairTrainer
from recmodels.testing import small_site

torch.set_num_threads(1)


def test_a_vector_is_penalized_for_each_of_its_interactions_in_the_step() -> None:
    data = small_site()
    data = replace(data, weight=np.linspace(0.5, 1.5, len(data), dtype=np.float32))  # 1 on average
    trainer = PairTrainer(Hybrid(factors=4, regularization=2.4, batch=20), data, "cpu")
    batch = next(iter(trainer.batches))
    weight = np.zeros((data.n_users, data.n_items))
    weight[data.user_index, data.item_index] = data.weight
    weight = weight[batch.users][:, batch.items]
    assert (weight.sum(axis=0) == 0).any()  # an item that is a negative alone
    found = trainer.penalties(batch)
    np.testing.assert_allclose(found["users"][:, 0], 0.3 * weight.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["items"][:, 0], 0.3 * weight.sum(axis=0), rtol=1e-5)
    assert found["terms"].item() == pytest.approx(2.4)
    of_warp = PairTrainer(Hybrid(loss="warp", regularization=2.4), data, "cpu").penalties(batch)
    assert {penalty.item() for penalty in of_warp.values()} == {found["terms"].item()}


def test_a_step_is_adagrads_along_the_gradient_and_the_penalty() -> None:
    values = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    table = EmbeddingTable(values.copy(), "cpu")
    rows, gradient, penalty = torch.tensor([0, 2]), np.array([[1, -1], [0, 0]], np.float32), np.array([[0.5], [0]])
    gathered = table.gather(rows)
    gathered.grad = torch.from_numpy(gradient)
    table.update(rows, gathered, 0.1, torch.from_numpy(penalty.astype(np.float32)))
    along = np.array([1 + 0.5 * 1, -1 + 0.5 * 2])
    expected = values.copy()
    expected[0] -= 0.1 * along / np.sqrt((along**2).mean())  # one accumulator a row
    np.testing.assert_allclose(table.values.numpy(), expected, rtol=1e-6)  # neither touched, nor drawn to 0: the others
    np.testing.assert_allclose(table.accumulators.numpy(), [(along**2).mean(), 0, 0], rtol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "bpr", "bce"])
@pytest.mark.slow
def test_preferences_are_learned_from_few_interactions(loss: str) -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(400), 4)
    items = 2 * rng.integers(0, 50, len(users)) + users % 2  # of the parity that the user likes
    users, items = np.unique([users, items], axis=1)
    data = Dataset.from_arrays(users, items, n_users=400, n_items=100)
    model = Hybrid(factors=8, loss=loss, batch=40, epochs=4).fit(data)  # items have one positive in two steps
    top = model.recommend(data, np.arange(400), 10)
    assert (top.items % 2 == np.arange(400)[:, None] % 2).mean() > 0.9
