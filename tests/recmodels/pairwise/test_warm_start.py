"""Starting a training on pairs from an earlier model: what is taken over."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recmodels.errors import ConfigError
from recmodels.options import DEFAULTS, FitOptions, WarmStart
from recmodels.pairwise.batches import Batch
from recmodels.pairwise.hybrid import Hybrid
from recmodels.pairwise.ncf import NCF
from recmodels.pairwise.training import PairTrainer
from recmodels.testing import small_site
from tests.recmodels.renumbered import same_rows, shuffled

torch.set_num_threads(1)

KIND = {"factors": 6, "epochs": 2, "batch": 256, "warm_start": "always"}
MODELS = [Hybrid(**KIND), Hybrid(**KIND, content=False, history=False), NCF(**KIND, hidden=4)]


@pytest.mark.parametrize("model", MODELS)
def test_a_warm_start_without_a_step_scores_as_before_whatever_the_order(model: Hybrid | NCF) -> None:
    data = small_site()
    before = replace(model).fit(data)
    other, rows = shuffled(data)
    after = replace(model, warm_epochs=0)
    after.fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    users, items = np.flatnonzero(rows["users"] >= 0), np.flatnonzero(rows["items"] >= 0)
    expected = before._score(data, rows["users"][users])[:, rows["items"][items]]
    scores = after._score(other, users.astype(np.int32))[:, items]
    known = np.isfinite(expected)
    np.testing.assert_allclose(scores[known], expected[known], atol=1e-5)


def test_a_new_item_is_trained_and_a_new_item_starts_from_its_terms() -> None:
    data = small_site()
    before = Hybrid(**KIND).fit(data)
    rows = same_rows(data)
    rows["items"][7] = -1
    after = Hybrid(**KIND, warm_epochs=0)
    after.fit(data, FitOptions(warm_start=WarmStart(before, rows)))
    of_terms = data.terms[[7]] @ before.tables_["items_terms"]
    assert np.abs(after.item_vectors_[7] - of_terms).max() < 0.2 < np.abs(of_terms).max()


def test_a_warm_start_ends_nearer_to_the_earlier_model_than_another_one_from_nothing() -> None:
    data = small_site()
    before = Hybrid(**KIND).fit(data)
    warm, cold = Hybrid(**KIND, warm_epochs=1, seed=1), Hybrid(**KIND | {"epochs": 1}, seed=1)
    warm.fit(data, FitOptions(warm_start=WarmStart(before, same_rows(data))))
    cold.fit(data)
    near, far = (np.linalg.norm(model.item_vectors_ - before.item_vectors_) for model in (warm, cold))
    assert near < far / 2
    cold_again = warm.fit(data)  # options are for one training
    np.testing.assert_array_equal(cold_again.item_vectors_, Hybrid(**KIND, seed=1).fit(data).item_vectors_)


def test_a_warm_start_has_a_learning_rate_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rates, step = small_site(), [], PairTrainer.step

    def watched(self: PairTrainer, batch: Batch, rate: float) -> float:
        rates.append(round(rate, 6))
        return step(self, batch, rate)

    before = Hybrid(**KIND).fit(data)
    monkeypatch.setattr(PairTrainer, "step", watched)
    model = Hybrid(**KIND | {"epochs": 4, "warm_epochs": 2, "learning_rate": 0.4, "warm_rate": 0.5})
    for options in (DEFAULTS, FitOptions(warm_start=WarmStart(before, same_rows(data)))):
        model.fit(data, options)
    assert list(dict.fromkeys(rates)) == [0.4, 0.3, 0.2, 0.1]
    steps = len(rates) // 6
    assert rates[4 * steps :] == [0.2] * steps + [0.1] * steps


def test_a_model_of_other_features_or_sizes_is_no_start() -> None:
    data = small_site()
    others = [Hybrid(**KIND | {"factors": 5}), Hybrid(**KIND | {"warm_start": "no"}), NCF(**KIND)]
    cold = Hybrid(**KIND).fit(data)
    for other in others:
        model = Hybrid(**KIND)
        model.fit(data, FitOptions(warm_start=WarmStart(other.fit(data), same_rows(data))))
        np.testing.assert_array_equal(model.item_vectors_, cold.item_vectors_)
    with pytest.raises(ConfigError, match="Hybrid: warm_start is 'maybe'; give one of no, refit, always"):
        Hybrid(warm_start="maybe").fit(data)  # type: ignore[arg-type]
