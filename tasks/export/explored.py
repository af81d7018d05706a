"""Exploration in an export: a place of some lists is drawn, and its rows say by whom and how probably."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from recmodels.data.arrays import Bools
from recmodels.fallback import Lists
from recmodels.ranking.rerank import Rules
from tasks.compare.decision import ComparisonSummary
from tasks.exploration.drawing import Exploration
from tasks.exploration.learned import Shares, learned_shares
from tasks.exploration.proposers import (
    Proposer,
    candidates,
    fingerprints,
    note_silent,
    replicates,
    undamaged,
)
from tasks.exploration.seldom import seldom_shown
from tasks.exploration.settings import ExplorationSettings
from tasks.exploration.summary import ExplorationSummary, ExploredCounts
from tasks.export.origins import Origins
from tasks.store.feedback import EXPLORE
from tasks.store.files import Json
from tasks.store.paths import Night

SELDOM, SEGMENTS = "seldom.npy", "segments.npy"


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

    def undamaged(self) -> "Plan":
        """The same without proposers that are not as they were written."""
        return replace(self, proposers=undamaged(self.proposers))

    def save(self, folder: Path, night: Night) -> Json:
        """Write its arrays into a folder, and return the rest; `load` reads both, on any machine."""
        if self.seldom is not None:
            np.save(folder / SELDOM, self.seldom)
        if self.shares is not None:
            np.save(folder / SEGMENTS, self.shares.of_users)
        root = night.store.root
        return {
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
            "proposers": [asdict(one) | {"folder": str(one.folder.relative_to(root))} for one in self.proposers],
            "segments": [] if self.shares is None else self.shares.segments,
            "shares": {} if self.shares is None else {n: row.tolist() for n, row in self.shares.by_proposer.items()},
        }

    @classmethod
    def load(cls, folder: Path, night: Night, about: Json) -> "Plan":
        """What `save` wrote, for the proposers of a night that lies elsewhere."""
        shares = None
        if about["segments"]:
            by_proposer = {name: np.array(row) for name, row in about["shares"].items()}
            shares = Shares(about["segments"], np.load(folder / SEGMENTS, allow_pickle=False), by_proposer)
        seldom = np.load(folder / SELDOM, allow_pickle=False) if (folder / SELDOM).exists() else None
        proposers = [Proposer(**one | {"folder": night.store.root / one["folder"]}) for one in about["proposers"]]
        return cls(ExplorationSettings.model_validate(about["settings"]), about["seed"], proposers, shares, seldom)

    def summary(self, found: Sequence[Json]) -> ExplorationSummary:
        """What was explored, by what was found in each part of the lists (`found_in`); notes name who is silent."""
        silent: dict[str, str] = {}
        for one in found:
            silent |= one["failed"]
        for name, why in silent.items():
            note_silent(name, why)
        counts = [ExploredCounts.of(one["counts"]) for one in found]
        names = [one.name for one in self.proposers if any(one.name in part.proposals for part in counts)]
        return ExplorationSummary(
            **self.settings.model_dump(),
            seed=self.seed,
            proposers=names,
            counts=ExploredCounts(
                users=sum(one.users for one in counts),
                drawn=sum(one.drawn for one in counts),
                proposals={name: sum(one.proposals.get(name, 0) for one in counts) for name in names},
                others={name: sum(one.others.get(name, 0) for one in counts) for name in names},
            ),
            shares=self.shares.json_ready() if self.shares else {},
        )


def found_in(exploration: Exploration) -> Json:
    """What became of the exploration of some lists."""
    return {"counts": exploration.counts.json_ready(), "failed": exploration.failed}


def draw(
    exploration: Exploration, lists: Lists, origins: Origins, rules: Rules | None, among: Bools | None = None
) -> tuple[Lists, Origins]:
    """Draw a place of the lists of some users, of all or of those `among` [n]: the lists, and how their rows came."""
    new, drawn = exploration.draw(lists, rules, among)
    policies = [*origins.policies, EXPLORE]
    policy = np.where(drawn.items != lists.items, np.int8(len(policies) - 1), origins.policy)
    return new, replace(origins, policies=policies, policy=policy, propensity=origins.propensity * drawn.propensity)
