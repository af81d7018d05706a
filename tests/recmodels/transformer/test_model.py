import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recmodels import parameters
from recmodels.answering import Answering
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError, DataRefused
from recmodels.persistence import load, save
from recmodels.registry import create
from recmodels.testing import RecommenderContract, small_site
from recmodels.testing.site import COMPLETIST, N_ITEMS, N_USERS, NEVER_SEEN, with_session
from recmodels.transformer.model import Transformer
from recmodels.transformer.network import last_states
from tests.recmodels.sequences import TINY, successions, two_domains

BRIEF = TINY | {"batch": 256}  # a few steps an epoch: what every model promises does not depend on their number


class TestTransformer(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Transformer:
        return Transformer(**BRIEF)


class TestGatedWithSampledSoftmaxOverAHorizon(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Transformer:
        return Transformer(**BRIEF, block="ligr", loss="sampled", negatives=16, objective="horizon", temperature=0.0)


class TestTwoSeedsWithMaskedHistory(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Transformer:
        return Transformer(**BRIEF | {"epochs": 1}, seeds=2, mask_history=True)


class TestFusedWithUsersAndContent(RecommenderContract):
    rounding = 1e-3
    recommends_unseen_items = True

    def make(self) -> Transformer:
        return Transformer(
            **BRIEF, block="sasrec", loss="gbce", negatives=8, user_embedding=True, cross=True, content=True
        )


def test_cosines_are_what_is_scored_whatever_the_length_of_vectors() -> None:
    model = Transformer(**TINY, temperature=0.1).fit(small_site())
    data = small_site()
    states = model._user_vectors(data, np.arange(5, dtype=np.int32))
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 10, rtol=1e-4)  # 1 / temperature
    known = np.unique(data.item_index)
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors_[known], axis=1), 1, rtol=1e-4)


