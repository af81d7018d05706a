"""What the lists of an export are made from: put together once, and read by whichever machine makes some of them.

It is a part in which the night's folders that are needed lie as they do in the night, and beside them what was decided
over all users: the order of the lists, the prices, who is in which arm, the popular items.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels import registry
from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.data.arrays import Bools, Csr, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.engine.kept import Kept
from recmodels.engine.work import Work
from recmodels.persistence import load
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from recmodels.scoring.dot_product import DotProduct
from tasks.arms.tonight import ArmTonight
from tasks.export.explored import Plan
from tasks.export.serving import Lister, Serving, seed_of
from tasks.export.settings import ExportSettings
from tasks.features.settings import FeatureSettings
from tasks.lists.rules import translate
from tasks.store.files import Json
from tasks.store.paths import Night, Store

NAME = "basis"
ABOUT = "about.json"
ORDER, IDS, CODES, PRICES, POPULAR = "order.npy", "ids.parquet", "codes.npy", "prices.npy", "popular.npy"
SIMILAR, SEARCH = "similar", "search"
MEMORY = 2**30  # bytes of a bucket: some batches of scores


def models_of(arms: Iterable[ArmTonight]) -> list[str]:
    """What is fitted for some arms, each once."""
    return list(dict.fromkeys(model for arm in arms if (model := arm.own_model)))


class Basis:
    """What lists are made from, where some of them are made. It is read as far as it is needed, and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about: Json = json.loads((folder / ABOUT).read_text())
        self.night: Night = Store(folder).night(date.fromisoformat(self.about["run_date"]))
        self.name: str = self.about["name"]
        self.settings = ExportSettings.model_validate(self.about["settings"])
        self.features = FeatureSettings.model_validate(self.about["features"])

    @cached_property
    def order(self) -> Ints:
        """Users in the order of their lists."""
        if (self.folder / ORDER).exists():
            found: Ints = np.load(self.folder / ORDER, mmap_mode="c", allow_pickle=False)
            return found
        return np.arange(self.nobody.n_users, dtype=np.int32)

    @cached_property
    def items(self) -> pa.Table:
        """The items' ids, and whether they are available."""
        return pq.read_table(self.night.prepared / layout.ITEMS, columns=["item_id", "available"])

    @cached_property
    def domains(self) -> Domains | None:
        """The domains that have lists of their own; None where none has."""
        return Domains.read(self.night.prepared) if self.settings.domain_lists else None

    @cached_property
    def item_ids(self) -> pa.Array:
        return self.items["item_id"].combine_chunks()

    @cached_property
    def own_ids(self) -> pa.Array:
        """The users' ids as the site calls them, in the order of the features."""
        return pq.read_table(self.night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()

    @cached_property
    def user_ids(self) -> pa.Array:
        """The users' ids as they are published, in the order of the features."""
        ids = self.folder / IDS
        return pq.read_table(ids)["user_id"].combine_chunks() if ids.exists() else self.own_ids

    @cached_property
    def plan(self) -> Rules | None:
        """The rules of the lists, with the prices that were found for all of them."""
        if not self.settings.rerank:
            return None
        rules = translate(self.night, "full", self.settings, self.features)
        prices = self.folder / PRICES
        return rules.at(np.load(prices, allow_pickle=False)) if prices.exists() else rules

    @cached_property
    def allowed(self) -> Bools:
        """What may be listed: bool [n_items]."""
        allowed: Bools = self.items["available"].to_numpy() if self.plan is None else self.plan.allowed
        return allowed

    @cached_property
    def nobody(self) -> Dataset:
        """The night's data without any interactions."""
        return Dataset.load(self.night.features, "full", users=np.empty(0, np.int32))

    @cached_property
    def everybody(self) -> Dataset | None:
        """All the night's data, where a model's lists or vectors depend on those of others; None where none does."""
        of_vectors = [self.vectors[1]] if self.about["vectors"] else []
        models = [self.serving.main.model, *self.serving.models.values(), *of_vectors]
        if not any(model.needs_others for model in models):
            return None
        return Dataset.load(self.night.features, "full", terms=(self.nobody.terms, self.nobody.user_terms))

    @cached_property
    def similar(self) -> tuple[str, Recommender]:
        """The model that items are similar by, and its name."""
        own = self.folder / SIMILAR
        model = load(own, mapped=True) if own.exists() else self.serving.main.model
        return self.about["similar"], model

    @cached_property
    def vectors(self) -> tuple[str, DotProduct]:
        """The model whose vectors are published, and its name."""
        name, folder = self.about["vectors"]
        model = load(self.folder / folder, mapped=True)
        assert isinstance(model, DotProduct)  # `chosen` gives no other
        return name, model

    @cached_property
    def explores(self) -> Plan | None:
        known = self.about["explores"]
        return known and Plan.load(self.folder, self.night, known)

    @cached_property
    def serving(self) -> Serving:
        """What makes the lists, once it has their users' interactions."""
        model = load(self.night.champion, mapped=True)
        if isinstance(model, DotProduct):
            model.load_search(self.folder / SEARCH)
        popular = Popularity()
        popular.scores_ = np.load(self.folder / POPULAR, allow_pickle=False)
        popular.n_items_ = len(popular.scores_)
        main = Lister(self.name, model, popular, self.nobody, self.settings, self.allowed, self.plan)
        if not self.about["arms"]:
            return Serving(main)
        arms = {name: ArmTonight.model_validate(arm) for name, arm in self.about["arms"].items()}
        models = {name: load(self.night.arm_model(name), mapped=True) for name in models_of(arms.values())}
        codes = np.load(self.folder / CODES, allow_pickle=False)
        return Serving(main, arms, models, codes, self.own_ids, seed_of(self.night.run_date))

    def data(self, users: Ints) -> Dataset:
        """The night's data with the interactions of some users alone."""
        terms: tuple[Csr, Csr] = (self.nobody.terms, self.nobody.user_terms)
        return Dataset.load(self.night.features, "full", users=np.sort(users), terms=terms)

    def serving_from(self, data: Dataset) -> Serving:
        """What makes lists from such data."""
        return replace(self.serving, main=replace(self.serving.main, data=data))


def _read(part: Path) -> Basis:
    """With what the lists of all users need, so that it is read once whatever the number of threads."""
    basis = Basis(part)
    _ = basis.order, basis.user_ids, basis.item_ids, basis.everybody
    return basis


_kept = Kept(_read)
let_go = _kept.let_go


def basis_of(work: Work) -> Basis:
    """What a bucket's lists are made from: the same for all buckets of the same part that this process works on."""
    for name in work.arguments.get("recommenders", ()):
        registry.kind_of(name)
    return _kept.of(work.inputs[NAME])
