"""Neural collaborative filtering: its score, and that it learns preferences."""

import numpy as np
import pytest
import torch

from recmodels.pairwise.ncf import NCF
from recmodels.testing import RecommenderContract, small_site
from tests.recmodels.pairwise.test_hybrid import two_tastes

torch.set_num_threads(1)  # tests run side by side: threads that wait for each other would take ten times as long

SMALL = {"factors": 6, "hidden": 4, "epochs": 2, "batch": 256}


class TestNCF(RecommenderContract):
    rounding = 1e-4
    recommends_unseen_items = True

    def make(self) -> NCF:
        return NCF(**SMALL)


class TestNeuMFAsPublished(RecommenderContract):
    rounding = 1e-3

    def make(self) -> NCF:
        return NCF(**SMALL, loss="bce", history=False, content=False)


def test_the_network_scores_what_it_was_trained_to_score() -> None:
    from recmodels.pairwise.ncf_training import NCFTrainer

    data = small_site()
    model = NCF(**SMALL, dropout=0.0, id_dropout=0.0)
    trainer = NCFTrainer(model, data, "cpu", model.hidden)
    trainer.run(model.epochs)
    model._keep(trainer)
    batch = next(iter(trainer.batches))
    rows = {"users": batch.users, "items": batch.items, "history": batch.items}
    gathered = {name: table.gather(rows.get(name, slice(None))) for name, table in trainer.tables.items()}
    users, items = trainer.vectors(batch, gathered)
    negatives = trainer.negative_scores(users, items[batch.groups[0].negatives]).detach().numpy()
    pairs = trainer.pair_scores(batch, users, items).detach().numpy()
    scored = model._score(data, batch.users.numpy().astype(np.int32))
    np.testing.assert_allclose(scored[:, batch.items[batch.groups[0].negatives].numpy()], negatives, atol=1e-5)
    np.testing.assert_allclose(scored[batch.rows, batch.items[batch.positives]], pairs, atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.slow
def test_preferences_are_learned(loss: str) -> None:
    data, taste = two_tastes()
    users = np.arange(data.n_users)
    model = NCF(factors=6, hidden=4, epochs=5, batch=256, regularization=0.1, loss=loss).fit(data)
    assert taste[users[:, None], model.recommend(data, users, 10).items].mean() > 0.9
