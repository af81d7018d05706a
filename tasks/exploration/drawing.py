"""A night's draws: which users have a place that may be drawn, what is proposed for it, and what is shown in it.

Both follow from the night and the user alone, so that a night that is run again draws the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.experiments.assignment import positions
from recmodels.exploration.permitted import NOBODY, Places
from recmodels.exploration.slot import Explored, explore
from recmodels.fallback import Lists
from recmodels.ranking.rerank import Rules
from tasks.exploration.learned import Shares
from tasks.exploration.proposals import ProposalFile
from tasks.exploration.proposers import Proposer, Ranked, rank
from tasks.exploration.settings import ExplorationSettings
from tasks.exploration.summary import ExploredCounts
from tasks.store.feedback import PROPOSALS
from tasks.store.files import TEMPORARY
from tasks.store.paths import Night

SPARE = 20  # items that a model ranks besides a list's, where the rules may refuse some


class Exploration:
    """The draws of a night. `ranked`: what the proposers rank highest, for the users `chosen` [n], ascending."""

    def __init__(
        self,
        settings: ExplorationSettings,
        seed: int,
        run_date: date,
        user_ids: pa.Array,
        ranked: Sequence[Ranked],
        chosen: Ints,
        file: ProposalFile,
        shares: Shares | None = None,
    ) -> None:
        self.settings, self.seed, self.run_date, self.user_ids = settings, seed, run_date, user_ids
        self.ranked, self.chosen, self.file, self.shares = ranked, chosen, file, shares
        self.users, self.drawn = 0, 0
        self.failed: dict[str, str] = {}  # who proposes nothing, and why
        self.proposals, self.others = dict.fromkeys(self.proposers, 0), dict.fromkeys(self.proposers, 0)

    @property
    def proposers(self) -> list[str]:
        """Who proposes."""
        return [one.proposer for one in self.ranked]

    def draw(self, lists: Lists, rules: Rules | None, among: Bools | None = None) -> tuple[Lists, Explored]:
        """Draw a place of the lists of some users, `among` [n] being those whose lists are explored at all.

        What is drawn carries the score of what it replaces, and no reason. The proposals are written down.
        """
        slot = None if self.settings.slot is None else min(self.settings.slot, lists.items.shape[1]) - 1
        places = Places(lists.items, lists.pinned, lists.users, rules, slot)
        at = np.searchsorted(self.chosen, lists.users)
        among_them: Ints = np.minimum(at, max(0, len(self.chosen) - 1)).astype(np.int32)
        places.open &= np.isin(lists.users, self.chosen)
        if among is not None:
            places.open &= among
        proposals = np.full((len(lists.users), len(self.ranked)), NOBODY, np.int32)
        if len(self.chosen):
            for column, one in enumerate(self.ranked):
                proposals[:, column] = places.best(one.rows(among_them))
        uniform = positions(self.user_ids.take(pa.array(lists.users)).to_pylist(), self._salt("draw"))
        epsilon = self.settings.epsilon
        shares = self.shares.of(lists.users, self.proposers) if self.shares and self.ranked else None
        explored = explore(lists.items, proposals, uniform, epsilon=epsilon, slot=slot, shares=shares)
        drawn = explored.items != lists.items
        self._note(lists, places, proposals, explored, drawn)
        new = replace(
            lists,
            items=explored.items.astype(np.int32),
            cold=lists.cold & ~drawn,
            reasons=np.where(drawn, NOBODY, lists.reasons),
        )
        return new, explored

    @property
    def counts(self) -> ExploredCounts:
        """What became of the draws so far."""
        return ExploredCounts(users=self.users, drawn=self.drawn, proposals=self.proposals, others=self.others)

    def _salt(self, purpose: str) -> str:
        return salt(self.seed, self.run_date, purpose)

    def _note(self, lists: Lists, places: Places, proposals: Ints, explored: Explored, drawn: Bools) -> None:
        self.file.write(lists.users, proposals, places.usual, explored)
        self.users += int((explored.slot != NOBODY).sum())
        self.drawn += int(drawn.any(axis=1).sum())
        for column, name in enumerate(self.proposers):
            there = proposals[:, column] != NOBODY
            self.proposals[name] += int(there.sum())
            self.others[name] += int((there & (proposals[:, column] != places.usual)).sum())


def salt(seed: int, run_date: date, purpose: str) -> str:
    """By which users are placed in [0, 1) on a night, for one of its draws."""
    return f"exploration {purpose} {seed} {run_date}"


@contextmanager
def exploring(
    night: Night,
    export_id: str,
    settings: ExplorationSettings,
    seed: int,
    proposers: Sequence[Proposer],
    data: Dataset,
    user_ids: pa.Array,
    item_ids: pa.Array,
    users: Ints,
    k: int,
    allowed: Bools,
    repeats: Repeats,
    rules: Rules | None,
    folder: Path,
    shares: Shares | None = None,
    seldom: Bools | None = None,
) -> Iterator[Exploration]:
    """The exploration of the lists of some users by some `proposers`, with what it needs on the disk.

    Args:
        night: the night's folders.
        export_id: of the export whose lists they are.
        settings: of exploration.
        seed: of the night's draws.
        proposers: who proposes.
        data: the users' interactions.
        user_ids: the site's own, by index.
        item_ids: likewise.
        users: whose lists may be explored.
        k: the length of the longest list.
        allowed: what may be listed: bool [n_items].
        repeats: whether items that a user has may be listed.
        rules: of the lists.
        folder: where the file of the proposals, `PROPOSALS`, is written.
        shares: how probable each proposer is; None: all alike.
        seldom: the only items that are proposed, if given: bool [n_items].
    """
    chosen = np.sort(users)
    own = user_ids.take(pa.array(chosen))
    there = own.is_valid().to_numpy(zero_copy_only=False)  # without an id: forgotten
    if settings.users < 1:
        there &= positions(own.to_pylist(), salt(seed, night.run_date, "users")) < settings.users
    chosen = chosen[there]
    with TemporaryDirectory(prefix=f"{TEMPORARY}ranked-", dir=folder) as ranks:
        m = k + 1 if rules is None else k + 1 + SPARE
        among = [allowed if seldom is None else allowed & seldom]
        if rules is not None and rules.new is not None and rules.new_share:  # the place may be kept for new items
            among.append(among[0] & rules.new)
        ranked, failed = rank(night, data, proposers, chosen, m, Path(ranks), among, repeats)
        names, of = [one.proposer for one in ranked], (export_id, settings.epsilon)
        with ProposalFile(folder / PROPOSALS, user_ids, item_ids, names, *of) as file:
            exploration = Exploration(settings, seed, night.run_date, user_ids, ranked, chosen, file, shares)
            exploration.failed = failed
            yield exploration
