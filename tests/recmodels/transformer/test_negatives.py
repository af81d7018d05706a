"""Negatives: those of a step, and the scores that are masked."""

import numpy as np
import pytest
import torch

from recmodels.testing import small_site
from recmodels.transformer import losses
from recmodels.transformer.model import Transformer
from recmodels.transformer.network import ItemEmbedding, Network
from recmodels.transformer.training import Trainer
from tests.recmodels.sequences import TINY


@pytest.mark.parametrize("loss", ["full", "sampled", "gbce"])
def test_with_mask_history_no_item_of_a_users_history_is_a_negative(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, masks = small_site(), []
    function = {"full": "cross_entropy", "sampled": "sampled_softmax", "gbce": "gbce"}[loss]
    place = 4 if loss == "full" else 6
    monkeypatch.setattr(losses, function, lambda *given: masks.append(given[place]) or given[0].sum())
    config = Transformer(**TINY | {"epochs": 1}, mask_history=True, loss=loss, negatives=30)
    trainer = Trainer(config, Network(config), ItemEmbedding(data, config), data)
    drawn = None if loss == "full" else torch.tensor([7, 3, 0, 7])
    monkeypatch.setattr(trainer.loss.sampler, "draw", lambda _: drawn)
    rows = np.array([0, 5, 20])
    masked = trainer.loss.sampler.masked(rows, drawn)
    columns = np.arange(data.n_items) if loss == "full" else np.array([7, 3, 0, 7])
    users, items = trainer.sequences.users, trainer.sequences.items
    expected = [
        (i, column)
        for i, row in enumerate(rows)
        for column, item in enumerate(columns)
        if item in items[: row + 1][users[: row + 1] == users[row]]
    ]
    assert sorted(zip(*(places.tolist() for places in masked), strict=True)) == expected
    trainer.run()
    assert masks and all(mask is not None for mask in masks)
