"""Starting from a network that was trained before."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions, WarmStart
from recmodels.pairwise.hybrid import Hybrid
from recmodels.persistence import load, save
from recmodels.testing import N_ITEMS, N_USERS, small_site
from recmodels.transformer.model import Transformer
from recmodels.transformer.training import Trainer
from tests.recmodels.renumbered import same_rows, shuffled
from tests.recmodels.sequences import two_domains

torch.set_num_threads(1)

KIND = {
    "dim": 8,
    "layers": 1,
    "heads": 1,
    "max_length": 10,
    "batch": 256,
    "epochs": 2,
    "warm_start": "always",
    "final_epochs": 0,
}
MODELS = [
    Transformer(**KIND),
    Transformer(**KIND, content=True, seeds=2),
    Transformer(**KIND, user_embedding=True, user_dim=4, block="sasrec", temperature=0.0, distill_epochs=1),
]


@pytest.mark.parametrize("model", MODELS)
def test_a_warm_start_without_a_step_scores_as_before_whatever_the_order(model: Transformer) -> None:
    data = small_site()
    before = replace(model).fit(data)
    other, rows = shuffled(data)
    after = replace(model, warm_epochs=0).fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    users, items = np.flatnonzero(rows["users"] >= 0), np.flatnonzero(rows["items"] >= 0)
    users = users[np.diff(data.indptr)[rows["users"][users]] > 0]
    expected = before._score(data, rows["users"][users])[:, rows["items"][items]]
    scores = after._score(other, users.astype(np.int32))[:, items]
    known = np.isfinite(expected)
    np.testing.assert_allclose(scores[known], expected[known], atol=1e-4)


@pytest.mark.slow
def test_it_goes_on_where_the_earlier_one_was_for_so_many_epochs_at_most() -> None:
    data = small_site()
    before = Transformer(**KIND | {"epochs": 10}).fit(data)
    warm = Transformer(**KIND, warm_epochs=1)
    warm.fit(data, FitOptions(warm_start=WarmStart(before, same_rows(data))))
    assert len(warm.epochs_) == 1
    assert warm.epochs_[0]["loss"] < min(epoch["loss"] for epoch in before.epochs_[:5])


@pytest.mark.slow
def test_a_model_of_another_kind_or_without_tables_is_no_start() -> None:
    data = small_site()
    cold = Transformer(**KIND).fit(data)
    others = [
        Transformer(**KIND | {"layers": 2}),
        Transformer(**KIND | {"warm_start": "no"}),
        Hybrid(factors=8, epochs=1, warm_start="always"),
    ]
    for other in others:
        model = Transformer(**KIND)
        model.fit(data, FitOptions(warm_start=WarmStart(other.fit(data), same_rows(data))))
        assert (model.item_vectors_ == cold.item_vectors_).all()


@pytest.mark.slow
def test_a_saved_model_is_the_same_start(tmp_path) -> None:
    data = small_site()
    before = Transformer(**KIND).fit(data)
    save(before, tmp_path)
    vectors = [
        Transformer(**KIND).fit(data, FitOptions(warm_start=WarmStart(model, same_rows(data)))).item_vectors_
        for model in (before, load(tmp_path))
    ]
    assert (vectors[0] == vectors[1]).all()
    assert not Transformer(**KIND | {"warm_start": "no"}).fit(data).tables_


def test_what_no_epoch_makes_better_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation is before the first epoch, too; here each is worse than the one before."""
    data = small_site()
    before = Transformer(**KIND | {"epochs": 1}).fit(data)
    falling = iter(range(9, 0, -1))
    monkeypatch.setattr(Trainer, "_validation_ndcg", lambda _: next(falling) / 10)
    options = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    warm = Transformer(**KIND | {"epochs": 12}).fit(data, options)
    assert [epoch["ndcg"] for epoch in warm.epochs_] == [0.8]  # of three at most
    np.testing.assert_allclose(warm.item_vectors_, before.item_vectors_, atol=1e-6)


@pytest.mark.parametrize(("epochs", "warm", "expected"), [(2, None, 1), (8, None, 2), (200, None, 3), (200, 7, 7)])
def test_a_warm_start_has_a_quarter_of_the_epochs_from_one_to_three(
    epochs: int, warm: int | None, expected: int
) -> None:
    model = Transformer(epochs=epochs, warm_epochs=warm)
    assert (model.epochs_from(warm=True), model.epochs_from(warm=False)) == (expected, epochs)


