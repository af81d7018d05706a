"""Exploration in an export: a place of some lists is drawn, and its rows say by whom and how probably."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools
from recmodels.data.dataset import Dataset
from recmodels.fallback import Lists
from recmodels.ranking.rerank import Rules
from tasks.compare.decision import ComparisonSummary
from tasks.exploration.drawing import Exploration, exploring
from tasks.exploration.learned import Shares, learned_shares
from tasks.exploration.proposers import Proposer, candidates, fingerprints, replicates
from tasks.exploration.seldom import seldom_shown
from tasks.exploration.settings import ExplorationSettings
from tasks.export.origins import Origins
from tasks.export.settings import ExportSettings
from tasks.store.feedback import EXPLORE
from tasks.store.files import Json
from tasks.store.paths import Night


@dataclass(frozen=True)
class Plan:
    """How a night explores.

    Attributes:
        settings: of exploration.
        seed: of the night's draws.
        proposers: all models that were measured but the one whose lists they are, or replicates of that one.
        shares: how probable each proposer is; None: all alike.
        seldom: the only items that are proposed [n_items]; None: any.
    """

    settings: ExplorationSettings
    seed: int
    proposers: list[Proposer]
    shares: Shares | None = None
    seldom: Bools | None = None

    @classmethod
    def of(
        cls,
        night: Night,
        settings: ExplorationSettings,
        seed: int,
        comparison: ComparisonSummary,
        winner: str,
        fitted: Sequence[int] = (),
    ) -> "Plan | None":
        """None where nothing is explored; `fitted` are the numbers of the winner's replicates that are there."""
        if settings.way == "thompson":
            proposers = replicates(night, winner, fitted, seed)
        else:
            proposers = candidates(night, [name for name in comparison.models if name != winner], settings.way)
        if not settings.epsilon or not proposers:
            return None
        shares = learned_shares(night, settings, seed, [one.name for one in proposers])
        seldom = seldom_shown(night, settings.enough_exposures) if settings.way == "new_items" else None
        return cls(settings, seed, proposers, shares, seldom)

    def made_from(self) -> tuple[Json, Json]:
        """The inputs and the parameters that the lists are made from besides."""
        parameters = self.settings.model_dump() | {"seed": self.seed}
        inputs: Json = {"proposers": fingerprints(self.proposers)}
        if self.shares is not None:
            inputs["shares"] = self.shares.json_ready()
        if self.seldom is not None:
            inputs["seldom"] = sha256(np.packbits(self.seldom).tobytes()).hexdigest()
        return inputs, {"exploration": parameters}


@contextmanager
def explored(
    plan: Plan | None, night: Night, export_id: str, data: Dataset, settings: ExportSettings, rules: Rules | None
) -> Iterator[Exploration | None]:
    """The exploration of an export while it is written; None where nothing is explored, which costs nothing."""
    if plan is None:
        yield None
        return
    user_ids, items = (pq.read_table(night.prepared / name) for name in (layout.USERS, layout.ITEMS))
    with exploring(
        night,
        export_id,
        plan.settings,
        plan.seed,
        plan.proposers,
        data,
        user_ids["user_id"].combine_chunks(),
        items["item_id"].combine_chunks(),
        settings.longest,
        items["available"].to_numpy() if rules is None else rules.allowed,
        settings.repeats,
        rules,
        plan.shares,
        plan.seldom,
    ) as exploration:
        yield exploration


def draw(
    exploration: Exploration, lists: Lists, origins: Origins, rules: Rules | None, among: Bools | None = None
) -> tuple[Lists, Origins]:
    """Draw a place of the lists of some users, of all or of those `among` [n]: the lists, and how their rows came."""
    new, drawn = exploration.draw(lists, rules, among)
    policies = [*origins.policies, EXPLORE]
    policy = np.where(drawn.items != lists.items, np.int8(len(policies) - 1), origins.policy)
    return new, replace(origins, policies=policies, policy=policy, propensity=origins.propensity * drawn.propensity)
