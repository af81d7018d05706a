"""Content: items whose text, tags, categories and vectors resemble what the user has."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from scipy import sparse

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.data.arrays import Bools, Csr, Floats, Ints, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.data.vectors import with_vectors
from recmodels.errors import DataRefused
from recmodels.options import FitOptions
from recmodels.ranking.topk import COMPILED_FROM

FADED = 1e-6  # the least that an old interaction counts, so that a history never vanishes
TINY = float(np.finfo(np.float32).tiny)


@dataclass
class Content(Recommender):
    """Score of item i for user u = cos(p_u - balance g, t_i) + popularity log(1 + n_i) / log(1 + max n).

    t_i are the TF-IDF terms of i (length one), n_i the weight of its interactions. The profile p_u is the sum of
    w_uj 2^(-age / half_life_days) t_j over the items j of the user's history (less `dislikes` times those they did
    not like), scaled to length one; an interaction's age counts from the user's last one. g is the direction of all
    interactions together: what everybody has says little of a user. The idea is Rocchio's (1971); it reaches items
    without any interaction, while items that share no term with the profile are there by their popularity alone.

    Where items have vectors (what an encoder made of their texts or images), these are terms beside the words:
    `vector_share` of an item's likeness is theirs.

    Attributes:
        terms_: The items' TF-IDF terms and vectors, rows of length one: sparse float32 [n_items, n_terms].
        prior_: What popularity adds to each item's score: float32 [n_items].
        general_: g, the direction of all interactions together: float32 [n_terms].
    """

    folds_in: ClassVar[bool] = True
    delegates: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False

    popularity: Annotated[float, Ge(0)] = 0.75
    """How far the most popular item is ahead of one without interactions; 0: content alone."""
    balance: Annotated[float, Ge(0), Lt(1)] = 0.3
    """Share of the general profile that is taken off each user's, below 1."""
    half_life_days: Annotated[float, Gt(0)] | None = 30.0
    """An interaction counts half that is so much older than the user's last one; None: all count the same."""
    dislikes: Annotated[float, Ge(0)] = 0.0
    """How much items count against their terms that the user rated below their own mean, and that are excluded
    from training (weight 0)."""
    vector_share: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of the items' vectors in their likeness, where they have any; 0: terms alone; 1: vectors alone."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        terms = data.terms
        if data.item_vectors is not None:
            terms = with_vectors(terms, data.item_vectors, self.vector_share)
        if terms.nnz == 0:
            raise DataRefused(
                "The items have no terms to compare; give an item table with text, tags or categories, or item_vectors."
            )
        self.terms_: Csr = terms.copy()  # [n_items, n_terms]
        weight = np.bincount(data.item_index, data.weight, data.n_items)
        prior = np.log1p(weight)
        self.prior_: Floats = (self.popularity * prior / prior.max()).astype(np.float32)
        general = np.asarray(weight.astype(np.float32) @ terms, dtype=np.float32)  # [n_terms]
        self.general_: Floats = general / max(float(np.sqrt(np.square(general).sum())), TINY)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        profiles: Csr = self._signed(data, users) @ self.terms_  # [b, n_terms]
        norms = np.sqrt(profiles.multiply(profiles).sum(axis=1))
        profiles.data /= np.repeat(np.maximum(norms, TINY), np.diff(profiles.indptr))
        scores = self._products(profiles)
        if scores.size >= COMPILED_FROM:
            self._finish(scores, profiles, norms > 0)
            return scores
        similar = scores > 0
        np.maximum(scores, 0, out=scores)
        if self.balance:  # |p - b g|² = 1 - 2 b p·g + b²
            plain = 1 - 2 * self.balance * (profiles @ self.general_) + self.balance**2
            scores -= self.balance * (self.terms_ @ self.general_)
            scores /= np.sqrt(np.maximum(plain, TINY))[:, None]
            scores[norms == 0] = 0  # without a profile all items are equally similar
        scores += self.prior_
        scores[~similar & (self.prior_ <= 0)] = -np.inf
        return scores

    def _finish(self, scores: Floats, profiles: Csr, described: Bools) -> None:
        """The rest of `_score`, compiled."""
        from recmodels.compute.jit import parallel_for
        from recmodels.scoring import term_kernels

        common, lengths = np.zeros(len(self.prior_), np.float32), np.ones(len(scores), np.float32)
        if self.balance:
            common = (self.balance * (self.terms_ @ self.general_)).astype(np.float32)
            plain = 1 - 2 * self.balance * (profiles @ self.general_) + self.balance**2
            lengths = np.sqrt(np.maximum(plain, TINY)).astype(np.float32)
        else:
            described = np.ones_like(described)
        given = common, lengths, described, self.prior_
        step = term_kernels.USERS
        parallel_for(
            lambda first: term_kernels.finish_scores(scores, first, first + step, *given), range(0, len(scores), step)
        )

    def _similar(self, items: Ints) -> Floats:
        scores = self._products(self.terms_[items])  # rows have length one: the cosine
        scores[scores <= 0] = -np.inf
        return scores

    def _products(self, profiles: Csr) -> Floats:
        """Products of profiles [b, n_terms] with the terms of all items: [b, n_items]. Few of them are 0."""
        n, n_items = profiles.shape[0], self.terms_.shape[0]
        if n * n_items < COMPILED_FROM:
            dense: Floats = (profiles @ self.terms_.T).toarray()
            return dense
        from recmodels.compute.jit import parallel_for
        from recmodels.scoring import kernels, term_kernels

        scores = np.zeros((n, n_items), np.float32)
        sums = np.bincount(self.terms_.indices, minlength=self.terms_.shape[1])[profiles.indices].sum()
        if sums > term_kernels.SUMMED * self.terms_.nnz * n / term_kernels.USERS:  # profiles of many terms
            step, terms = term_kernels.USERS, kernels.parts(self.terms_)

            def work(first: int) -> None:
                some = np.zeros((profiles.shape[1], step), np.float32)
                some[:, : min(step, n - first)] = profiles[first : first + step].T.toarray()
                term_kernels.add_dense_product(some, terms, scores, first)

            parallel_for(work, range(0, n, step))
        else:
            given = kernels.parts(profiles), kernels.parts(self.terms_.T.tocsr()), scores
            parallel_for(partial(kernels.add_product, *given), range(kernels.TASKS))
        return scores

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self._shared(sources, targets).sum(axis=1), dtype=np.float32)

    def matched_terms(self, sources: Ints, targets: Ints, n: int, among: Bools | None = None) -> Ints:
        """The terms that say most for the likeness of each pair of items, -1 where there are no more: [m, n].

        Best first, ties by the smaller index; the index is that of the vocabulary. `among` [n_terms] says which terms
        are words at all.
        """
        shared = self._shared(sources, targets)
        if among is not None:
            words = np.zeros(self.terms_.shape[1], np.bool_)  # numbers of vectors are none
            words[: len(among)] = among
            shared.data[~words[shared.indices]] = 0
        row = np.repeat(np.arange(len(sources)), np.diff(shared.indptr))
        order = np.lexsort((shared.indices, -shared.data, row))
        place = np.arange(len(row)) - shared.indptr[row]  # rows stay where they are
        best = (place < n) & (shared.data[order] > 0)
        terms = np.full((len(sources), n), -1, np.int32)
        terms[row[best], place[best]] = shared.indices[order][best]
        return terms

    def _shared(self, sources: Ints, targets: Ints) -> Csr:
        """What each term adds to the cosine of each pair: [m, n_terms]."""
        shared: Csr = self.terms_[sources].multiply(self.terms_[targets]).tocsr()
        return shared

    def _history(self, data: Dataset, users: Ints) -> Csr:
        """The weights of some users' interactions, faded by age."""
        starts, lengths = data.indptr[users], row_lengths(data.indptr, users)
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        rows = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        weight = data.weight[rows]
        if self.half_life_days is not None and len(rows):
            last = np.repeat(data.timestamp[np.maximum(data.indptr[users + 1] - 1, 0)], lengths)
            age = (last - data.timestamp[rows]) / MICROSECONDS_PER_DAY
            weight = weight * np.maximum(0.5 ** (age / self.half_life_days), FADED).astype(np.float32)
        history: Csr = sparse.csr_array((weight, data.item_index[rows], indptr), shape=(len(users), data.n_items))
        history.sort_indices()
        return history

    def _signed(self, data: Dataset, users: Ints) -> Csr:
        """`_history`, with what the user disliked below 0."""
        liked = self._history(data, users)
        if not self.dislikes or data.ratings is None:
            return liked
        rated = data.ratings[users]
        mean = np.asarray(rated.sum(axis=1)) / np.maximum(np.diff(rated.indptr), 1)
        below = rated.data < np.repeat(mean, np.diff(rated.indptr))
        rated.data = np.where(below, np.float32(-self.dislikes), np.float32(0))
        trained = liked.copy()
        trained.data[:] = 1
        signed: Csr = liked + (rated - rated.multiply(trained))
        return signed

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return SCORE_BYTES + 24 * n_interactions + 64 * n_items  # times as they are read, and kept; signs of histories
