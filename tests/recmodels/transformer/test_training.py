"""The training: what it learns, which weights are kept, and that it can be left alone."""

import logging

import numpy as np
import pytest
import torch

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.testing import small_site
from recmodels.transformer.model import Transformer
from recmodels.transformer.network import ItemEmbedding, Network
from recmodels.transformer.training import Trainer
from tests.benchmarks.curves import OVER
from tests.recmodels.sequences import TINY, successions
from tests.recmodels.tensors import assert_close


def test_the_average_of_the_weights_is_kept() -> None:
    """One user with one item to learn from: a step an epoch; after n steps the average keeps (1 + n) / (10 + n)."""
    data = Dataset.from_arrays([0, 0, 0, 1, 1], [0, 1, 2, 1, 2], timestamp=[0, 1, 2, 3, 4])
    settings = TINY | {"dropout": 0.0, "patience": 9}
    config = Transformer(**settings | {"epochs": 3})
    trainer = Trainer(config, Network(config), ItemEmbedding(data, config), data)
    trainer.sequences.validation_users = trainer.sequences.validation_users[:0]  # then the last epoch is the best
    seen = [trainer.items.embedding.detach().clone()]
    step = trainer.averaged.update_parameters

    def update(model: torch.nn.Module) -> None:
        seen.append(trainer.items.embedding.detach().clone())
        step(model)

    trainer.averaged.update_parameters = update  # type: ignore[method-assign]
    trainer.run()
    expected = seen[1]  # the first update copies
    for n, weights in enumerate(seen[2:], start=1):
        kept = (1 + n) / (10 + n)
        expected = kept * expected + (1 - kept) * weights
    assert_close(trainer.items.embedding.detach(), expected)


@pytest.mark.parametrize(
    ("block", "loss", "epochs"), [("bsarec", "full", 3), ("ligr", "sampled", 5), ("sasrec", "gbce", 14)]
)
@pytest.mark.slow
def test_what_follows_an_item_is_learned(block: str, loss: str, epochs: int) -> None:
    data = successions()
    settings = TINY | {"dim": 16, "epochs": epochs, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 20}
    model = Transformer(**settings, loss=loss, block=block, negatives=20).fit(data)
    users = np.arange(data.n_users)
    last = data.item_index[data.indptr[1:] - 1]
    found = model.recommend(data, users, 1).items[:, 0]
    assert (found == (last + 1) % data.n_items).mean() > 0.9


@pytest.mark.slow
def test_the_best_weights_are_kept_and_training_ends_when_it_gets_no_better(caplog: pytest.LogCaptureFixture) -> None:
    data = successions(n_users=50)
    settings = TINY | {"epochs": 100, "patience": 3, "learning_rate": 0.1, "batch": 64}
    with caplog.at_level(logging.INFO, "recmodels.transformer.training"):
        model = Transformer(**settings).fit(data)
    measured = [epoch["ndcg"] for epoch in model.epochs_]
    best = int(np.argmax(measured))
    assert len(measured) == best + 1 + 3 < 100
    again = Transformer(**settings | {"epochs": best + 1}).fit(data)
    np.testing.assert_array_equal(model.item_vectors_, again.item_vectors_)
    assert "validation NDCG@10" in caplog.text and "padding" in caplog.text


@pytest.mark.slow
def test_the_latest_is_learned_from_in_the_end() -> None:
    """Whoever had item 5 last goes on to item 40, which is new: before, nothing has led there."""
    old = successions()
    last = np.flatnonzero(old.item_index[old.indptr[1:] - 1] == 5)
    users, items = np.append(old.user_index, last), np.append(old.item_index, np.full(len(last), 40))
    data = Dataset.from_arrays(users, items, timestamp=np.append(old.timestamp, np.full(len(last), 9)), n_items=41)
    settings = TINY | {"dim": 16, "epochs": 3, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 20}
    before = Dataset.from_arrays(old.user_index, old.item_index, timestamp=old.timestamp, n_items=41)
    asked = old.user_index[last]
    places = {}
    for final_epochs in (0, 2):
        model = Transformer(**settings | {"final_epochs": final_epochs}).fit(data)
        found = model.recommend(before, asked, 41).items
        places[final_epochs] = np.median(np.nonzero(found == 40)[1])
        assert len(model.epochs_) == 3 + final_epochs
    assert places[2] < places[0]


