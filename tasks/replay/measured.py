"""A model's lists of a night, as they would have been published, and their figures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.metrics import beyond_accuracy as beyond
from recmodels.metrics import ranking
from recmodels.metrics.beyond_accuracy import Figures
from recmodels.persistence import load
from recmodels.popularity import Popularity
from tasks.evaluate.slices import recall_of
from tasks.export.decisions import priced
from tasks.export.serving import Lister
from tasks.export.writer import batches
from tasks.lists.rules import translate
from tasks.panel import figures
from tasks.panel.exposed import Exposed
from tasks.panel.figures import Found
from tasks.replay.measures import MEASURES, OF_USERS
from tasks.replay.scene import Scene
from tasks.replay.settings import ReplaySpec
from tasks.store.paths import Night

Lists = tuple[Ints, Figures]
"""The items of every user's list, -1 in empty places, and their scores: two [n_users, k]."""


def lists_of(night: Night, name: str, data: Dataset, spec: ReplaySpec) -> Lists:
    """The lists of all users by the model in `arm_models/<name>`, as an export of it would have them in `main`."""
    model, settings, popular = load(night.arm_model(name)), spec.export, Popularity().fit(data)
    plan = translate(night, "full", settings, spec.features) if settings.rerank else None
    plan = plan and priced(plan, model, popular, data, settings)
    lister = Lister.of(night, data, model, name, settings, plan, explained=False, popular=popular)
    made = [lister.lists(users) for users in batches(data.n_users, settings.longest)]
    return np.concatenate([one.items for one in made]), np.concatenate([one.scores for one in made])


def figures_of(items: Ints, scene: Scene) -> tuple[dict[str, float | None], pa.Table]:
    """The figures of lists of all users [n_users, k], and those of each user who is followed (NaN: has none)."""
    found = Found(len(scene.users))
    _accuracy(found, items, scene)
    _catalogue(found, items, scene)
    theirs, chosen = items[scene.users], scene.site.chosen()
    figures.lift(found, theirs, chosen, scene.site.popularity())
    figures.calibration(found, theirs, chosen, scene.site.categories)
    found.add("churn", None)  # it takes two nights
    columns = {name: pa.array(found.users[name].astype(np.float32), from_pandas=True) for name in OF_USERS}
    user_ids = scene.site.user_ids.take(pa.array(scene.users))
    night = {one.name: found.night.get(one.name) for one in MEASURES}
    return night, pa.table({"user_id": user_ids, **columns})


def _accuracy(found: Found, items: Ints, scene: Scene) -> None:
    """How much of what people did next was on their lists; users of whom the night knew nothing have none."""
    judged = scene.judged
    _, there, truth = ranking.matched(items[judged], scene.truth)
    of_users = ranking.per_user(items[judged], scene.truth)
    row = np.repeat(np.arange(len(judged)), np.diff(truth.indptr))
    warm = scene.history[judged] > 0
    values = {name: of_users[name] for name in ("ndcg", "recall", "hit_rate")}
    values["ndcg_warm"] = np.where(warm, of_users["ndcg"], np.nan)
    values["recall_tail"] = recall_of(scene.tail, row, truth.indices, there, len(judged))
    for name, value in values.items():
        _add(found, name, value, judged, scene)


def _catalogue(found: Found, items: Ints, scene: Scene) -> None:
    """What of the catalogue all lists together show, and how popular and new it is."""
    site, k = scene.site, items.shape[1]
    everybody = np.arange(len(items), dtype=np.int32)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    row, place = np.nonzero(items >= 0)
    by_item = np.bincount(items[row, place], discounts[place], site.n_items).astype(np.float64)
    theirs = items[scene.users]
    user, place = np.nonzero(theirs >= 0)
    exposed = Exposed(by_item, user.astype(np.int32), theirs[user, place], discounts[place])
    figures.inequality(found, exposed, site.available)
    found.add("coverage", ranking.coverage(items, max(1, int(site.available.sum()))))
    count, n_users = scene.count[: site.n_items], int((scene.history > 0).sum())
    _add(found, "novelty", beyond.novelty(items, count, n_users), everybody, scene)
    _add(found, "new_items", beyond.mean_of(items, scene.new.astype(np.float64)), everybody, scene)


def _add(found: Found, name: str, values: Figures, of: Ints, scene: Scene) -> None:
    """Add a figure of some users, of whom those who are followed have their own."""
    there = ~np.isnan(values)
    own = np.full(len(scene.site.user_ids), np.nan)
    own[of] = values
    found.add(name, float(values[there].mean()) if there.any() else None, own[scene.users])
