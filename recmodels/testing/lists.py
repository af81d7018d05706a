"""What the lists of every recommender promise."""

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from recmodels.answering import Answering
from recmodels.base import Recommender
from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.errors import NightrecError
from recmodels.fallback import serve
from recmodels.popularity import Popularity
from recmodels.ranking.topk import TopK
from recmodels.testing.site import (
    COMPLETIST,
    N_ITEMS,
    N_USERS,
    NEVER_SEEN,
    NEWCOMER,
    assert_same,
    small_site,
    traced_peak,
    with_session,
)


class ListClaims(ABC):
    """The claims about lists; `everybody` is the batch of all users of `small_site`."""

    recommends_unseen_items = False  # whether items without interactions can be recommended
    only_repeats = False  # whether it lists nothing but what a user has had already
    rounding = 0.0  # by how much, relative to the highest, the number of threads may change a score
    everybody: Ints = np.arange(N_USERS, dtype=np.int32)
    catalogue: Ints = np.arange(N_ITEMS, dtype=np.int32)

    @abstractmethod
    def make(self) -> Recommender:
        """A recommender that is not fitted yet."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Dataset:
        return small_site()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, data: Dataset) -> Recommender:
        """Fitted once for all claims, none of which changes it."""
        return cls().make().fit(data)

    def test_lists_are_ranked_finite_and_without_repeats(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, 10, repeats=self.only_repeats)
        assert top.items.dtype == np.int32 and top.scores.dtype == np.float32
        assert top.items.shape == top.scores.shape == (N_USERS, 10)
        listed = top.items >= 0
        assert listed[:NEWCOMER].any(axis=1).all()
        assert np.array_equal(np.isfinite(top.scores), listed)
        assert np.isneginf(top.scores[~listed]).all()
        assert (top.scores[:, 1:] <= top.scores[:, :-1]).all()
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in top.items)

    def test_equal_scores_are_ordered_by_item(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, N_ITEMS)
        tied = (top.scores[:, 1:] == top.scores[:, :-1]) & (top.items[:, 1:] >= 0)
        assert (top.items[:, 1:] > top.items[:, :-1])[tied].all()

    def test_seen_items_are_never_recommended(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, N_ITEMS)
        for user in self.everybody:
            seen = data.item_index[data.indptr[user] : data.indptr[user + 1]]
            assert not set(top.items[user]) & set(seen)

    def test_repeats_bring_seen_items_back(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, np.array([COMPLETIST]), N_ITEMS, repeats=True)
        assert (top.items >= 0).any()

    def test_items_that_are_not_allowed_are_never_recommended(self, model: Recommender, data: Dataset) -> None:
        allowed = np.arange(N_ITEMS) % 3 != 0
        for repeats in (False, True):
            top = model.recommend(data, self.everybody, N_ITEMS, allowed=allowed, repeats=repeats)
            assert allowed[top.items[top.items >= 0]].all()
        assert (model.recommend(data, self.everybody, 5, allowed=np.zeros(N_ITEMS, bool)).items == -1).all()

    def test_no_list_that_is_served_holds_an_item_that_is_seen_and_not_due_or_not_allowed(
        self, model: Recommender, data: Dataset
    ) -> None:
        allowed = np.arange(N_ITEMS) % 3 != 0
        odd = data.of_items(np.arange(N_ITEMS) % 2 == 1).seen
        data = replace(data, resting=odd)
        choices: list[Repeats] = [False, "due"]
        for repeats in choices:
            served = serve(
                model,
                Popularity().fit(data),
                data,
                self.everybody,
                N_ITEMS,
                allowed=allowed,
                repeats=repeats,
                explain=True,
            )
            user, place = np.nonzero(served.items >= 0)
            items = served.items[user, place]
            assert allowed[items].all() and np.isfinite(served.scores[user, place]).all()
            hidden = (odd if repeats else data.seen).toarray() > 0
            assert not hidden[user, items].any()
            eligible = allowed & ~hidden  # [N_USERS, N_ITEMS]
            np.testing.assert_array_equal(np.bincount(user, minlength=N_USERS), eligible.sum(axis=1))
            assert (served.scores[:, 1:] <= served.scores[:, :-1]).all()

    def test_a_user_who_has_everything_gets_nothing(self, model: Recommender, data: Dataset) -> None:
        assert (model.recommend(data, np.array([COMPLETIST]), 5).items == -1).all()

    def test_a_user_without_history_gets_nothing_unless_the_model_needs_none(
        self, model: Recommender, data: Dataset
    ) -> None:
        top = model.recommend(data, np.array([NEWCOMER]), 5)
        assert (top.items == -1).all() if model.needs_history else (top.items >= 0).all()

    def test_item_0_can_be_recommended(self, model: Recommender, data: Dataset) -> None:
        assert (model.recommend(data, self.everybody, N_ITEMS, repeats=self.only_repeats).items == 0).any()

    def test_items_without_interactions_need_other_evidence(self, data: Dataset) -> None:
        known = data.item_index != NEVER_SEEN
        data = Dataset.from_arrays(
            data.user_index[known], data.item_index[known], terms=data.terms, n_users=N_USERS, n_items=N_ITEMS
        )
        model = self.make().fit(data)
        top = model.recommend(data, self.everybody, N_ITEMS)
        assert (top.items == NEVER_SEEN).any() == self.recommends_unseen_items
        if model.folds_in and model.needs_history and not self.recommends_unseen_items:  # and it is none for others
            new = with_session(data, N_USERS, [NEVER_SEEN])
            assert (model.recommend(new, np.array([N_USERS]), N_ITEMS).items == -1).all()

    def test_what_was_seen_without_interest_teaches_nothing_and_is_not_recommended(self, data: Dataset) -> None:
        disliked = (data.item_index == NEVER_SEEN) | (data.user_index == 0)
        disliked |= (data.user_index == 1) & (data.item_index % 3 == 0)
        seen = data.seen
        data = Dataset.from_arrays(
            data.user_index,
            data.item_index,
            weight=~disliked,
            terms=data.terms,
            n_users=N_USERS,
            n_items=N_ITEMS,
        )
        model = self.make().fit(data)
        top = model.recommend(data, self.everybody, N_ITEMS)
        assert np.isfinite(top.scores[top.items >= 0]).all()
        assert (top.items[0] == -1).all() == model.needs_history
        assert not set(top.items[1]) & set(seen.indices[seen.indptr[1] : seen.indptr[2]])
        assert (top.items == NEVER_SEEN).any() == self.recommends_unseen_items

    def test_a_k_beyond_the_catalogue_is_filled_up_with_nothing(self, model: Recommender, data: Dataset) -> None:
        short, long = (model.recommend(data, self.everybody, k) for k in (N_ITEMS, N_ITEMS + 7))
        assert_same(short, TopK(long.items[:, :N_ITEMS], long.scores[:, :N_ITEMS]))
        assert (long.items[:, N_ITEMS:] == -1).all()

    def test_a_shorter_list_is_the_start_of_a_longer_one(self, model: Recommender, data: Dataset) -> None:
        short, long = (model.recommend(data, self.everybody, k) for k in (5, 50))
        assert_same(short, TopK(long.items[:, :5], long.scores[:, :5]))

    @pytest.mark.parametrize("batch", [1, 7, 512])
    @pytest.mark.slow
    def test_the_batch_does_not_change_a_list(self, model: Recommender, data: Dataset, batch: int) -> None:
        shuffled = np.random.default_rng(1).permutation(self.everybody)
        whole = model.recommend(data, self.everybody, 10)
        parts = model.recommend(data, shuffled, 10, batch=batch)
        assert_same(TopK(whole.items[shuffled], whole.scores[shuffled]), parts)

    def test_a_user_alone_gets_the_list_that_they_get_among_others(self, model: Recommender, data: Dataset) -> None:
        whole = model.recommend(data, self.everybody, 10)
        for user in (0, 17, NEWCOMER, COMPLETIST):
            alone = model.recommend(data, np.array([user]), 10)
            assert_same(TopK(whole.items[[user]], whole.scores[[user]]), alone)
        twice = model.recommend(data, np.array([3, 3]), 10)
        assert_same(TopK(twice.items[:1], twice.scores[:1]), TopK(twice.items[1:], twice.scores[1:]))

    def test_a_list_needs_no_interactions_of_others_if_the_model_says_so(
        self, model: Recommender, data: Dataset
    ) -> None:
        if model.needs_others:  # it is given all of them
            return
        some = np.flatnonzero(self.everybody % 3 == 1).astype(np.int32)
        without_others = data.without(np.setdiff1d(self.everybody, some))
        for part in (data, without_others):
            top = model.recommend(part, some, 10)
            reasons = model.explain(part, some, top)
            if part is data:
                expected = top, reasons
        np.testing.assert_array_equal(top.items, expected[0].items)
        np.testing.assert_array_equal(top.scores, expected[0].scores)
        np.testing.assert_array_equal(reasons, expected[1])

    def test_a_session_counts_as_if_it_stood_in_the_data(self, model: Recommender, data: Dataset) -> None:
        if model.why_not_folded() is not None:
            with pytest.raises(NightrecError, match="a session cannot change its lists"):
                Answering(model, data)
            return
        answering = Answering(model, data)
        newest = int(data.item_index[data.indptr[1]])  # user 1's first item, again
        sessions: tuple[tuple[int, list[int]], ...]
        sessions = (0, [3, 8]), (1, [newest, 6]), (17, []), (NEWCOMER, [2]), (COMPLETIST, []), (N_USERS, [5, 4, 8])
        for user, session in sessions:
            known, own = user < N_USERS, np.array([min(user, N_USERS)])
            expected = model.recommend(with_session(data, user, session), own, 10)
            listed = expected.items[0] >= 0
            answer = answering.answer(user if known else None, session)
            personal = answer.sources.count("personal")
            assert answer.known == known and personal == listed.sum()
            assert answer.items[:personal] == expected.items[0, listed].tolist()
            np.testing.assert_array_equal(answer.scores[:personal], expected.scores[0, listed])
            assert not set(answer.items) & set(session)

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_number_of_users(self, model: Recommender, data: Dataset) -> None:
        few, many = (np.resize(self.everybody, n) for n in (512, 3_072))  # many, as other threads allocate, too
        model.recommend(data, few, 1, batch=256)  # what is computed once, and imported
        per_user = (traced_peak(model, data, many) - traced_peak(model, data, few)) / (len(many) - len(few))
        assert per_user < 4 * N_ITEMS  # indices, and the list itself; not a row of scores

    def test_no_users_no_lists(self, model: Recommender, data: Dataset) -> None:
        assert model.recommend(data, np.array([], dtype=np.int32), 5).items.shape == (0, 5)

    def test_reasons_are_items_of_the_users_own_history(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, 10)
        reasons = model.explain(data, self.everybody, top)
        assert reasons.dtype == np.int32 and reasons.shape == top.items.shape
        assert (reasons[top.items == -1] == -1).all()
        users = np.broadcast_to(self.everybody[:, None], reasons.shape)
        assert (data.matrix.toarray()[users, reasons] > 0)[reasons >= 0].all()
        nobody = np.array([NEWCOMER])
        assert (model.explain(data, nobody, TopK(top.items[nobody], top.scores[nobody])) == -1).all()

    def test_users_and_items_out_of_range_are_named(self, model: Recommender, data: Dataset) -> None:
        with pytest.raises(ValueError, match="User index 40 is not one of the 40 users"):
            model.recommend(data, np.array([0, 40]), 5)
        with pytest.raises(ValueError, match="User index -1"):
            model.recommend(data, np.array([-1]), 5)
        with pytest.raises(ValueError, match="31 items, the model was fitted on 30"):
            no_terms: Csr = sparse.csr_array(np.zeros((31, 12), np.float32))
            grown = replace(data, n_items=31, terms=no_terms)
            model.recommend(grown, np.array([0]), 5)
