"""The ensemble: the lists of several recommenders, fused as ranked best on days fold out of their training."""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from recmodels.base import Recommender, State
from recmodels.data.arrays import Bools, Doubles, Floats, Ints
from recmodels.data.contexts import Contexts
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.events import EventLog
from recmodels.data.folds import Fold, last_days, latest
from recmodels.data.site_tables import SiteTables
from recmodels.ensemble.column_reasons import Seen
from recmodels.ensemble.fusion import Blend, Candidates, RankingObjective, blended, log_of, summed
from recmodels.ensemble.importance import ABOUT_ITEMS, BESIDE, feature_names, importances
from recmodels.ensemble.in_context import Kept, contexts_of, lifts, own_columns, queries_of
from recmodels.ensemble.listwise import Linear, linear_features, regressed
from recmodels.ensemble.pair_query import Limits
from recmodels.ensemble.repeats import latest_of_events
from recmodels.ensemble.site_features import SiteFeatures
from recmodels.ensemble.stacking import PARTS, Trees, features, item_features, stacked, user_features
from recmodels.ensemble.team import ENTRIES_AT_A_TIME, Team
from recmodels.errors import ConfigError, NightrecError
from recmodels.options import FitOptions
from recmodels.parameters import Seed
from recmodels.ranking.topk import TopK, joined, nothing

MEMBERS = ("popularity", "item_knn", "user_knn", "als", "bpr", "ease", "graph_filter", "content", "transitions")
"""Recommenders that are cheap enough to be trained three times: for the fusion, for the comparison, and to publish."""

WANTED_USERS, MAX_USERS = 500, 3000  # that the fusion is fitted on
MIN_USERS = 10  # with fewer, all members have the same weight
MIN_HITS = 50  # among the candidates, and as many others; with fewer, there are no trees

log = logging.getLogger(__name__)


