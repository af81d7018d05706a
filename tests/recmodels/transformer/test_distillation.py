"""Distillation: what is taught are the mean scores of all, and one network makes the lists that has learned them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recmodels.options import FitOptions
from recmodels.testing import small_site
from recmodels.transformer import step_loss
from recmodels.transformer.distillation import Teachers
from recmodels.transformer.model import Transformer
from recmodels.transformer.training import Trainer
from tests.recmodels.sequences import TINY

USERS = np.arange(12, dtype=np.int32)
SETTINGS = TINY | {"dropout": 0.0, "learning_rate": 0.01}


def test_what_is_taught_are_the_mean_scores_of_all_networks() -> None:
    data = small_site()
    two = Transformer(**SETTINGS | {"epochs": 1}, seeds=2).fit(data)
    known = data.known_items
    vectors = {f"{i}.item_vectors": part for i, part in enumerate(np.hsplit(two.item_vectors_, 2))}
    teachers = Teachers(two, data.n_users, two.network_ | vectors, known, torch.device("cpu"))
    histories = [data.item_index[data.indptr[user] : data.indptr[user + 1]][-12:] for user in USERS]
    expected = two._score(data, USERS)[:, known] / 2
    for user, history in zip(USERS, histories, strict=True):
        inputs = torch.from_numpy(np.searchsorted(known, history))[None]
        states = teachers.states(
            inputs, torch.from_numpy(USERS[user : user + 1]).long(), torch.tensor([len(history) - 1])
        )
        scores = (states @ teachers.table.T).numpy()[0]
        seen = np.isfinite(expected[user])
        np.testing.assert_allclose(scores[seen], expected[user, seen], rtol=1e-4, atol=1e-4)


def divergence(teachers: Transformer, model: Transformer) -> float:
    """The mean Kullback-Leibler divergence from the softmax of the teachers' mean scores to that of the model's."""
    data = small_site()
    scores = [torch.from_numpy(one._score(data, USERS)) for one in (teachers, model)]
    wanted, found = ((one / size).log_softmax(dim=1) for one, size in zip(scores, (2, 1), strict=True))
    terms = wanted.exp() * (wanted - found)
    return float(terms[wanted.exp() > 0].sum() / len(USERS))


@pytest.mark.parametrize("loss", ["full", pytest.param("sampled", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_one_that_is_taught_comes_nearer_to_all_than_by_its_targets_alone(
    loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, settings = small_site(), SETTINGS | {"loss": loss, "negatives": 20, "ema_decay": 0.0, "epochs": 1}
    both = Transformer(**settings, seeds=2).fit(data)
    taught = Transformer(**settings, seeds=2, distill_epochs=3).fit(data)
    assert taught.item_vectors_.shape == (data.n_items, 8) and {name[:2] for name in taught.network_} == {"0."}
    assert len(taught.epochs_) == 2 + 3
    monkeypatch.setattr(step_loss, "SHARE", 0.0)
    alone = Transformer(**settings, seeds=2, distill_epochs=3).fit(data)
    assert divergence(both, taught) < 0.9 * divergence(both, alone)


@pytest.mark.slow
def test_a_lesson_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same weights; the time is divided among the networks and the lesson."""
    data, model = small_site(), Transformer(**TINY | {"epochs": 1}, seeds=2, distill_epochs=1, warm_start="no")
    whole = Transformer(**TINY | {"epochs": 1}, seeds=2, distill_epochs=1, warm_start="no").fit(data)
    options = FitOptions(checkpoint=tmp_path / "state", checkpoint_minutes=0, minutes=30, list_minutes=9)
    step, steps = Trainer._step, []

    def dies(self: Trainer, *given: object) -> None:
        assert (self.budget.options.minutes, self.budget.options.list_minutes) == (10, 9)
        steps.append(self.config.seed)
        if steps.count(2) == 3:
            raise KeyboardInterrupt
        step(self, *given)

    monkeypatch.setattr(Trainer, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, options)
    assert {path.name for path in tmp_path.iterdir()} == {"state", "state-1", "state-2"}
    model.fit(data, options)
    assert set(steps) == {0, 1, 2} and not list(tmp_path.iterdir()) and model.tables_ == {}
    np.testing.assert_array_equal(model.item_vectors_, whole.item_vectors_)
