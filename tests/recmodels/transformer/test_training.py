"""The training: what is learnt, what is kept, and that it can be left alone."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from recmodels.compute import device
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.transformer import training
from recmodels.transformer.model import Transformer
from recmodels.transformer.network import Items, Network
from recmodels.transformer.training import Training
from tests.recmodels.contract import small_site
from tests.recmodels.sequences import BLOCKS, TINY, shape, successions


def test_the_average_of_the_weights_is_kept() -> None:
    """One user with one item to learn from: a step an epoch; after n steps the average keeps (1 + n) / (10 + n)."""
    data = Dataset.from_arrays([0, 0, 0, 1, 1], [0, 1, 2, 1, 2], timestamp=[0, 1, 2, 3, 4])
    settings = TINY | {"dropout": 0.0, "patience": 9}
    recipe = Transformer(**settings | {"epochs": 3})
    learner = Training(recipe, Network(recipe), Items(data, recipe), data)
    learner.histories.tested = learner.histories.tested[:0]  # then the last epoch is the best
    seen = [learner.items.embedding.detach().clone()]
    step = learner.averaged.update_parameters

    def update(model: torch.nn.Module) -> None:
        seen.append(learner.items.embedding.detach().clone())
        step(model)

    learner.averaged.update_parameters = update  # type: ignore[method-assign]
    learner.run()
    expected = seen[1]  # the first update copies
    for n, weights in enumerate(seen[2:], start=1):
        kept = (1 + n) / (10 + n)
        expected = kept * expected + (1 - kept) * weights
    torch.testing.assert_close(learner.items.embedding.detach(), expected)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_gpu_compiles_computes_the_same_for_any_length(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as there, and then run by torch's own operations: there may be no compiler here."""
    monkeypatch.setattr(training, "find_spec", lambda _: True)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    network = Network(shape(block)).eval()
    compiled = training._compiled(network, torch.device("cuda"))
    assert compiled is not network and training._compiled(network, torch.device("cpu")) is network
    for size in ((2, 5, 8), (3, 9, 8)):
        x, users = torch.randn(size), torch.zeros(size[0], dtype=torch.int64)
        torch.testing.assert_close(compiled(x, users), network(x, users))


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    whole = Transformer(**TINY).fit(data)
    steps = 0
    step = Training._step

    def dies(self: Training, *given: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise Killed
        step(self, *given)

    again = Transformer(**TINY)
    options = FitOptions(checkpoint=tmp_path / "state.safetensors", checkpoint_minutes=0)
    monkeypatch.setattr(Training, "_step", dies)
    with pytest.raises(Killed):
        again.fit(data, options)
    assert steps == 8 and (tmp_path / "state.safetensors").exists()
    again.fit(data, options)
    np.testing.assert_array_equal(again.item_vectors_, whole.item_vectors_)
    assert [epoch["loss"] for epoch in again.epochs_] == [epoch["loss"] for epoch in whole.epochs_]
    assert not (tmp_path / "state.safetensors").exists()


def test_a_network_that_stands_is_not_trained_again_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, file = small_site(), tmp_path / "state"
    alone = [Transformer(**TINY, seed=seed).fit(data) for seed in (3, 4)]
    both, options = Transformer(**TINY, seed=3, networks=2), FitOptions(checkpoint=file, checkpoint_minutes=0)
    seeds: list[int] = []
    step = Training._step

    def dies(self: Training, *given: object) -> None:
        if self.recipe.seed == 4 and seeds.count(4) == 2:
            raise Killed
        seeds.append(self.recipe.seed)
        step(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_step", dies)
        with pytest.raises(Killed):
            both.fit(data, options)
        assert {path.name for path in tmp_path.iterdir()} == {"state", "state-1"}
        patch.setattr(Training, "_step", lambda self, *given: (seeds.append(-self.recipe.seed), step(self, *given))[1])
        both.fit(data, options)
    assert set(seeds) == {3, 4, -4} and not list(tmp_path.iterdir())
    np.testing.assert_array_equal(both.item_vectors_, np.hstack([model.item_vectors_ for model in alone]))
    assert [e["loss"] for e in both.epochs_] == [e["loss"] for model in alone for e in model.epochs_]


def test_a_checkpoint_of_other_data_is_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # what a kill after the last step leaves
        Transformer(**TINY).fit(small_site(seed=1), FitOptions(checkpoint=path, checkpoint_minutes=0))
    assert path.exists()
    resumed = Transformer(**TINY).fit(small_site(), FitOptions(checkpoint=path))
    np.testing.assert_array_equal(resumed.item_vectors_, Transformer(**TINY).fit(small_site()).item_vectors_)


@pytest.mark.parametrize(("block", "loss"), [("bsarec", "full"), ("ligr", "sampled"), ("sasrec", "gbce")])
def test_what_follows_is_learnt(block: str, loss: str) -> None:
    data = successions()
    settings = TINY | {"width": 16, "epochs": 40, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 40}
    model = Transformer(**settings, loss=loss, block=block, negatives=20).fit(data)
    users = np.arange(data.n_users)
    last = data.item_index[data.indptr[1:] - 1]
    found = model.recommend(data, users, 1).items[:, 0]
    assert (found == (last + 1) % data.n_items).mean() > 0.9


@pytest.mark.parametrize("loss", ["full", "sampled", "gbce"])
def test_what_users_have_had_competes_with_nothing_if_so_wished(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, met = small_site(), []
    monkeypatch.setattr(Training, "_loss", lambda *given: met.append(given[1:]) or given[1].sum())
    recipe = Transformer(**TINY | {"epochs": 1}, rivals="unseen", loss=loss, negatives=30)
    learner = Training(recipe, Network(recipe), Items(data, recipe), data)
    monkeypatch.setattr(learner, "_draw", lambda _: None if loss == "full" else torch.tensor([7, 3, 0, 7]))
    rows = np.array([0, 5, 20])
    placed = learner._seen(rows, learner._draw(None))
    columns = np.arange(data.n_items) if loss == "full" else np.array([7, 3, 0, 7])
    users, items = learner.histories.users, learner.histories.items
    expected = [
        (i, column)
        for i, row in enumerate(rows)
        for column, item in enumerate(columns)
        if item in items[: row + 1][users[: row + 1] == users[row]]
    ]
    assert sorted(zip(*(places.tolist() for places in placed), strict=True)) == expected
    learner.run()
    assert met and all(given[-1] is not None for given in met)


def test_the_best_weights_are_kept_and_training_ends_when_it_gets_no_better(caplog: pytest.LogCaptureFixture) -> None:
    data = successions()
    settings = TINY | {"epochs": 100, "patience": 3, "learning_rate": 0.05}
    with caplog.at_level(logging.INFO, "recmodels.transformer.training"):
        model = Transformer(**settings).fit(data)
    measured = [epoch["ndcg"] for epoch in model.epochs_]
    best = int(np.argmax(measured))
    assert len(measured) == best + 1 + 3 < 100
    again = Transformer(**settings | {"epochs": best + 1}).fit(data)
    np.testing.assert_array_equal(model.item_vectors_, again.item_vectors_)
    assert "validation NDCG@10" in caplog.text and "padding" in caplog.text


def test_the_best_so_far_is_taken_when_the_time_is_over() -> None:
    model = Transformer(**TINY | {"epochs": 50}).fit(small_site(), FitOptions(minutes=1e-9))
    assert len(model.epochs_) == 1
    assert np.isfinite(model.item_vectors_).all()


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(NightrecError, match=r"diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())


def test_memory_that_is_short_halves_the_step_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gradients = Training._gradients

    def short(self: Training, parts: list[np.ndarray], *given: object) -> tuple[float, int]:
        if len(parts) == 1:
            raise torch.OutOfMemoryError
        return gradients(self, parts, *given)

    whole = Transformer(**TINY, dropout=0.0).fit(small_site())
    monkeypatch.setattr(Training, "_gradients", short)
    halved = Transformer(**TINY, dropout=0.0).fit(small_site())
    np.testing.assert_allclose(halved.item_vectors_, whole.item_vectors_, atol=1e-4)  # the same gradient, in two parts
    assert "steps are now taken in 2 parts" in caplog.text


def test_two_devices_learn_what_one_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Transformer(**TINY, dropout=0.0).fit(small_site())
    monkeypatch.setattr(device, "names", lambda: ["cpu", "cpu"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    two = Transformer(**TINY, dropout=0.0).fit(small_site())
    np.testing.assert_allclose(two.item_vectors_, one.item_vectors_, atol=1e-5)
    assert [epoch["ndcg"] for epoch in two.epochs_] == [epoch["ndcg"] for epoch in one.epochs_]


def test_what_fails_on_one_of_several_devices_is_said_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "names", lambda: ["cpu", "cpu"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(NightrecError, match=r"^The transformer diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())