def test_only_what_came_later_validates_and_so_much_is_learned_of_all_as_made_it_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of four nights' interactions the last night's are new; one epoch of two makes their lists better."""
    data = small_site()
    cut = int(np.sort(data.timestamp)[-40])
    old = data.timestamp < cut
    earlier = Dataset.from_arrays(
        data.user_index[old], data.item_index[old], timestamp=data.timestamp[old],
        terms=data.terms, user_terms=data.user_terms, n_users=data.n_users, n_items=data.n_items,
    )  # fmt: skip
    before = Transformer(**KIND).fit(earlier)
    validated: list[tuple[int, ...]] = []
    values = iter((0.1, 0.2, 0.1))

    def value(self: Trainer) -> float:
        validated.append(tuple(self.sequences.validation_users))
        return next(values)

    monkeypatch.setattr(Trainer, "_validation_ndcg", value)
    options = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    warm = Transformer(**KIND | {"final_epochs": 4, "warm_epochs": 3}).fit(data, options)
    assert [epoch["ndcg"] for epoch in warm.epochs_] == [0.2, 0.1, 0.0]
    last = data.indptr[1:] - 1
    new = np.flatnonzero((np.diff(data.indptr) > 2) & (data.timestamp[last] >= cut))
    assert 0 < len(new) < 40 and set(validated) == {tuple(new)}


def test_a_warm_start_has_a_share_of_the_minutes_and_the_lists_have_the_rest() -> None:
    model, given = Transformer(seeds=2, warm_time=0.25), FitOptions(minutes=8, list_minutes=2)
    times = [
        (options.minutes, options.list_minutes)
        for options in (model._options(given, 0, 2), model._options(given, 0, 2, warm=True))
    ]
    assert times == [(4, 1), (1, 4)]
    assert model._options(FitOptions(), 0, 2, warm=True).minutes is None


def test_parts_of_domains_are_taken_over_unless_there_are_other_domains(caplog: pytest.LogCaptureFixture) -> None:
    data = two_domains()
    assert data.domains is not None
    second = data.domains.codes == 1
    before = Transformer(**KIND, domain_share=0.5).fit(data)
    options = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    after = Transformer(**KIND, domain_share=0.5, warm_epochs=0).fit(data, options)
    np.testing.assert_allclose(after.item_vectors_, before.item_vectors_, atol=1e-6)
    more = replace(data, domains=replace(data.domains, names=("a", "b", "c")))
    with caplog.at_level("INFO"):
        anew = Transformer(**KIND, domain_share=0.5).fit(more, options)
    assert "The earlier model has parts for other domains; this one starts anew." in caplog.messages
    assert not anew.item_vectors_[second, 5].any() and not anew.item_vectors_[~second, 6:].any()
    assert len(anew.epochs_) == 2  # of a warm start there would be one


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"warm_epochs": 0}, {"user_embedding": True, "content": True}])
def test_of_new_items_nothing_is_known_where_no_epoch_makes_it_better(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not listed by vectors that were only drawn, nor do new users have any; terms are known already."""
    data = small_site()
    model = Transformer(**KIND | {"epochs": 1} | changes)
    before = replace(model).fit(data)
    more = Dataset.from_arrays(
        np.append(data.user_index, [0, 1, N_USERS, N_USERS]),
        np.append(data.item_index, [N_ITEMS, N_ITEMS, 3, N_ITEMS]),
        timestamp=np.append(data.timestamp, data.end + np.arange(4)),
        terms=sparse.vstack([data.terms, data.terms[:1]], format="csr"),
    )
    rows = same_rows(data)
    rows = rows | {name: np.append(rows[name], -1).astype(np.int32) for name in ("users", "items")}
    falling = iter((0.2, 0.1))
    monkeypatch.setattr(Trainer, "_validation_ndcg", lambda _: next(falling))
    after = replace(model).fit(more, FitOptions(warm_start=WarmStart(before, rows)))
    np.testing.assert_allclose(after.item_vectors_[:N_ITEMS], before.item_vectors_, atol=1e-6)
    if model.content:
        expected = before.tables_["0.term_projection"][data.terms[[0]].indices].T @ data.terms[[0]].data
        np.testing.assert_allclose(after.item_vectors_[-1], expected / np.linalg.norm(expected), atol=1e-5)
        assert not after.network_["0.user_cross.user_embedding.weight"][N_USERS:].any()
    else:
        assert not after.item_vectors_[-1].any()


@pytest.mark.slow
def test_where_validation_is_the_same_what_was_learned_since_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night before knows nothing of new items, and few users cannot tell by validation that they matter."""
    data = small_site()
    before = Transformer(**KIND | {"epochs": 1}).fit(data)
    monkeypatch.setattr(Trainer, "_validation_ndcg", lambda _: 0.1)
    after = replace(before).fit(data, FitOptions(warm_start=WarmStart(before, same_rows(data))))
    assert not np.allclose(after.item_vectors_, before.item_vectors_, atol=1e-5)


def test_other_vectors_that_are_all_there_is_are_no_start() -> None:
    site = small_site()
    given = np.random.default_rng(0).normal(size=(N_ITEMS, 6)).astype(np.float32)
    given /= np.linalg.norm(given, axis=1, keepdims=True)
    data = replace(site, item_vectors=given)
    before = Transformer(**KIND | {"epochs": 1}, vectors="frozen").fit(data)
    starts = [
        before._start(FitOptions(warm_start=WarmStart(before, same_rows(data) | {"vectors": np.full(6, row)})), 0)
        for row in (0, -1)
    ]
    assert starts[0] is not None and starts[1] is None
