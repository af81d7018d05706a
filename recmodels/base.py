"""The recommender: a dataclass of hyper-parameters that learns attributes ending in an underscore.

A model says how to learn (`_fit`) and how to score a few users against all items (`_score`). Everything a reader
of the lists relies on is done here, once: no seen item, no item that is not allowed, exact ranking, bounded memory,
explanations. `recmodels.persistence` writes fitted models to files and reads them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.compute import memory
from recmodels.compute.device import require_torch
from recmodels.data.arrays import Bools, Csr, Floats, Ints, chunks, row_lengths
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.ids import checked_indices, indices_of
from recmodels.data.memory import loading_memory, matrix_memory
from recmodels.errors import ConfigError, DataRefused, NightrecError
from recmodels.options import DEFAULTS, FitOptions
from recmodels.parameters import Renamed, check_model, defaults_of
from recmodels.ranking.approximation import Approximation
from recmodels.ranking.topk import TopK, joined, nothing, top_k
from recmodels.recommendations import Recommendations, SimilarItems

SCORE_BYTES = 128 * 2**20
"""How much memory the float32 scores of one batch of users may take."""

PAIRS = 2**22
"""How many (recommendation, history item) pairs are explained at a time: some 100 MB of working memory."""

State: TypeAlias = dict[str, Any]  # arrays, sparse arrays, recommenders by name, and what JSON can hold


@dataclass
class Recommender(ABC):
    """Base of all recommenders: a dataclass whose fields are its hyper-parameters, as in scikit-learn.

    Constructing one stores the hyper-parameters and does nothing else. `fit` checks them, learns the attributes that
    end in an underscore, and returns the model. A subclass writes `_fit`, `_score` and `memory_needed`; with
    `_affinity` and `_similar` it also explains its lists and finds similar items.

    Attributes:
        n_items_: How many items there were in the data that it was fitted on.
        item_ids_: Their ids by index, if the data had ids, else None.
    """

    needs_history: ClassVar[bool] = True
    """Whether a user of whom nothing is known has no list; popularity has one for everybody."""

    item_ids_ = None  # type: list[Any] | None
    """Ids of the items by index, of a model that was fitted on data with ids."""

    folds_in: ClassVar[bool] = False
    """Whether a list follows from the history that it is asked for, so that new interactions count untrained."""

    needs_others: ClassVar[bool] = True
    """Whether a user's list may depend on interactions of others beyond what was learned from them. Where it does not,
    a machine that makes the lists of some users reads the interactions of these alone."""

    uses_gpu: ClassVar[bool] = False
    """Whether it computes on a GPU where the process sees one."""

    needs_torch: ClassVar[bool] = False
    """Whether it computes with PyTorch, which is an extra of nightrec."""

    delegates: ClassVar[bool] = False
    """Whether a training leaves its work to the engine that is asked for, or has hardly any; that of another model is
    given to a node as a whole."""

    renamed: ClassVar[Mapping[str, Renamed]] = {}
    """Former names of hyper-parameters: what they are called now, or a function of the value that says so."""

    moved: ClassVar[Mapping[str, str]] = {}
    """Former hyper-parameters that are options of `fit` now (`FitOptions`), each with what to do instead."""

    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Hyper-parameters with which it takes less memory or time, from what its lists lose least by to what they do most.

    A night for which it is too large as it is takes the first that is not, unless its owner has set one of them.
    """

    @abstractmethod
    def _fit(self, data: Dataset, options: FitOptions) -> None:
        """Learn attributes that end in an underscore from at least one interaction, with the `options` of this run."""

    @abstractmethod
    def _score(self, data: Dataset, users: Ints) -> Floats:
        """Scores of all items for a batch of users: a new float32 [b, n_items], -inf without evidence."""

    @abstractmethod
    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        """Bytes that fitting and recommending add to the matrix of the data at their peak, with the columns they read.

        `n_items` counts the items that occur in the interactions.
        """

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        """Bytes of a process that fits on such data and recommends: itself, their matrix, and `memory_needed`.

        `mapped`: where another process has read the data already, and left them. What both hold then is counted here,
        too, though the machine holds it once.
        """
        sizes = n_users, n_items, n_interactions
        itself = memory.PROCESS + (memory.TORCH if self.needs_torch else 0)
        loading = 0 if mapped else loading_memory(n_users, n_interactions)
        return itself + max(loading, matrix_memory(*sizes) + self.memory_needed(*sizes))

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        """Multiplications of a whole fit, or steps like them (`recmodels.compute.work`): its time is in proportion.

        Of a model that says nothing else it is one an interaction.
        """
        return float(n_interactions)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        """The same of lists for `n_listed` of the users, whatever their length: by default all scores."""
        return float(n_listed) * n_items

    def made_of(self) -> "Sequence[Recommender]":
        """The models that it trains and listens to, not fitted; most are made of none."""
        return ()

    def rounds(self) -> int:
        """How many equal parts the work consists of, after each of which a fit may end by its minutes; 1: it cannot."""
        return 1

    def warm_share(self) -> float:
        """The share of its minutes that a fit has which starts from an earlier model."""
        return 1.0

    def _check(self) -> None:  # noqa: B027  # most models have nothing to say
        """Raise ConfigError where hyper-parameters do not go together; each by itself is checked already."""

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Which of `users` it can make a list for: those with a history, or everybody if it needs none: bool [n]."""
        known: Bools = row_lengths(data.indptr, users) > 0
        return known if self.needs_history else np.ones_like(known)

    def why_not_folded(self) -> str | None:
        """Why new interactions do not count until it is trained again, as a clause about it; None: they do."""
        return None if self.folds_in else "knows users by what it learned of them in training"

    def learned(self) -> dict[str, Any]:
        """What a fitted model has to tell of itself in the report of a night, as JSON can hold it."""
        return {}

    def for_users(self, users: Ints) -> Self:
        """This model for data whose user i is `users`[i] of those that it was fitted on, or somebody new (-1).

        A model that learns nothing of single users is its own.
        """
        return self

    def in_contexts(self) -> dict[str, Self]:
        """This model for lists in each context, by its name, such as a weekday; empty where none makes a difference."""
        return {}

    def column_reasons(
        self, data: Dataset, users: Ints, top: TopK, allowed: Bools | None, repeats: Repeats
    ) -> list[list[str | None]]:
        """For each item of some users' lists the column that it ranks high by, where it counts for more than histories.

        Args:
            data: what users did.
            users: indices [n].
            top: their lists [n, k].
            allowed, repeats: what the lists may hold, as in `recommend`.
        """
        return [[None] * top.items.shape[1] for _ in users]

    def _affinity(self, sources: Ints, targets: Ints) -> Floats | None:
        """What an item of a history adds to the score of a target, for m pairs of them at weight 1: float32 [m].

        None, whatever the pairs, if the score is no such sum: then no reasons are given.
        """
        return None

    def _history(self, data: Dataset, users: Ints) -> Csr:
        """How much each item of their histories counts for some users: [b, n_items], items ascending in each row."""
        return data.matrix[users]

    def _similar(self, items: Ints) -> Floats | None:
        """Similarity of some items to all: a new float32 [b, n_items], -inf without evidence; None: it has none."""
        return None

    def __init_subclass__(cls) -> None:
        if "__repr__" not in vars(cls):  # or `dataclass` writes one that shows every default
            cls.__repr__ = Recommender.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        """The class and the hyper-parameters that are not the defaults."""
        defaults = defaults_of(type(self))
        given = {name: value for name, value in self.get_params().items() if value != defaults[name]}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyper-parameters by name; `deep` changes nothing (it is scikit-learn's)."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    def set_params(self, **params: Any) -> Self:
        """Change hyper-parameters by name; they count from the next `fit` on. Raises ConfigError for unknown names."""
        for name in params.keys() - self.get_params().keys():
            raise ConfigError(
                f"{type(self).__name__} has no parameter {name!r}; it has: {', '.join(self.get_params())}."
            )
        vars(self).update(params)
        return self

    def fit(self, data: Dataset, options: FitOptions = DEFAULTS) -> Self:
        """Learn from `data`; whatever was learned before is forgotten.

        Raises:
            ConfigError: a hyper-parameter is of a wrong type or out of its range, or PyTorch is needed and absent.
            DataRefused: there are no interactions.
        """
        check_model(self)
        if self.needs_torch:
            require_torch(type(self).__name__)
        self._check()
        if len(data) == 0:
            raise DataRefused("There are no interactions to learn from; look at the dates and the filters.")
        for name in self._state():
            delattr(self, name)
        self._fit(data, options)
        self.n_items_ = data.n_items
        if data.ids is not None:
            self.item_ids_ = data.ids.items.tolist()
        return self

    def recommend(
        self,
        data: Dataset,
        users: Iterable[Any] | None = None,
        k: int = 10,
        *,
        allowed: Bools | None = None,
        repeats: Repeats = False,
        batch: int | None = None,
    ) -> Recommendations:
        """The k best items for each of `users` [n] (default: all users), given their histories in `data`.

        Users are the data's own ids where it has ids (`Dataset.from_pandas`), indices otherwise; `to_pandas()` of the
        result gives users, items and reasons in the same terms.
        Leaves out items that `allowed` (bool [n_items]) denies and, unless `repeats`, what the user has seen in `data`;
        with `repeats="due"` what of it is not due yet (`Dataset.resting`).
        A list may be shorter than k (item -1, score -inf): no item without evidence is made up. `batch` is the most
        users scored at once, beneath what memory allows. Raises ValueError for users, items or k out of range.
        """
        index = self._checked(data, users, k, allowed)
        top = self._lists(data, index, k, allowed, repeats, batch)
        return Recommendations(top.items, top.scores, index, data.ids, partial(self._explain, data, index))

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        """`recommend` for checked arguments, by way of `_score`; a model may know a shorter way."""
        denied = None if allowed is None else np.flatnonzero(~allowed)
        step = max(1, min(SCORE_BYTES // (4 * max(data.n_items, k)), batch or len(users)))
        lists = [top_k(self._masked(data, users[i : i + step], denied, repeats), k) for i in range(0, len(users), step)]
        return joined([nothing(0, k), *lists])

    def approximate(
        self,
        data: Dataset,
        k: int,
        *,
        allowed: Bools | None = None,
        repeats: Repeats = False,
        recall: float = 0.99,
        seed: int = 0,
    ) -> Approximation:
        """From now on make such lists of `data` faster, if there is a way that misses at most 1 - `recall` of them.

        The recall is measured on a few thousand users against their exact lists. Where none is found, lists stay exact,
        as those do for which anything else is given than here; each score is exact in any case. Scores that are no
        products of two vectors have no such way.
        """
        self._check_list(data.n_items, k, allowed)
        return Approximation(exact="its scores are no products of vectors")

    def similar_items(self, items: Iterable[Any], k: int = 10, *, allowed: Bools | None = None) -> SimilarItems:
        """The k items most similar to each of `items` [n], never the item itself, ties by the smaller index.

        Items are ids where the model was fitted on data with ids, indices otherwise. Leaves out items that `allowed`
        (bool [n_items]) denies; a list may be shorter than k (item -1, score -inf). Raises NightrecError for a model
        that has no similarity of items, ValueError for items or k out of range.
        """
        queries = self._checked_items(items, k, allowed)
        top = self._similar_items(queries, k, allowed)
        ids = None if self.item_ids_ is None else np.asarray(self.item_ids_)
        return SimilarItems(top.items, top.scores, queries, ids)

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        """`similar_items` for checked arguments, by way of `_similar`; a model may know a shorter way."""
        denied = None if allowed is None else np.flatnonzero(~allowed)
        step = max(1, SCORE_BYTES // (4 * max(self.n_items_, k)))
        lists = [nothing(0, k)]
        for part in (items[i : i + step] for i in range(0, len(items), step)):
            similarity = self._similar(part)
            if similarity is None:
                raise NightrecError(f"{type(self).__name__} has no similarity of items.")
            similarity[np.arange(len(part)), part] = -np.inf
            if denied is not None:
                similarity[:, denied] = -np.inf
            lists.append(top_k(similarity, k))
        return joined(lists)

    def explain(self, data: Dataset, users: Iterable[Any], top: TopK) -> Ints:
        """For each recommendation the item of the user's history that contributed most, -1 where none can be named.

        `users` are as in `recommend`. Returns item indices, int32 [n, k]; ties go to the smaller one.
        """
        return self._explain(data, self._checked(data, users, 1, None), top)

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """`explain` for checked arguments, by way of `_affinity`; a model may have reasons of its own."""
        any_item = np.zeros(1, np.int32)
        if self._affinity(any_item, any_item) is None:  # no need to pair anything
            return np.full(top.items.shape, -1, np.int32)
        return self._explained_in_parts(data, users, top, self._reasons)

    def _explained_in_parts(
        self, data: Dataset, users: Ints, top: TopK, reasons_of: Callable[[Csr, Ints], Ints]
    ) -> Ints:
        """What `reasons_of` says of histories [b, n_items] and lists [b, k], for so many users as memory allows."""
        reasons = np.full(top.items.shape, -1, np.int32)
        sizes = row_lengths(data.matrix.indptr, users).astype(np.int64) * top.items.shape[1]
        for start, stop in chunks(sizes, PAIRS):
            reasons[start:stop] = reasons_of(self._history(data, users[start:stop]), top.items[start:stop])
        return reasons

    def _restore(self, state: State) -> None:
        """Set what was saved; a model whose attributes have been renamed since finds those of older files here."""
        vars(self).update(state)

    def _state(self) -> State:
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def _masked(self, data: Dataset, users: Ints, denied: NDArray[np.int64] | None, repeats: Repeats) -> Floats:
        scores = self._score(data, users)
        scores[~self.knows(data, users)] = -np.inf
        if repeats is not True:
            hidden = data.hidden(users, repeats)
            scores[np.repeat(np.arange(len(users)), np.diff(hidden.indptr)), hidden.indices] = -np.inf
        if denied is not None:
            scores[:, denied] = -np.inf
        return scores

    def _reasons(self, history: Csr, items: Ints) -> Ints:
        """The item of each history [b, n_items] that adds most to each score of a list [b, k], -1 for none: [b, k]."""
        b, k = items.shape
        lengths = np.repeat(np.diff(history.indptr), k)  # [b * k]: history items to weigh for each recommendation
        ends = np.cumsum(lengths)
        pair = np.repeat(np.arange(b * k), lengths)  # the recommendation that each pair belongs to
        entry = np.arange(len(pair)) - np.repeat(ends - lengths - np.repeat(history.indptr[:-1], k), lengths)
        reasons = np.full(b * k, -1, np.int32)
        listed = items.ravel()[pair] >= 0
        pair, entry = pair[listed], entry[listed]
        affinity = self._affinity(history.indices[entry], items.ravel()[pair]) if len(pair) else None
        if affinity is None:
            return reasons.reshape(b, k)
        share = affinity * history.data[entry]
        starts = np.flatnonzero(np.diff(pair, prepend=-1))  # pairs of one recommendation lie side by side
        most = np.repeat(np.maximum.reduceat(share, starts), np.diff(starts, append=len(pair)))
        winner = np.flatnonzero((share == most) & (share > 0))[::-1]  # reversed: the first of a tie is written last
        reasons[pair[winner]] = history.indices[entry[winner]]
        return reasons.reshape(b, k)

    def _n_items(self) -> int:
        if not hasattr(self, "n_items_"):
            raise NightrecError(f"{type(self).__name__} is not fitted yet; call fit first.")
        return self.n_items_

    def _checked(self, data: Dataset, users: Iterable[Any] | None, k: int, allowed: Bools | None) -> Ints:
        """Indices of `users`: int32 [n]."""
        if data.n_items != self._n_items():
            raise ValueError(f"The data have {data.n_items} items, the model was fitted on {self.n_items_}.")
        if data.ids is not None and self.item_ids_ is not None and data.ids.items.tolist() != self.item_ids_:
            raise ValueError("The data have other items than the model was fitted on; give item_ids=model.item_ids_.")
        self._check_list(data.n_items, k, allowed)
        if users is None:
            return np.arange(data.n_users, dtype=np.int32)
        if data.ids is not None:
            return data.ids.user_indices(users)
        return checked_indices(users, data.n_users, "users", "User", "data")

    def _checked_items(self, items: Iterable[Any], k: int, allowed: Bools | None) -> Ints:
        self._check_list(self._n_items(), k, allowed)
        if self.item_ids_ is not None:
            return indices_of(np.asarray(self.item_ids_), items, "item")
        return checked_indices(items, self.n_items_, "items", "Item", "catalogue")

    def _check_list(self, n_items: int, k: int, allowed: Bools | None) -> None:
        if k < 1:
            raise ValueError(f"k is {k}; a list has at least one place.")
        if allowed is not None and (allowed.shape != (n_items,) or allowed.dtype != np.bool_):
            raise ValueError(f"allowed is {allowed.dtype} {allowed.shape}; give bool ({n_items},).")


def positive_evidence(scores: Csr) -> Floats:
    """Sparse scores [b, n_items] of one batch as a dense array, -inf where nothing above 0 is stored.

    Together with the product it comes from, it takes six times SCORE_BYTES at most.
    """
    dense = np.full(scores.shape, -np.inf, np.float32)
    place = np.repeat(np.arange(scores.shape[0], dtype=np.int32) * scores.shape[1], np.diff(scores.indptr))
    place += scores.indices
    dense.ravel()[place] = np.where(scores.data > 0, scores.data, np.float32(-np.inf))
    return dense