def test_the_scores_of_several_seeds_are_added(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, users = small_site(), np.arange(12)
    settings = TINY | {"user_embedding": True}
    with caplog.at_level("INFO"):
        both = Transformer(**settings, seeds=2, seed=1).fit(data)
    assert [line for line in caplog.messages if "etwork" in line] == ["Network 1 of 2:", "Network 2 of 2:"]
    parts = [Transformer(**settings, seed=seed).fit(data)._score(data, users) for seed in (1, 2)]
    np.testing.assert_allclose(both._score(data, users), sum(parts), rtol=1e-5, atol=1e-5)
    save(both, tmp_path)
    again = load(tmp_path, Transformer)
    np.testing.assert_array_equal(again._score(data, users), both._score(data, users))


def test_an_unknown_user_is_served_by_history_alone() -> None:
    data = small_site()
    model = Transformer(**TINY, user_embedding=True).fit(data)
    larger = Dataset.from_arrays([*data.user_index, 50], [*data.item_index, 3], n_users=60, n_items=N_ITEMS)
    assert (model.recommend(larger, np.array([50]), 5).items >= 0).all()


def test_the_reason_is_the_item_without_which_the_score_is_lowest() -> None:
    """Against lists for histories from which one item was really taken."""
    data = small_site()
    model = Transformer(**TINY).fit(data)
    users = np.array([2, 7, 11, COMPLETIST])  # the last one has more items than are read
    top = model.recommend(data, users, 20, repeats=True)
    for user, items, reasons in zip(users, top.items, model.explain(data, users, top), strict=True):
        complete = data.item_index[data.indptr[user] : data.indptr[user + 1]]
        history = complete[-12:]
        score = model._user_vectors(data, np.array([user], np.int32))[0] @ model.item_vectors[items].T
        left = []
        for item in history:
            rest = Dataset.from_arrays(np.zeros(len(complete) - 1, int), complete[complete != item], n_items=N_ITEMS)
            left.append(model._user_vectors(rest, np.zeros(1, np.int32))[0] @ model.item_vectors[items].T)
        lost = score - np.array(left)  # [history, items]
        expected = np.where(lost.max(axis=0) > 0, history[lost.argmax(axis=0)], -1)
        assert reasons.tolist() == expected.tolist()


def test_reasons_hold_so_many_states_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data, users = small_site(), np.arange(6, dtype=np.int32)
    fitted = Transformer(**BRIEF | {"epochs": 1}).fit(data)
    top = fitted.recommend(data, users, 4)
    whole, held, most = fitted.explain(data, users, top), list[int](), Transformer._most_missed
    monkeypatch.setattr("recmodels.transformer.model.SCORE_BYTES", 24 * 4 * 8)  # of 24 states
    monkeypatch.setattr(
        Transformer, "_most_missed", lambda one, *given: held.append(given[2].sum()) or most(one, *given)
    )
    np.testing.assert_array_equal(fitted.explain(data, users, top), whole)
    assert max(held) <= 24 and len(held) < len(users)


@pytest.mark.slow
def test_what_follows_an_item_is_explained_by_it() -> None:
    data = successions()
    settings = TINY | {"dim": 16, "epochs": 3, "dropout": 0.0, "learning_rate": 0.01, "batch": 128, "patience": 20}
    model = Transformer(**settings).fit(data)
    users = np.arange(data.n_users)
    reasons = model.explain(data, users, model.recommend(data, users, 1))[:, 0]
    assert (reasons == data.item_index[data.indptr[1:] - 1]).mean() > 0.9


def test_files_hold_the_network_by_the_names_of_its_parameters(tmp_path: Path) -> None:
    save(Transformer(**TINY, content=True).fit(small_site()), tmp_path)
    from safetensors.numpy import load_file

    names = load_file(tmp_path / "model.safetensors").keys()
    assert {"item_vectors_", "network_.0.blocks.0.attention.qkv.weight"} <= names
    scoring = [name for name in names if not name.startswith("tables_.")]  # a warm start has the projection
    assert not any("projection" in name for name in scoring)  # it is in the items' vectors
    assert json.loads((tmp_path / "model.json").read_text())["recommender"] == "transformer"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"dim": 9, "heads": 2}, "not a multiple"),
        ({"cross": True}, "set user_embedding too"),
        ({"loss": "bce"}, "(?i)there are: full, sampled, gbce"),
        ({"block": "hstu"}, "give one of sasrec, ligr, bsarec"),
        ({"dropout": 1.0}, "dropout is 1.0; give a number of at least 0 and below 1"),
        ({"mask_history": "none"}, "give true or false"),
        ({"distill_epochs": 1, "loss": "gbce"}, "distill_epochs learn a softmax, and gbce has none"),
        ({"seeds": 0}, "seeds is 0; give a whole number of at least 1"),
        ({"temperature": -1}, "temperature is -1; give a number of at least 0"),
        ({"horizon_days": 7, "gap_days": 8}, "gap_days 8 lies from 0 to below horizon_days"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Transformer(**parameters).fit(small_site())


def test_parameters_of_version_0_1_are_understood(caplog: pytest.LogCaptureFixture) -> None:
    parameters._note.cache_clear()
    old = {
        "width": 8, "length": 12, "mix": 0.5, "networks": 2, "user_width": 6, "rivals": "unseen", "calibration": 0.5,
        "objective": "days", "days": 20.0, "pause": 1.0, "averaging": 0.9, "clip": 1.0,
    }  # fmt: skip
    assert create("transformer", old) == Transformer(
        dim=8, max_length=12, filter_weight=0.5, seeds=2, user_dim=6, mask_history=True, gbce_t=0.5,
        objective="horizon", horizon_days=20.0, gap_days=1.0, ema_decay=0.9, max_grad_norm=1.0,
    )  # fmt: skip
    assert "transformer: rivals is called mask_history now; write mask_history = True instead." in caplog.messages
    assert (
        "transformer: objective = 'days' is called 'horizon' now; write objective = 'horizon' instead." in caplog.text
    )
    caplog.clear()
    assert create("transformer", {"objective": "next", "rivals": "all"}) == Transformer()
    assert not [message for message in caplog.messages if "objective" in message]
    with pytest.raises(ConfigError, match="width is called dim now, and both are given"):
        create("transformer", {"width": 8, "dim": 8})
    with pytest.raises(ConfigError, match="mask_history is 'none'; give true or false"):
        create("transformer", {"rivals": "none"})


@pytest.mark.slow
@pytest.mark.parametrize("vectors", ["projected", "frozen", "start"])
def test_items_begin_with_or_are_projections_of_the_vectors_that_they_have(vectors: str) -> None:
    site = small_site()
    given = np.random.default_rng(0).normal(size=(site.n_items + 1, 6)).astype(np.float32)
    given /= np.linalg.norm(given, axis=1, keepdims=True)
    given[3] = 0  # which many have
    pairs = {"timestamp": site.timestamp, "n_items": site.n_items + 1, "item_vectors": given}
    model = Transformer(**TINY, vectors=vectors).fit(Dataset.from_arrays(site.user_index, site.item_index, **pairs))
    assert model.item_vectors[-1].any() == (vectors != "start")  # a new item has its projection
    if vectors == "frozen":  # and nothing else: a linear map of six numbers
        projection = model.tables_["0.term_projection"]
        expected = given @ projection
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
        np.testing.assert_allclose(model.item_vectors, expected, atol=1e-5)
        users, table = np.arange(10, dtype=np.int32), torch.from_numpy(model.item_vectors)
        read = site.item_index, site.indptr[users], site.indptr[users + 1]  # all of it, as in training
        np.testing.assert_array_equal(
            model._user_vectors(site, users), last_states(model._networks[0], table, *read, users)
        )


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"loss": "full", "seeds": 2, "distill_epochs": 1}, marks=pytest.mark.slow),
        pytest.param({"loss": "sampled", "negatives": 8, "seeds": 2}, marks=pytest.mark.slow),
        {"loss": "gbce", "negatives": 8, "temperature": 0.0},
    ],
)  # fmt: skip
def test_items_have_nothing_in_the_parts_of_other_domains(parameters: dict[str, object], tmp_path: Path) -> None:
    data = two_domains()
    assert data.domains is not None
    second, known = data.domains.codes == 1, data.item_counts > 0
    model = Transformer(**TINY | {"epochs": 1}, **parameters, domain_share=0.5).fit(data)
    save(model, tmp_path)
    for one in (model, load(tmp_path, Transformer)):
        assert one.domains_ == ["a", "b"]
        for vectors in np.hsplit(one.item_vectors_, one.networks):
            assert vectors[known, :4].all() and vectors[second & known, 6:].all()
            assert not vectors[second, 4:6].any() and not vectors[~second, 6:].any()
    users = np.arange(12)
    of_second = model.recommend(data, users, 3, allowed=second)
    assert second[of_second.items].all()
    np.testing.assert_array_equal(load(tmp_path).recommend(data, users, 3, allowed=second).items, of_second.items)


