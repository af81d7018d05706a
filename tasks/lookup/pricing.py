"""What rules of the lists would cost and bring, before they are switched on: by the last night's model and holdout."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

import numpy as np

from recmodels.base import Recommender
from recmodels.candidate_lists import LIST_POSITIONS, read_truth
from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.parquet import read_columns
from recmodels.errors import ConfigError
from recmodels.exposure_prices import Remembering, with_prices
from recmodels.fallback import serve
from recmodels.metrics import ranking as metrics
from recmodels.metrics.significance import paired
from recmodels.persistence import load
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from tasks.evaluate.summary import ListFigures
from tasks.evaluate.yardstick import Steered, figures_of
from tasks.features.settings import FeatureSettings
from tasks.lists.reader import read_available
from tasks.lists.rules import translate
from tasks.lists.settings import ExposureSettings, ListSettings
from tasks.store.manifests import manifest_of, whole
from tasks.store.paths import Night, Store
from tasks.train.settings import EvaluationSettings

USERS = 10_000  # of the holdout, at most


@dataclass(frozen=True)
class Price:
    """Lists by some rules.

    Attributes:
        name: of the rules, for people.
        figures: of the lists.
        change: how much higher the NDCG is than that of the first rules, with its interval; None for the first.
        missed: the values whose share of the exposure is not within its bounds.
    """

    name: str
    figures: ListFigures
    change: tuple[float, float, float] | None
    missed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prices:
    """Several rules, measured on the same users with the same model; the others are compared with the first."""

    run_date: date
    model: str
    k: int
    users: int
    each: list[Price]


def prices_of(
    store: Store,
    run_date: date | None,
    tries: Sequence[tuple[str, ListSettings]],
    features: FeatureSettings,
    evaluation: EvaluationSettings,
    most: int = USERS,
    seed: int = 0,
) -> Prices:
    """The figures of the lists that the champion of a night (the last one without a date) gives by each of the rules.

    Whether they hold what users have had is the same for all, as the first rules say. Where the holdout has more than
    `most` users, as many are drawn.

    Raises:
        ConfigError: there is no such night, or a rule names a column or category that the items do not have.
    """
    night, name = _measured(store, run_date)
    site = _Site(night, name, evaluation, tries[0][1].repeats, most, seed)
    rules = [translate(night, "train", settings.measured(evaluation.k), features) for _, settings in tries]
    steered = _steered(night, site, [settings for _, settings in tries], features)
    each: list[Price] = []
    first = None
    for (label, settings), plan in zip(tries, rules, strict=True):
        items = site.lists(plan if settings.measured(evaluation.k).rerank else None)
        ndcg = metrics.per_user(items, site.truth)["ndcg"]
        first = ndcg if first is None else first
        change = None if not each else paired(ndcg - first, seed, evaluation.confidence)
        figures = figures_of(items, site.truth, site.available, site.data.terms, steered)
        ends = None if change is None else (change.mean, change.low, change.high)
        each.append(Price(label, figures, ends, _missed(plan, settings, items)))
    return Prices(night.run_date, name, evaluation.k, len(site.users), each)


class _Site:
    """What lists are made of and measured by: the model is asked once for each user's candidates."""

    def __init__(
        self, night: Night, name: str, evaluation: EvaluationSettings, repeats: Repeats, most: int, seed: int
    ) -> None:
        users, truth = read_truth(night.prepared)
        some = np.sort(np.random.default_rng(seed).permutation(len(users))[:most])
        self.users, self.truth, self.k, self.repeats = users[some], truth[some], evaluation.k, repeats
        self.available: Bools = read_available(night.prepared) | (evaluation.candidates == "all")
        self.data = Dataset.load(night.features, "train")
        model = load(night.model(name))
        fallback = model if isinstance(model, Popularity) else Popularity().fit(_training(night, self.data))
        self._models = [cast("Recommender", Remembering(one, self.users)) for one in (model, fallback)]

    def lists(self, rules: Rules | None) -> Ints:
        """The lists of all users by some rules, by the model alone without any."""
        model, fallback = self._models
        plan = rules and with_prices(
            rules, model, fallback, self.data, self.users, self.k, allowed=self.available, repeats=self.repeats
        )
        step = max(1, LIST_POSITIONS // self.k)
        return np.concatenate(
            [
                serve(
                    model,
                    fallback,
                    self.data,
                    self.users[i : i + step],
                    self.k,
                    allowed=self.available,
                    repeats=self.repeats,
                    rules=plan,
                ).items
                for i in range(0, len(self.users), step)
            ]
        )


def _training(night: Night, data: Dataset) -> Dataset:
    """As candidates are trained: without the users that the protocol excludes."""
    path = night.prepared / layout.UNSEEN
    return data.without(read_columns(path, ["user_index"])["user_index"]) if path.exists() else data


def _measured(store: Store, run_date: date | None) -> tuple[Night, str]:
    """The newest night, or that of a date, whose winner is there as it was measured, and the winner's name."""
    for night in reversed(store.all_nights()):
        if run_date in (None, night.run_date):
            comparison = manifest_of(night.evaluation)
            name = comparison["summary"]["winner"] if comparison else None
            if name and (night.prepared / layout.HOLDOUT).exists() and whole(night.model(name)):
                return night, str(name)
    if run_date is None:
        raise ConfigError(f"No night has left a measured model in the store {store.root}: run one first.")
    raise ConfigError(f"The night {run_date} in the store {store.root} has left no measured model: run it first.")


def _steered(night: Night, site: _Site, tries: list[ListSettings], features: FeatureSettings) -> Steered:
    """What the figures are of: the categories, if there are any, and all values that have bounds."""
    bounds = _all_values([settings.exposure for settings in tries if settings.exposure])
    value = next((settings.value for settings in reversed(tries) if settings.value), None)
    about = ListSettings(k=site.k, calibration=1, exposure=bounds, value=value)
    try:
        rules = translate(night, "train", about, features)
    except ConfigError:  # no categories
        rules = translate(night, "train", about.model_copy(update={"calibration": 0}), features)
    return Steered.of(night, site.data, site.users, rules, bounds.values if bounds else [])


def _all_values(each: list[ExposureSettings]) -> ExposureSettings | None:
    """The values of several bounds, as far as they are of the column of the last; None where there are none."""
    if not each:
        return None
    values = {value: 0.0 for one in each if one.column == each[-1].column for value in one.values}
    return ExposureSettings(column=each[-1].column, least=values, measure=each[-1].measure)


def _missed(plan: Rules, settings: ListSettings, items: Ints) -> tuple[str, ...]:
    if plan.bounds is None or settings.exposure is None:
        return ()
    return tuple(
        value
        for value, out in zip(settings.exposure.values, plan.bounds.missed(plan.bounds.shares(items)), strict=True)
        if out
    )
