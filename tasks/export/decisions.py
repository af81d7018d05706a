"""What is decided over all users before an export's lists are made, and its form for whoever makes some of them."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.base import Recommender
from recmodels.compute import memory
from recmodels.data import layout
from recmodels.data.arrays import Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.memory import data_memory
from recmodels.data.pairs import Pairs
from recmodels.engine import parts
from recmodels.engine.work import ONE_CORE, Needs, Work
from recmodels.exposure_prices import with_prices
from recmodels.persistence import load, own_recommenders, save
from recmodels.popularity import Popularity, fit_to_split
from recmodels.published.pseudonyms import hashed_ids, key_in
from recmodels.ranking.rerank import Rules
from recmodels.scoring.dot_product import DotProduct
from tasks.arms.tonight import ArmsTonight, ArmTonight
from tasks.export.approximate import approximate
from tasks.export.basis import ABOUT, CODES, IDS, NAME, ORDER, POPULAR, PRICES, SEARCH, SIMILAR, models_of
from tasks.export.explored import Plan
from tasks.export.item_tables import popular_windows, similarity_model
from tasks.export.nearly import ApproximateSummary
from tasks.export.serving import Lister
from tasks.export.settings import ExportSettings
from tasks.features.settings import FeatureSettings
from tasks.lists.rules import translate
from tasks.store.manifests import manifest_of, refuse_damaged
from tasks.store.parts import link
from tasks.store.paths import Night

MEMORY = 2**30  # bytes of a bucket: some batches of scores


@dataclass(frozen=True, eq=False)
class Decided:
    """What was decided over all users before their lists are made.

    Attributes:
        night: whose lists they are.
        name: of the winner, which is in the night's `champion/`.
        settings: of the export.
        features: the roles of the columns.
        windows: what ranks the popular items of each window, `all` among them, fitted on all interactions.
        published: the ids of the users in the export, in the order of the features; None: their own.
        order: users in the order of their lists; None: that of the features.
        plan: the translation of the rules, with the prices that keep its bounds; None: there are no rules.
        arms: those besides `main`, by name, in the order of their codes.
        codes: of the arm of each user [n_users], where there are arms.
        explores: how the night explores.
        export_id: of the export.
        similar: the name of the model that items are similar by, and that model.
        model: the winner.
        vectors: the name and the folder of the model whose vectors are published, if any are.
        nearly: how nearly they are the exact ones; None where nothing else is wanted.
        needs: what a bucket of lists takes of a machine.
    """

    night: Night
    name: str
    settings: ExportSettings
    features: FeatureSettings
    windows: dict[str, Popularity]
    published: pa.Array | None = None
    order: Ints | None = None
    plan: Rules | None = None
    arms: dict[str, ArmTonight] = field(default_factory=dict)
    codes: Longs | None = None
    explores: Plan | None = None
    export_id: str = ""
    similar: tuple[str, Recommender] | None = None
    model: Recommender | None = None
    vectors: tuple[str, Path] | None = None
    nearly: ApproximateSummary | None = None
    needs: Needs = ONE_CORE

    @property
    def arm_models(self) -> list[str]:
        """What is fitted for the arms, each once."""
        return models_of(self.arms.values())

    @property
    def n_users(self) -> int:
        return int(pq.read_metadata(self.night.prepared / layout.USERS).num_rows)

    def put_together(self, folder: Path, made_from: str) -> Path:
        """The part, in `folder`; `made_from` is a digest of all it is made from."""
        part = folder / NAME
        if not parts.done(part, made_from):
            parts.make(self._write, Work({}, {}, part, memory.total()), made_from)
        return part

    def recommenders(self) -> list[str]:
        """What the configuration has had imported, for other processes."""
        return own_recommenders(*self._models())

    def _models(self) -> list[Path]:
        night = self.night
        proposers = () if self.explores is None else self.explores.proposers
        beside = [] if self.vectors is None else [self.vectors[1]]
        models = [night.champion, *map(night.arm_model, self.arm_models), *(one.folder for one in proposers), *beside]
        return list(dict.fromkeys(models))

    def _write(self, work: Work) -> None:
        out, night = work.out, self.night
        splits = {"full"} | ({one.split for one in self.explores.proposers} if self.explores else set())
        for folder in (night.prepared, *(night.features / split for split in sorted(splits)), *self._models()):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    target = out / path.relative_to(night.store.root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    link(path, target)
        np.save(out / POPULAR, self.windows["all"].scores_)
        bounds = None if self.plan is None else self.plan.bounds
        prices = None if bounds is None else bounds.prices
        for name, array in ((ORDER, self.order), (CODES, self.codes), (PRICES, prices)):
            if array is not None:
                np.save(out / name, array)
        if self.published is not None:
            pq.write_table(pa.table({"user_id": self.published}), out / IDS)
        if self.similar is not None and self.similar[1] is not self.model:
            save(self.similar[1], out / SIMILAR)
        if isinstance(self.model, DotProduct):
            self.model.save_search(out / SEARCH)
        about = {
            "run_date": str(night.run_date),
            "name": self.name,
            "settings": self.settings.model_dump(mode="json"),
            "features": self.features.model_dump(mode="json"),
            "arms": {name: arm.model_dump(mode="json") for name, arm in self.arms.items()},
            "similar": self.name if self.similar is None else self.similar[0],
            "vectors": self.vectors and [self.vectors[0], str(self.vectors[1].relative_to(night.store.root))],
            "export_id": self.export_id,
            "explores": self.explores and self.explores.save(out, night),
        }
        (out / ABOUT).write_text(json.dumps(about, sort_keys=True))


def decide(
    night: Night,
    name: str,
    settings: ExportSettings,
    features: FeatureSettings,
    *,
    explores: Plan | None = None,
    arms: ArmsTonight | None = None,
    vectors: tuple[str, Path] | None = None,
    export_id: str = "",
    seed: int = 0,
) -> Decided:
    """Decide what concerns all users of a night; its interactions are read as a whole only where that takes them.

    Args:
        night: whose `champion/` makes the lists.
        name: of that model.
        settings: of the export.
        features: the roles of the columns.
        explores: how the night explores.
        arms: those besides `main`.
        vectors: the name and the folder of the model whose vectors are published.
        export_id: of the export.
        seed: of the users on whom it is measured what approximate lists miss.

    Raises:
        NightrecError: a model that is needed is damaged.
    """

    @cache
    def data() -> Dataset:
        return Dataset.load(night.features, "full")

    model = load(night.champion, mapped=True)
    windows = popular_windows(settings.popular_days)
    fit_to_split(windows.values(), night.features, "full")
    memory.trim()  # of the rows that were read
    popular = windows["all"]
    plan = translate(night, "full", settings, features) if settings.rerank else None
    if plan is not None and plan.bounds is not None:
        plan = priced(plan, model, popular, data(), settings)
    nearly = None
    if settings.approximate:
        nearly = approximate(Lister.of(night, data(), model, name, settings, plan, popular=popular), seed)
    user_ids = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    published = hashed_ids(user_ids, key_in(settings.hash_key_env)) if settings.hash_key_env else None
    groups = {} if arms is None else arms.groups
    for arm_model in models_of(groups.values()):
        refuse_damaged(night.arm_model(arm_model), manifest_of(night.arm_model(arm_model)) or {})
    folders = [*map(night.arm_model, models_of(groups.values())), *(() if vectors is None else [vectors[1]])]
    models = [model, *(load(folder, mapped=True) for folder in dict.fromkeys(folders))]
    return Decided(
        night=night,
        name=name,
        settings=settings,
        features=features,
        windows=windows,
        published=published,
        order=_order(user_ids if published is None else published),
        plan=plan,
        arms=groups,
        codes=None if arms is None else arms.codes(user_ids.to_pylist()),
        explores=None if explores is None else explores.undamaged(),
        export_id=export_id,
        similar=similarity_model(model, name, data) if settings.similar else None,
        model=model,
        vectors=vectors,
        nearly=nearly,
        needs=_needs(models, night),
    )


def priced(plan: Rules, model: Recommender, popular: Popularity, data: Dataset, settings: ExportSettings) -> Rules:
    """The rules with the prices that keep the bounds of the exposure over the lists of all users."""
    users, k = np.arange(data.n_users, dtype=np.int32), settings.longest
    return with_prices(plan, model, popular, data, users, k, repeats=settings.repeats)


def _order(ids: pa.Array) -> Ints | None:
    """The users in the order of their ids; None where that is the order they have."""
    order: Ints = pc.array_sort_indices(ids).to_numpy().astype(np.int32)
    return None if (order == np.arange(len(order))).all() else order


def _needs(models: list[Recommender], night: Night) -> Needs:
    """What a bucket of lists takes of a machine."""
    if not any(model.needs_others for model in models):
        return Needs(memory=MEMORY)
    n_users, n_items = (pq.read_metadata(night.prepared / table).num_rows for table in (layout.USERS, layout.ITEMS))
    return Needs(memory=MEMORY + data_memory(n_users, n_items, len(Pairs(night.prepared, "full"))))