@pytest.mark.slow
def test_numbers_that_items_do_not_have_are_not_trained() -> None:
    """Also where an item without interactions, which takes no part, stands before others."""
    data = two_domains().of_items(np.arange(N_ITEMS) != 3)
    assert data.domains is not None
    tables = [
        Transformer(**TINY | {"epochs": epochs}, domain_share=0.5, weight_decay=0.0).fit(data).tables_["0.embedding"]
        for epochs in (1, 2)
    ]
    second, known = data.domains.codes == 1, data.item_counts > 0
    has = np.ones((N_ITEMS, 8), bool)
    has[second, 4:6] = has[~second, 6:] = False
    np.testing.assert_array_equal((tables[0] == tables[1])[known], ~has[known])


def test_items_of_which_nothing_is_known_are_passed_over_in_histories() -> None:
    data = small_site()
    known = data.item_index != NEVER_SEEN
    data = Dataset.from_arrays(
        data.user_index[known], data.item_index[known], timestamp=data.timestamp[known], n_items=N_ITEMS
    )
    model = Transformer(**BRIEF | {"epochs": 1}).fit(data)
    users = np.array([3, 8], np.int32)
    expected = model._user_vectors(data, users)
    longer = with_session(with_session(data, 3, [NEVER_SEEN]), N_USERS, [NEVER_SEEN])
    np.testing.assert_array_equal(model._user_vectors(longer, users), expected)
    assert (model.recommend(longer, [N_USERS], 5).items == -1).all()


def test_who_is_in_no_sequence_is_an_unknown_user() -> None:
    data = with_session(small_site(), N_USERS, [3])
    model = Transformer(**BRIEF | {"epochs": 1}, user_embedding=True).fit(data)
    others = with_session(small_site(n_users=N_USERS + 9), N_USERS + 9, [3])
    vectors = [model._user_vectors(one, np.array([one.n_users - 1], np.int32)) for one in (data, others)]
    np.testing.assert_array_equal(*vectors)


def test_networks_are_made_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    answering = Answering(Transformer(**BRIEF | {"epochs": 1}, user_embedding=True).fit(data), data)
    made, network = list[int](), Transformer._network
    monkeypatch.setattr(Transformer, "_network", lambda model, i: made.append(i) or network(model, i))
    for user in (0, 1):
        answering.answer(user, [3], explain=False)
    assert made == [0]


def test_vectors_that_are_not_there_are_asked_for() -> None:
    with pytest.raises(DataRefused, match="vectors = 'frozen', and the items have none: give item_vectors"):
        Transformer(**TINY, vectors="frozen").fit(small_site())