@dataclass
class Ensemble(Team):
    """Fuses the lists of other recommenders, weighted by how well they predicted the last days.

    Blend: score of i = Σ over members m of w_m / (offset + rank of i in m's list), where the weights w rank best what
    users did on the last days, which the members were not trained on for that.

    Linear: score of i = Σ over the members m that list it of a_m + b_m log(rank) + c_m s, with s the place of i's score
    between the lowest and the highest of m's list; the conditional logit of what users did on the same days.

    Mean: score of i = mean over all members of s, 0 where a member does not list i; nothing is fitted (CombSUM).

    Stack: gradient-boosted trees that see each member's score, how popular i is and how long the user's history is,
    fitted to the same days; their log odds are added to those of the better of the two.

    The members are then fitted on all of the data. A list is made of the first `depth` places of the members' lists,
    and ends with them.

    Attributes:
        members_: The fitted recommenders by name, m of them.
        weights_: float64 [m], w, of sum 1.
        coefficients_: float64 [3, m], a, b and c; empty where the blend ranks better. Of a mean: 0, 0 and 1/m.
        blend_: What the logarithm of the blend, or the linear score, is multiplied by, beside the trees.
        items_: float64 [n_items, 2], popularity and recent popularity, as the trees see them.
        tree_roots_: int32 [n_trees], the first node of each tree; empty for a blend.
        tree_feature_, tree_left_, tree_right_: int32 [n_nodes], the feature that a node compares, and its children, -1
            at leaves.
        tree_threshold_, tree_value_: float64 [n_nodes], what goes left at most, and the value of a leaf.
        site_, site_names_: Arrays of the site's own columns (see `SiteFeatures`) and their names, where trees see any.
        importances_: float64 [m + 7 + number of columns, 2], what NDCG loses without each thing that the trees see, and
            its standard error; empty without columns of the site or a context.
        contexts_: Names of the contexts in which lists differ; empty where trees see none.
        lift_: float32 [n_items, n_contexts + 1], how much more often each item is had in each (`in_context.lifts`).

    References:
        Fox & Shaw, "Combination of Multiple Searches", TREC-2, 1994 (CombSUM).
        Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 2001.
        Cormack, Clarke & Buettcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
        Methods", SIGIR 2009.
        Cao, Qin, Liu, Tsai & Li, "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007.
    """

    delegates: ClassVar[bool] = True
    usual: ClassVar[Sequence[str]] = MEMBERS
    _context: ClassVar[int] = -1  # of the lists that a copy for a context makes: its place among `contexts_`
    _kept: ClassVar[Kept | None] = None  # what copies for contexts have in common
    moved: ClassVar[Mapping[str, str]] = {"models": "leave it out", "without": "name the members that are wanted"}

    members: list[str] | None = None
    """Names of recommenders, in a night of candidates; None: all that are cheap to train."""
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a member with a name of its own is: `recommender` and `params`. A night fills them in."""
    method: Literal["auto", "blend", "linear", "mean", "stack"] = "auto"
    """`auto`: the one that ranks best for users that it was not fitted on; `mean`: all members count alike."""
    depth: Annotated[int, Ge(1)] = 50
    """Places of each member's list that are fused."""
    offset: Annotated[float, Ge(0)] = 10.0
    """Added to the ranks: the larger, the less the first places are ahead."""
    validation_days: Annotated[float, Gt(0)] | None = None
    """The last days that the fusion is fitted on; None: the shortest of 7 to 112 that measure 500 users, else each
    user's last items."""
    trees: Annotated[int, Ge(1)] = 100
    """How many boosted trees there are."""
    leaves: Annotated[int, Ge(2)] = 16
    """Leaves of each tree, at most."""
    learning_rate: Annotated[float, Gt(0)] = 0.05
    """How much of each tree's correction is added."""
    repeats: bool = False
    """Whether lists may hold what a user has had, as `export.repeats` says: then the members are weighed by such lists,
    and count single events."""
    item_columns: list[str] = field(default_factory=list)
    """Columns of the item table that the trees see too: numbers, categories, times."""
    user_columns: list[str] = field(default_factory=list)
    """Those of the user table."""
    pairs: list[str] = field(default_factory=list)
    """Queries in SQL over the tables as of the split, whose numbers the trees see. A night fills in those of
    `features.pairs`, and their limits."""
    pair_seconds: Annotated[float, Gt(0)] = 300.0
    """What each query may take."""
    pair_memory: str = "1GiB"
    """The memory that queries may take."""
    context: Literal["weekday", "column"] | None = None
    """What trees see of an interaction beside user and item, for lists of their own by its values: its weekday, or what
    the site says (`FitOptions.contexts`). A night fills in `features.context`."""
    context_zone: str = "UTC"
    """The time zone in which weekdays begin."""
    seed: Seed = 0

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        fold = None if self.method == "mean" else self._held_out(data, options.events)
        contexts = contexts_of(self.context, self.context_zone, options.contexts)
        if contexts is not None and not contexts.names:
            contexts = None  # the column says nothing of any pair
        if self.method not in ("auto", "stack") and (self._sees_site or contexts is not None):
            log.warning("method = %r has no trees, which alone see columns of the site and contexts.", self.method)
        lists: dict[str, TopK] = {}
        fitted: dict[str, Recommender] = {}
        names = [name for name in self._names() if name not in options.without]
        minutes = options.minutes and options.minutes / (self._fits * len(names) or 1)
        share = FitOptions(minutes=minutes, parts=options.parts, events=options.events if self.repeats else None)
        for name in names:
            try:
                fitted[name] = self._fitted(name, data, options.members.get(name), share)
                if fold is not None and len(fold.users) >= MIN_USERS:
                    lists[name] = self._trained(name, fold.train, share).recommend(
                        fold.train, fold.users, self.depth, repeats=self.repeats
                    )
            except NightrecError as error:
                fitted.pop(name, None)
                log.warning("%s is left out: %s", name, error)
        if len(fitted) < 2:
            there = f"only {next(iter(fitted))} is" if fitted else "none is"
            raise NightrecError(
                f"Of the members of the ensemble ({', '.join(names) or 'none'}), {there} left; it takes two."
            )
        self.members_ = fitted
        self.site_: dict[str, NDArray[Any]] = {}
        self.site_names_: list[str] = []
        self.importances_: Doubles = np.empty((0, 2))
        self.contexts_: list[str] = []
        self.lift_: Floats = np.empty((data.n_items, 0), np.float32)
        if fold is None:
            self._average()
        else:
            self._fuse(list(lists.values()), fold, options.site, data, contexts)
        self.items_: Doubles = item_features(data)

    def _of_site(self, data: Dataset, tables: SiteTables | None, then: SiteFeatures | None = None) -> SiteFeatures:
        """The site's own columns as of the end of `data`, categories having the numbers that they had `then`."""
        if tables is None:
            raise ConfigError("ensemble: columns of the site need its tables; give FitOptions(site=SiteTables(…)).")
        limits = Limits(self.pair_seconds, self.pair_memory)
        known = then.categories if then else {}
        return SiteFeatures.of(data, tables, self.item_columns, self.user_columns, self.pairs, limits, known)

    def check_site(self, nobody: Dataset, tables: SiteTables) -> None:
        """Raise ConfigError for a column or query that `fit` would refuse, answered from data without interactions."""
        if self._sees_site:
            try:
                self._of_site(nobody, tables)
            except ConfigError:
                raise
            except NightrecError as error:  # of time, memory, or a value: with all interactions it is another query
                log.info("Not checked before training: %s", error)

    @property
    def _sees_site(self) -> bool:
        """Whether the trees see columns of the site, or what its queries say."""
        return bool(self.item_columns or self.user_columns or self.pairs)

    def _held_out(self, data: Dataset, events: EventLog | None) -> Fold:
        """What the fusion is fitted on."""
        if self.repeats:
            if events is None:
                raise ConfigError("ensemble: repeats = true needs single events: set features.events = true.")
            return latest_of_events(data, events, self.validation_days, WANTED_USERS, MAX_USERS, self.seed)
        if self.validation_days is not None:
            return last_days(data, self.validation_days, MAX_USERS, self.seed)
        return latest(data, WANTED_USERS, MAX_USERS, self.seed)

    def _average(self) -> None:
        """Let all members count alike."""
        m = len(self.members_)
        self.weights_: Doubles = np.full(m, 1 / m)
        self.blend_ = 1.0
        self.coefficients_: Doubles = np.zeros((3, m))
        self.coefficients_[2] = 1 / m
        for part in PARTS:
            setattr(self, f"tree_{part}_", getattr(Trees.none(), part))

    def _fuse(
        self, lists: list[TopK], fold: Fold, tables: SiteTables | None, data: Dataset, contexts: Contexts | None
    ) -> None:
        """Fit the weights of the members, and the trees if they rank better."""
        site = self._of_site(fold.train, tables) if self._sees_site else None
        m = len(self.members_)
        self.weights_ = np.full(m, 1 / m)
        self.blend_ = 1.0
        self.coefficients_ = np.empty((0, m))
        trees = Trees.none()
        if len(fold.users) >= MIN_USERS:
            queries = None if contexts is None else queries_of(fold, data, contexts.of(data))
            if queries is not None:
                fold, lists = queries.fold, queries.lists(lists)
            candidates = Candidates.of(lists, fold.train.n_items)
            objective = RankingObjective(candidates, fold.truth, min(self.depth, 10))
            blend = blended(objective, self.offset, self.seed)
            self.weights_ = blend.weights
            simple: Blend | Linear = blend
            message = f"fitted on {len(fold.users)} users; NDCG@{objective.k}: blend {blend.value:.4f}"
            if self.method != "blend" and objective.relevant.any():
                linear = regressed(objective, self.seed)
                message += f", linear {linear.value:.4f}"
                if self.method == "linear" or linear.value > blend.value:
                    simple, self.coefficients_ = linear, linear.coefficients.reshape(3, m)
            if self.method in ("auto", "stack") and MIN_HITS < objective.relevant.sum() < len(candidates) - MIN_HITS:
                lift, context = None, np.empty(0, np.int64)
                if contexts is not None and queries is not None:
                    lift, context = lifts(contexts.of(fold.train), fold.train, len(contexts.names)), queries.context
                own = own_columns(site, lift, context, fold.users, candidates)
                rows = features(candidates, item_features(fold.train), user_features(fold.train, fold.users), own)
                beside = simple.log_odds
                stack = stacked(objective, rows, beside, self.trees, self.leaves, self.learning_rate, self.seed)
                message += f", with {self.trees} trees {stack.value:.4f}"
                if self.method == "stack" or stack.value > simple.value:
                    trees, self.blend_ = stack.trees, stack.blend
                    if site is not None:
                        self.site_names_, self.site_ = site.names, self._of_site(data, tables, site).arrays()
                    if contexts is not None:
                        self.contexts_ = list(contexts.names)
                        self.lift_ = lifts(contexts.of(data), data, len(contexts.names))
                    if own is not None:
                        self.importances_ = importances(objective, rows, stack, beside, self.seed)
            log.info("%s", message)
        for part in PARTS:
            setattr(self, f"tree_{part}_", getattr(trees, part))

    def for_users(self, users: Ints) -> Self:
        model = copy(self)
        model.members_ = {name: member.for_users(users) for name, member in self.members_.items()}
        if (site := self._site) is not None:
            model.site_ = site.for_users(users).arrays()
        return model

    @property
    def _site(self) -> SiteFeatures | None:
        """The site's own columns that the trees see, if there are any."""
        return SiteFeatures.restored(self.site_names_, self.site_) if self.site_names_ else None

    def _restore(self, state: State) -> None:
        without = {"coefficients_": np.empty((0, 0)), "site_": {}, "site_names_": [], "importances_": np.empty((0, 2))}
        without |= {"contexts_": [], "lift_": np.empty((0, 0), np.float32)}
        super()._restore(without | state)

    @property
    def _own_names(self) -> list[str]:
        """What trees see that is the site's own."""
        return [*self.site_names_, *(["context"] if self.contexts_ else [])]

    def in_contexts(self) -> dict[str, Self]:
        kept = Kept()
        found = {}
        for number, name in enumerate(self.contexts_):
            found[name] = copy(self)
            vars(found[name]).update(_context=number, _kept=kept)
        return found

    def learned(self) -> dict[str, Any]:
        """How much each thing that the trees see helps them to rank, where columns of the site or a context are among
        them.
        """
        if not self._own_names:
            return {}
        names = feature_names(list(self.members_), self._own_names)
        found = [
            {"name": name, "ndcg": float(loss), "error": float(error)}
            for name, (loss, error) in zip(names, self.importances_, strict=True)
        ]
        return {"importances": sorted(found, key=lambda one: -one["ndcg"])}

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        step = max(1, min(ENTRIES_AT_A_TIME // (self.depth * len(self.members_)), batch or len(users)))
        lists = [nothing(0, k)]
        for part in (users[i : i + step] for i in range(0, len(users), step)):
            asked = data, part, allowed, repeats
            candidates = self._candidates(*asked) if self._kept is None else self._kept.of(self._candidates, *asked)
            lists.append(candidates.ranked(self._scores(candidates, data, part), k))
        return joined(lists)

    def _candidates(self, data: Dataset, users: Ints, allowed: Bools | None, repeats: Repeats) -> Candidates:
        tops = [model._lists(data, users, self.depth, allowed, repeats, None) for model in self.members_.values()]
        for top in tops:
            top.items[~self.knows(data, users)] = -1
        return Candidates.of(tops, data.n_items)

    def _scores(self, candidates: Candidates, data: Dataset, users: Ints) -> Doubles:
        if linear := len(self.coefficients_) > 0:
            simple = summed(linear_features(candidates), self.coefficients_.ravel())
        else:
            simple = summed(candidates.reciprocal(self.offset), self.weights_)
        if not len(self._trees.roots):
            return simple
        beside = simple if linear else log_of(simple)
        return self._trees.scores(self._rows(candidates, data, users)) + self.blend_ * beside

    @property
    def _trees(self) -> Trees:
        return Trees(*(getattr(self, f"tree_{part}_") for part in PARTS))

    def _rows(self, candidates: Candidates, data: Dataset, users: Ints) -> Doubles:
        """What the trees see of candidates."""
        lift, context = (self.lift_ if self.contexts_ else None), np.full(len(users), self._context)
        own = own_columns(self._site, lift, context, users, candidates)
        return features(candidates, self.items_, user_features(data, users), own)

    def column_reasons(
        self, data: Dataset, users: Ints, top: TopK, allowed: Bools | None, repeats: Repeats
    ) -> list[list[str | None]]:
        reasons = super().column_reasons(data, users, top, allowed, repeats)
        if not len(self._trees.roots):
            return reasons
        candidates = self._candidates(data, users, allowed, repeats)
        names = feature_names(list(self.members_), self._own_names)
        columns = [n for n, name in enumerate(names) if name in ABOUT_ITEMS or n >= len(self.members_) + BESIDE]
        rows = self._rows(candidates, data, users)
        seen = Seen(candidates, rows, columns, self._trees.scores, lambda some: self._scores(some, data, users))
        for row, place, column in seen.reasons(top, data.n_items):
            reasons[row][place] = names[column]
        return reasons

    def _score(self, data: Dataset, users: Ints) -> NDArray[np.float32]:
        """The scores of what members list; the other items are without evidence."""
        top = self._lists(data, users, data.n_items, None, True, None)
        scores = np.full((len(users), data.n_items), -np.inf, np.float32)
        user, place = np.nonzero(top.items >= 0)
        scores[user, top.items[user, place]] = top.scores[user, place]
        return scores
