"""Neural collaborative filtering: its score, and what it learns."""

import numpy as np
import pytest
import torch

from recmodels.pairwise.ncf import NCF
from tests.recmodels.contract import RecommenderContract, small_site
from tests.recmodels.pairwise.test_hybrid import two_tastes

torch.set_num_threads(1)  # tests run side by side: threads that wait for each other would take ten times as long

SMALL = {"factors": 6, "hidden": 4, "epochs": 2, "batch": 256}


class TestNCF(RecommenderContract):
    rounding = 1e-3
    recommends_unseen_items = True

    def make(self) -> NCF:
        return NCF(**SMALL)


class TestNeuMFAsPublished(RecommenderContract):
    rounding = 1e-3

    def make(self) -> NCF:
        return NCF(**SMALL, loss="bce", history=False, content=False)


def test_the_network_scores_what_it_was_trained_to_score() -> None:
    from recmodels.pairwise.ncf_training import NCFTraining

    data = small_site()
    model = NCF(**SMALL, dropout=0.0, id_dropout=0.0)
    training = NCFTraining(model, data, "cpu", model.hidden)
    training.run(model.epochs)
    model._keep(training)
    step = next(iter(training.steps))
    rows = {"users": step.users, "items": step.touched, "had": step.touched}
    taken = {name: table.take(rows.get(name, slice(None))) for name, table in training.tables.items()}
    _, rivals = training.scores(step, *training.vectors(step, taken))
    scored = model._score(data, step.users.numpy().astype(np.int32))
    np.testing.assert_allclose(scored[:, step.touched[step.rivals].numpy()], rivals.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_tastes_are_learnt(loss: str) -> None:
    data, taste = two_tastes()
    users = np.arange(data.n_users)
    model = NCF(factors=6, hidden=4, epochs=15, batch=256, regularization=0.1, loss=loss).fit(data)
    assert taste[users[:, None], model.recommend(data, users, 10).items].mean() > 0.9