@pytest.mark.parametrize(("final_epochs", "expected"), [(0, 4), (1, 5), (9, 6)])
@pytest.mark.slow
def test_no_more_epochs_are_of_everything_than_led_to_the_best_weights(
    final_epochs: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter((0.1, 0.3, 0.2, 0.2))
    monkeypatch.setattr(Trainer, "_validation_ndcg", lambda _: next(values))
    settings = TINY | {"epochs": 9, "patience": 2, "final_epochs": final_epochs}
    assert len(Transformer(**settings).fit(small_site()).epochs_) == expected


def test_time_is_left_for_what_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The validated epochs are over after four fifths of the time; those of everything have the rest."""
    ends: list[float | None] = []
    late = Trainer._is_late

    def noted(self: Trainer) -> bool:
        ends.append(self.budget.minutes)
        return late(self)

    monkeypatch.setattr(Trainer, "_is_late", noted)
    Transformer(**TINY | {"final_epochs": 1}).fit(small_site(), FitOptions(minutes=5))
    assert list(dict.fromkeys(ends)) == [4.0, 5]


def test_the_best_weights_so_far_are_taken_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "recmodels.transformer.training"):
        model = Transformer(**TINY | {"epochs": 50}).fit(small_site(), FitOptions(minutes=1e-9))
        assert len(model.epochs_) == 1
        assert np.isfinite(model.item_vectors_).all()
        assert OVER.search(caplog.text) and "last passes" not in caplog.text
        monkeypatch.setattr(Trainer, "_is_late", lambda one: one.state.progress.final and one.state.progress.step > 0)
        model = Transformer(**TINY | {"epochs": 1, "final_epochs": 4}).fit(small_site(), FitOptions(minutes=5))
    assert len(model.epochs_) == 2
    assert "minutes are over in the last passes" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "each", "said"),
    [
        ({}, 1, "an interaction and a later one."),
        ({"objective": "horizon", "gap_days": 2.0, "horizon_days": 9.0}, 3, "an interaction and another 2 to 9 days"),
    ],
)
def test_what_learns_nothing_lists_nothing_and_says_so(
    parameters: dict[str, object], each: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of users with one item, or with three within a moment."""
    users = np.repeat(np.arange(20), each)
    data = Dataset.from_arrays(users, np.arange(len(users)) % 7, timestamp=np.arange(len(users)))
    model = Transformer(**TINY | parameters).fit(data)
    assert (model.recommend(data, np.arange(20), 3, repeats=True).items == -1).all()
    assert said in caplog.text


def test_devices_that_train_together_go_on_by_their_mean_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each measures may differ by its rounding; one that went on alone would wait for the others."""
    data, config = small_site(), Transformer(**TINY)
    trainer = Trainer(config, Network(config), ItemEmbedding(data, config), data)
    alone = trainer._validation_ndcg()
    trainer.world = 2
    monkeypatch.setattr("torch.distributed.all_reduce", lambda total: total.add_(alone + 0.5))
    assert trainer._validation_ndcg() == pytest.approx(alone + 0.25)


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(NightrecError, match=r"diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())


@pytest.mark.slow
def test_memory_that_is_short_halves_the_step_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backward = Trainer._backward

    def short(self: Trainer, parts: list[np.ndarray], *given: object) -> tuple[float, int]:
        if len(parts) == 1:
            raise torch.OutOfMemoryError
        return backward(self, parts, *given)

    whole = Transformer(**TINY, dropout=0.0).fit(small_site())
    monkeypatch.setattr(Trainer, "_backward", short)
    halved = Transformer(**TINY, dropout=0.0).fit(small_site())
    np.testing.assert_allclose(halved.item_vectors_, whole.item_vectors_, atol=1e-4)  # the same gradient, in two parts
    assert "steps are now taken in 2 parts" in caplog.text
