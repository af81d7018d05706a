"""Checkpoints: a training that was killed goes on to the weights of one that was not."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.options import FitOptions
from recmodels.testing import small_site
from recmodels.transformer.checkpoint import seconds_spent
from recmodels.transformer.model import Transformer
from recmodels.transformer.training import Trainer
from tests.recmodels.sequences import TINY


class Killed(Exception):
    pass


@pytest.mark.parametrize("final_epochs", [0, 1])
def test_a_killed_training_resumes_to_the_same_weights(
    final_epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its second epoch: in that which validates, or after the only one that does, in that of everything."""
    data = small_site()
    settings = TINY | {"final_epochs": final_epochs, "epochs": 2 - final_epochs}
    whole = Transformer(**settings).fit(data)
    steps = 0
    step = Trainer._step

    def dies(self: Trainer, *given: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise Killed
        step(self, *given)

    again = Transformer(**settings)
    options = FitOptions(checkpoint=tmp_path / "state.safetensors", checkpoint_minutes=0)
    monkeypatch.setattr(Trainer, "_step", dies)
    with pytest.raises(Killed):
        again.fit(data, options)
    assert steps == 4 and seconds_spent(tmp_path / "state.safetensors") > 0 == seconds_spent(tmp_path / "none")
    again.fit(data, options)
    np.testing.assert_array_equal(again.item_vectors_, whole.item_vectors_)
    assert [epoch["loss"] for epoch in again.epochs_] == [epoch["loss"] for epoch in whole.epochs_]
    assert not (tmp_path / "state.safetensors").exists()


def test_a_finished_seed_is_not_trained_again_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, file = small_site(), tmp_path / "state"
    alone = [Transformer(**TINY, seed=seed).fit(data) for seed in (3, 4)]
    both, options = Transformer(**TINY, seed=3, seeds=2), FitOptions(checkpoint=file, checkpoint_minutes=0)
    seeds: list[int] = []
    step = Trainer._step

    def dies(self: Trainer, *given: object) -> None:
        if self.config.seed == 4 and seeds.count(4) == 2:
            raise Killed
        seeds.append(self.config.seed)
        step(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", dies)
        with pytest.raises(Killed):
            both.fit(data, options)
        assert {path.name for path in tmp_path.iterdir()} == {"state", "state-1"}
        patch.setattr(Trainer, "_step", lambda self, *given: (seeds.append(-self.config.seed), step(self, *given))[1])
        both.fit(data, options)
    assert set(seeds) == {3, 4, -4} and not list(tmp_path.iterdir())
    np.testing.assert_array_equal(both.item_vectors_, np.hstack([model.item_vectors_ for model in alone]))
    assert [e["loss"] for e in both.epochs_] == [e["loss"] for model in alone for e in model.epochs_]


def test_a_checkpoint_of_other_data_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # what a kill after the last step leaves
        Transformer(**TINY).fit(small_site(seed=1), FitOptions(checkpoint=path, checkpoint_minutes=0))
    assert path.exists()
    resumed = Transformer(**TINY).fit(small_site(), FitOptions(checkpoint=path))
    np.testing.assert_array_equal(resumed.item_vectors_, Transformer(**TINY).fit(small_site()).item_vectors_)
