"""Lists by rules: marginal relevance as published, and what every list keeps whatever the rules are."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recmodels import fallback as serving
from recmodels.base import Recommender
from recmodels.data.arrays import Csr
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.fallback import Lists, serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.metrics.diversity import intra_list
from recmodels.popularity import Popularity
from recmodels.ranking import rerank_kernels
from recmodels.ranking.rerank import Rules, choose, scaled
from recmodels.testing import COMPLETIST, N_ITEMS, N_USERS, NEWCOMER, small_site

EVERYBODY = np.arange(N_USERS, dtype=np.int32)
EVERYTHING = np.ones(N_ITEMS, bool)
DATA = small_site()
MODEL, POPULAR = ItemKNN(neighbors=4).fit(DATA), Popularity().fit(DATA)
SEEN = DATA.matrix.toarray() > 0
K = 6


def categories(of_item: list[list[int]], cap: int | list[int]) -> dict[str, Any]:
    indptr = np.concatenate([[0], np.cumsum([len(some) for some in of_item])]).astype(np.int64)
    indices = np.array([category for some in of_item for category in some], np.int32)
    n = int(indices.max(initial=-1)) + 1
    return {"categories": (indptr, indices), "caps": np.broadcast_to(np.array(cap, np.int32), n).copy()}


BY_FIVE = categories([[item % 5] for item in range(N_ITEMS)], 2)


def listed(rules: Rules, k: int = K, model: Recommender = MODEL, **options: Any) -> Lists:
    return serve(model, POPULAR, DATA, EVERYBODY, k, rules=rules, **options)


def one_list(rules: Rules, terms: Csr, scores: list[float], k: int) -> list[int]:
    """The order in which candidates 0, 1, ... with these scores are chosen."""
    own = np.array([scores], np.float32)
    items = np.arange(len(scores), dtype=np.int32)[None, :]
    return choose(rules, terms, items, own, 0, len(scores), np.array([k], np.int32), k).places[0].tolist()


def test_marginal_relevance_worked_by_hand() -> None:
    """Relevance 1, 1/2, 0. After a, b is worth 1/4 - 0.8/2 = -0.15 and c 0 - 0 = 0: c is next, though b scored more."""
    terms = sparse.csr_array(np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32))
    half = Rules(allowed=np.ones(3, bool), relevance_weight=0.5)
    assert one_list(half, terms, [3, 2, 1], 3) == [0, 2, 1]
    assert one_list(replace(half, relevance_weight=1.0), terms, [3, 2, 1], 3) == [0, 1, 2]
    # from 0.5 w - 0.8 (1 - w) > 0 on, w > 8/13, it is b
    assert one_list(replace(half, relevance_weight=0.61), terms, [3, 2, 1], 3) == [0, 2, 1]
    assert one_list(replace(half, relevance_weight=0.62), terms, [3, 2, 1], 3) == [0, 1, 2]


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 25), weight=st.floats(0, 1))
def test_the_lazy_choice_is_that_of_the_plain_rule(seed: int, m: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    words = rng.random((m, 8)) * (rng.random((m, 8)) < 0.5) + 1e-3
    terms = sparse.csr_array((words / np.linalg.norm(words, axis=1, keepdims=True)).astype(np.float32))
    scores = np.sort(rng.random(m).astype(np.float32))[::-1]
    cosine, relevance = (terms @ terms.T).toarray().astype(np.float64), scaled(scores[None, :])[0].astype(np.float64)
    order = one_list(Rules(allowed=np.ones(m, bool), relevance_weight=weight), terms, scores.tolist(), m)
    assert sorted(order) == list(range(m))
    for place, taken in enumerate(order):
        left = order[place:]
        nearest = cosine[np.ix_(left, order[:place])].max(axis=1, initial=0)
        value = weight * relevance[left] - (1 - weight) * nearest
        assert value[left.index(taken)] >= value.max() - 1e-6


@pytest.mark.parametrize("k", [1, K, 50])
@pytest.mark.parametrize("options", [{}, {"repeats": True}, {"min_history": 6}, {"explain": True}])
def test_without_any_rule_the_lists_are_the_models(k: int, options: dict[str, Any]) -> None:
    plain = serve(MODEL, POPULAR, DATA, EVERYBODY, k, **options)
    ruled = listed(Rules(allowed=EVERYTHING), k, **options)
    for name in ("items", "scores", "cold", "reasons", "pinned"):
        np.testing.assert_array_equal(getattr(ruled, name), getattr(plain, name), err_msg=name)


@settings(max_examples=60)
@given(data=st.data())
@pytest.mark.slow
def test_every_list_keeps_the_rules(data: st.DataObject) -> None:
    draw = data.draw
    item = st.integers(0, N_ITEMS - 1)
    allowed = np.isin(np.arange(N_ITEMS), draw(st.lists(item, max_size=15)), invert=True)
    new = np.isin(np.arange(N_ITEMS), draw(st.lists(item, max_size=10)))
    of_item = draw(st.lists(st.lists(st.integers(0, 4), max_size=2, unique=True), min_size=N_ITEMS, max_size=N_ITEMS))
    of_item[0] = [4]  # so that all five are there
    rules = Rules(
        allowed=allowed,
        pool=draw(st.integers(1, 30)),
        relevance_weight=draw(st.sampled_from([0.0, 0.4, 1.0])),
        min_score=draw(st.sampled_from([None, 2.0])),
        new_share=draw(st.sampled_from([0.0, 0.3, 1.0])),
        new=new,
        pinned=draw(st.lists(item, max_size=3, unique=True)),
        pinned_rank=draw(st.integers(1, 4)),
        lengths=np.array(draw(st.lists(st.integers(0, 8), min_size=N_USERS, max_size=N_USERS)), np.int32),
        **categories(of_item, draw(st.integers(0, 3))),
    )
    repeats = draw(st.booleans())
    lists = listed(rules, 8, repeats=repeats, explain=True)
    assert rules.lengths is not None
    for user in EVERYBODY:
        there = lists.items[user] >= 0
        shown = lists.items[user][there]
        assert there[: len(shown)].all()
        assert len(set(shown)) == len(shown)
        eligible = allowed if repeats else allowed & ~SEEN[user]
        assert eligible[shown].all()
        held = Counter(category for item in shown for category in of_item[item])
        assert all(count <= rules.caps[category] for category, count in held.items())
        scores = lists.scores[user]
        assert np.isfinite(scores[there]).all() and np.isneginf(scores[~there]).all()
        assert (np.diff(scores[there]) <= 0).all()
        assert (lists.reasons[user][lists.cold[user] | lists.pinned[user] | ~there] == -1).all()
        assert len(shown) <= rules.lengths[user]
        if len(shown) < rules.lengths[user]:  # nothing else fits
            for other in set(np.flatnonzero(eligible)) - set(shown):
                assert any(held[category] >= rules.caps[category] for category in of_item[other])


def test_caps_hold_and_lists_stay_full() -> None:
    lists = listed(Rules(allowed=EVERYTHING, **BY_FIVE), 8)
    some = np.delete(lists.items, COMPLETIST, axis=0)
    assert max(np.bincount(row % 5).max() for row in some) == 2
    assert (some >= 0).all()
    assert lists.cold[NEWCOMER].all()


def test_caps_that_leave_less_than_k_shorten_the_lists_and_only_those() -> None:
    lists = listed(Rules(allowed=EVERYTHING, **BY_FIVE), 12)
    assert set((lists.items >= 0).sum(axis=1).tolist()) == {10, 0}


def test_pinned_items_stand_at_their_ranks_outside_the_history() -> None:
    lists = listed(Rules(allowed=EVERYTHING, pinned=[7, 3], pinned_rank=2))
    for user in np.delete(EVERYBODY, COMPLETIST):
        expected = [item for item in (7, 3) if not SEEN[user, item]]
        assert lists.items[user][1 : 1 + len(expected)].tolist() == expected
        assert np.flatnonzero(lists.pinned[user]).tolist() == [1, 2][: len(expected)]
        assert not set(lists.items[user]) & ({7, 3} - set(expected))


def test_new_items_have_their_share() -> None:
    new = np.arange(N_ITEMS) >= 24
    lists = listed(Rules(allowed=EVERYTHING, new=new, new_share=0.4))
    for user in np.delete(EVERYBODY, COMPLETIST):
        assert new[lists.items[user]].sum() >= min(3, (new & ~SEEN[user]).sum())


def test_who_has_had_what_is_new_needs_no_more_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    new = np.isin(np.arange(N_ITEMS), [0, 1])
    users = np.flatnonzero(SEEN[:, 0] & ~SEEN[:, 1]).astype(np.int32)
    asked: list[int] = []
    recommend = ItemKNN.recommend

    def noted(model: ItemKNN, data: Dataset, users: Any, k: int, **options: Any) -> Any:
        asked.append(k)
        return recommend(model, data, users, k, **options)

    monkeypatch.setattr(ItemKNN, "recommend", noted)
    lists = serve(MODEL, POPULAR, DATA, users, 2, rules=Rules(allowed=EVERYTHING, pool=3, new=new, new_share=1.0))
    assert len(users) > 2 and (lists.items == 1).any(axis=1).all()
    assert max(asked) == 4


def test_items_below_the_lowest_score_give_way_to_popular_ones() -> None:
    bound = float(np.median(listed(Rules(allowed=EVERYTHING)).scores[:NEWCOMER]))
    lists = listed(Rules(allowed=EVERYTHING, min_score=bound))
    own = (lists.items >= 0) & ~lists.cold
    assert own.any() and (lists.scores[own] >= bound).all()
    assert (lists.items[:NEWCOMER] >= 0).all()


def test_users_without_places_have_no_list() -> None:
    lengths = (EVERYBODY % 3).astype(np.int32)
    lists = listed(Rules(allowed=EVERYTHING, lengths=lengths))
    counts = (lists.items >= 0).sum(axis=1)
    np.testing.assert_array_equal(np.delete(counts, COMPLETIST), np.delete(lengths, COMPLETIST))


def test_variety_grows_with_its_weight() -> None:
    means = [
        np.nanmean(intra_list(listed(Rules(allowed=EVERYTHING, relevance_weight=weight)).items, DATA.terms))
        for weight in (1.0, 0.5, 0.0)
    ]
    assert means[0] < means[1] < means[2]


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    new = np.arange(N_ITEMS) >= 24
    rules = Rules(allowed=EVERYTHING, pool=7, relevance_weight=0.6, new=new, new_share=0.5, pinned=[2], **BY_FIVE)
    whole = listed(rules)
    monkeypatch.setattr(serving, "CANDIDATES", 1)
    again = listed(rules)
    np.testing.assert_array_equal(again.items, whole.items)
    np.testing.assert_array_equal(again.scores, whole.scores)


def test_what_an_item_is_worth_adds_to_its_relevance() -> None:
    terms = sparse.csr_array((N_ITEMS, 1), dtype=np.float32)
    items, scores = np.array([[3, 1, 2]], np.int32), np.array([[3, 2, 1]], np.float32)  # relevance 1, .5, 0
    value = np.zeros(N_ITEMS, np.float32)
    value[[1, 2]] = 0.5, 1
    lengths = np.array([3], np.int32)
    for weight, order in ((0.9, [0, 1, 2]), (1.1, [2, 1, 0]), (0, [0, 1, 2])):  # 1; .5 + w / 2; w
        rules = Rules(allowed=EVERYTHING, value_weight=weight, value=value)
        assert choose(rules, terms, items, scores, 0, 3, lengths, 3).places.tolist() == [order], weight


def test_rules_come_back_from_their_file(tmp_path: Path) -> None:
    new = np.arange(N_ITEMS) >= 24
    rules = Rules(allowed=~new, pool=9, relevance_weight=0.6, min_score=0.1, new=new, pinned=[4, 2], **BY_FIVE)
    popularity = np.linspace(0, 1, N_ITEMS, dtype=np.float32)
    rules = replace(rules, calibration=0.5, popularity_damping=0.25, popularity=popularity)
    rules = replace(rules, value_weight=2.0, value=popularity[::-1].copy())
    rules.save(tmp_path / "rules.parquet")
    again = Rules.load(tmp_path / "rules.parquet")
    assert (again.pool, again.relevance_weight, again.min_score, again.pinned) == (9, 0.6, 0.1, [4, 2])
    assert (again.calibration, again.popularity_damping) == (0.5, 0.25)
    for name in ("allowed", "new", "caps", "popularity", "value"):
        np.testing.assert_array_equal(getattr(again, name), getattr(rules, name))
    assert again.categories is not None and rules.categories is not None
    for mine, theirs in zip(again.categories, rules.categories, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(NightrecError, match="written before any model trains"):
        Rules.load(tmp_path / "nothing.parquet")


def test_rules_of_a_file_need_no_machine_code_of_their_own(tmp_path: Path) -> None:
    """What a file holds cannot be written to, for which a kernel would be compiled once more, in seconds."""
    rules = Rules(allowed=EVERYTHING, relevance_weight=0.4, **BY_FIVE)
    expected, compiled = listed(rules).items, len(rerank_kernels.choose.signatures)
    rules.save(tmp_path / "rules.parquet")
    read = Rules.load(tmp_path / "rules.parquet")
    assert read.categories is not None and not read.categories[1].flags.writeable
    np.testing.assert_array_equal(listed(read).items, expected)
    assert len(rerank_kernels.choose.signatures) == compiled


def test_a_site_without_content_can_have_rules() -> None:
    bare = Dataset.from_arrays(DATA.user_index, DATA.item_index, n_users=N_USERS, n_items=N_ITEMS)
    rules = Rules(allowed=EVERYTHING, relevance_weight=0.5)
    lists = serve(MODEL, POPULAR, bare, EVERYBODY, K, rules=rules)
    np.testing.assert_array_equal(lists.items, serve(MODEL, POPULAR, bare, EVERYBODY, K).items)


def test_domains_have_the_places_of_their_quotas() -> None:
    """Items 0-3 are films, 4-7 books; the model prefers films. Of six places books have one (1.8) to three."""
    terms, films_first = sparse.csr_array((8, 0), dtype=np.float32), [8, 7, 6, 5, 4, 3, 2, 1]
    codes = np.repeat(np.array([1, 0], np.int32), 4)  # books come first by name
    shares = Rules(allowed=np.ones(8, bool), domains=codes, domain_least=[0.3, 0.0], domain_most=[0.5, 1.0])
    assert one_list(shares, terms, films_first, 4) == [0, 1, 2, 4]  # 1.2 rounded down
    assert one_list(shares, terms, films_first[::-1], 6) == [7, 6, 5, 3, 2, 1]  # three books at most
    only_books = replace(shares, domain_least=[1.0, 0.0], domain_most=[1.0, 0.0])
    assert one_list(only_books, terms, films_first, 4) == [4, 5, 6, 7]
    # a domain has too few items: others take its places
    assert one_list(only_books, terms, films_first, 6) == [4, 5, 6, 7, 0, 1]
    # first those of which there may be more: somebody has had all films, and books have two or three places at most
    codes = np.array([0, 0, 0, 0, 2, 2, 2, 2], np.int32)
    songs = replace(shares, domains=codes, domain_least=[0.0, 0.3, 0.0], domain_most=[0.3, 1.0, 1.0])
    assert one_list(songs, terms, films_first, 6) == [0, 1, 4, 5, 6, 7]
    assert one_list(songs, terms, films_first, 8) == [0, 1, 2, 4, 5, 6, 7, 3]


def test_new_items_and_domains_have_their_places_in_the_same_list() -> None:
    """Books are 0-6, of which 5 and 6 are new, and films 7-9: of eight places two are for new ones, three for films."""
    terms, order = sparse.csr_array((10, 0), dtype=np.float32), np.arange(10)
    both = Rules(
        allowed=np.ones(10, bool), new=np.isin(order, [5, 6]), new_share=0.25,
        domains=(order > 6).astype(np.int32), domain_least=[0.0, 0.375], domain_most=[1.0, 1.0],
    )  # fmt: skip
    best_first = list(np.arange(10.0, 0, -1))
    assert one_list(both, terms, best_first, 8) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert one_list(replace(both, new=np.isin(order, [6])), terms, best_first, 8) == [0, 1, 2, 3, 6, 7, 8, 9]
    films = one_list(replace(both, new=np.isin(order, [8, 9])), terms, best_first, 8)
    assert sorted(films) == [0, 1, 2, 3, 4, 7, 8, 9]  # two of the films are new


def test_pinned_items_leave_places_for_what_a_list_needs() -> None:
    """Item 9 is pinned to the last of four places; of the others 0 is the best, and 8 the last one."""
    terms, order = sparse.csr_array((10, 0), dtype=np.float32), np.arange(10, dtype=np.int32)
    pinned = Rules(allowed=np.ones(10, bool), pinned=[9], pinned_rank=4)

    def listed_items(**needs: Any) -> list[int]:
        items, scores = np.roll(order, 1)[None, :], np.arange(9.0, 0, -1, dtype=np.float32)[None, :]
        places = choose(replace(pinned, **needs), terms, items, scores, 1, 9, np.array([4], np.int32), 4).places[0]
        return items[0, places].tolist()

    assert listed_items() == [0, 1, 2, 9]
    assert listed_items(new=order == 8, new_share=0.25) == [0, 1, 8, 9]
    assert listed_items(new=order >= 8, new_share=0.25) == [0, 1, 2, 9]  # it is new itself
    assert listed_items(new=order >= 8, new_share=0.5) == [0, 1, 8, 9]
    quotas: dict[str, Any] = {"domain_least": [0.0, 0.25], "domain_most": [1.0, 0.25]}
    assert listed_items(domains=(order == 8).astype(np.int32), **quotas) == [0, 1, 8, 9]
    in_both = ((order >= 8) | (order == 0)).astype(np.int32)  # it has the place of its domain, which the best one is of
    assert listed_items(domains=in_both, **quotas) == [1, 2, 3, 9]


def test_quotas_are_filled_from_beyond_the_pool_and_by_popular_items() -> None:
    codes = (np.arange(N_ITEMS) % 2).astype(np.int32)
    rules = Rules(allowed=EVERYTHING, pool=K, domains=codes, domain_least=[0.5, 0.5], domain_most=[1.0, 1.0])
    lists = listed(rules)
    for user in EVERYBODY:
        left = [int((~SEEN[user] & (codes == domain)).sum()) for domain in (0, 1)]
        held = np.bincount(codes[lists.items[user][lists.items[user] >= 0]], minlength=2)
        assert held.sum() == min(K, sum(left))
        for domain in (0, 1):
            assert held[domain] >= min(K // 2, left[domain])


def test_vectors_of_the_items_say_what_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """All items have the same vector: half of every cosine is 1 then."""
    vectors = np.tile(np.array([[1, 0]], np.float32), (N_ITEMS, 1))
    given: list[Csr] = []

    def noted(rules: Rules, alike: Csr, *rest: Any) -> Any:
        given.append(alike)
        return choose(rules, alike, *rest)

    monkeypatch.setattr(serving, "choose", noted)
    for weight in (0.5, 1.0):
        rules = Rules(allowed=EVERYTHING, relevance_weight=weight)
        serve(MODEL, POPULAR, replace(DATA, item_vectors=vectors), EVERYBODY, K, rules=rules)
    assert np.allclose((given[0] @ given[0].T).toarray(), 0.5 + 0.5 * (DATA.terms @ DATA.terms.T).toarray(), atol=1e-6)
    assert given[-1] is DATA.terms
