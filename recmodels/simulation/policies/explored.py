"""Exploration of one place of each list among what other policies propose, with exact propensities.

As in a nightly run: every proposer says what it would put into the place, one of the proposals is drawn for a share of
the users, and how probable each is may be learned from what came of the earlier ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.errors import ConfigError
from recmodels.exploration.bandit import LinearBandit
from recmodels.exploration.permitted import Places
from recmodels.exploration.slot import Explored as Draw
from recmodels.exploration.slot import explore
from recmodels.ranking.rerank import Rules
from recmodels.simulation.behavior import NOTHING, Day
from recmodels.simulation.checkpoint import prefixed, within
from recmodels.simulation.known import Known
from recmodels.simulation.policies.base import Drawn, Lists, Policy
from recmodels.simulation.policies.reranking import Reranking

WEEKS = 28  # nights that a bandit learns from, as a nightly run's does
SPARE = 20  # items that a proposer lists besides, where the rules may refuse some
NOISE = 0.5  # of a reward, as long as none is known


@dataclass(frozen=True, eq=False)
class _Shown:
    """What the bandit needs of a night until its day is over."""

    drawn: Drawn
    propensity: Doubles  # of what is in the place, [n_users]
    segment: Ints  # [n_users]


class Explored(Policy):
    """A policy of whose lists one place is drawn, for some of the users, from what proposers rank highest.

    Each proposer has its say for every user, so that the propensity of whatever is shown is exact, and off-policy
    evaluation can value all of them. With `choose` other than `uniform`, a contextual bandit learns each night which
    proposals please which group of users.
    """

    def __init__(
        self,
        policy: Policy,
        proposers: Sequence[Policy],
        epsilon: float = 0.1,
        *,
        slot: int | None = None,
        choose: Literal["uniform", "thompson", "linucb"] = "uniform",
        name: str | None = None,
    ) -> None:
        """Explore the lists of a policy.

        Args:
            policy: what makes the lists; it proposes too, if it is among the proposers.
            proposers: what propose items; each learns when the policy does.
            epsilon: the share of the users whose place is drawn.
            slot: the place, from 1; the last one by default.
            choose: by what: all proposers alike, or as a bandit finds them to please each group of users.
            name: `explored_` and the policy's by default.

        Raises:
            ConfigError: epsilon is not within 0 and 1, or there is no proposer, or two of one name.
        """
        if not 0 <= epsilon <= 1:
            raise ConfigError(f"epsilon is {epsilon}; give a number from 0 to 1.")
        if not proposers or len({one.name for one in proposers}) < len(proposers):
            raise ConfigError("proposers: give at least one policy, each with a name of its own.")
        if slot is not None and slot < 1:
            raise ConfigError(f"slot is {slot}; places count from 1.")
        self.name = name or f"explored_{policy.name}"
        self.policy, self.proposers = policy, list(proposers)
        self.epsilon, self.slot, self.choose = epsilon, slot, choose
        self.pulls: Doubles = np.zeros((0, 0, len(proposers), 3))  # night, segment, proposer: n, reward, its square
        self._shown: _Shown | None = None

    @property
    def about(self) -> str:
        """What it is, in a line."""
        proposed = ", ".join(one.about for one in self.proposers)
        return f"{self.policy.about}, explored by {self.epsilon} at {self.slot} {self.choose} from {proposed}"

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        for policy, own in zip(self._policies(), rng.spawn(len(self._policies())), strict=True):
            policy.learn(night, known, own)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        streams = rng.spawn(1 + len(self.proposers))
        usual = self.policy.lists(night, known, k, streams[0]).items
        users, rows = known.users, usual[known.users]
        slot = None if self.slot is None else min(self.slot, k) - 1
        rules = self._rules(known)
        places = Places(rows, np.zeros(rows.shape, np.bool_), users, rules, slot)
        longer = [  # the place may be any but those that the list has, and those that its rules refuse
            one.lists(night, known, k + 1 + (SPARE if rules else 0), own).items[users]
            for one, own in zip(self.proposers, streams[1:], strict=True)
        ]
        proposals = np.stack([places.best(ranked) for ranked in longer], axis=1)
        draw = explore(
            rows, proposals, rng.random(len(known.here))[users],
            epsilon=self.epsilon, slot=slot, shares=self._shares(night, known)[known.group[users]],
        )  # fmt: skip
        return self._noted(known, draw, places, proposals)

    def _noted(self, known: Known, draw: Draw, places: Places, proposals: Ints) -> Lists:
        """The lists of all users, of those who are here."""
        users, n = known.users, len(known.here)

        def spread(values: np.ndarray, empty: float) -> np.ndarray:
            whole = np.full((n, *values.shape[1:]), empty, values.dtype)
            whole[users] = values
            return whole

        drawn = Drawn(
            slot=spread(draw.slot.astype(np.int32), NOTHING),
            usual=spread(places.usual, NOTHING),
            explored=spread(draw.explored, False),
            names=tuple(one.name for one in self.proposers),
            proposals=spread(proposals, NOTHING),
            shares=spread(draw.shares, 0),
        )
        propensity = spread(draw.propensity, 1)
        at = propensity[np.arange(n), np.maximum(drawn.slot, 0)].astype(np.float64)
        self._shown = _Shown(drawn, at, known.group)
        return Lists(spread(draw.items.astype(np.int32), NOTHING), propensity, drawn)

    def happened(self, night: int, lists: Lists, day: Day) -> None:
        """Count what came of the proposals, as far as each was the one that was drawn."""
        if self.choose == "uniform" or self._shown is None:
            return
        drawn, segments = self._shown.drawn, int(self._shown.segment.max(initial=0)) + 1
        seen = drawn.slot[day.seen_user] == day.seen_rank - 1
        users, clicked = day.seen_user[seen], day.clicked[seen].astype(np.float64)
        proposed = drawn.proposals[users] == day.seen_item[seen][:, None]
        chance = self.epsilon * drawn.shares[users] / self._shown.propensity[users][:, None]
        weight = np.minimum(chance, 1) * proposed  # [n, n_proposers]
        pulls = np.zeros((1, segments, len(self.proposers), 3))
        for power in range(3):
            np.add.at(pulls[0, :, :, power], self._shown.segment[users], weight * clicked[:, None] ** power)
        earlier = self.pulls if self.pulls.shape[1] == segments else np.zeros((0, *pulls.shape[1:]))
        self.pulls = np.concatenate([earlier, pulls])[-WEEKS:]
        self._shown = None

    def _shares(self, night: int, known: Known) -> Doubles:
        """How probable each proposer is in each segment: [n_segments, n_proposers]."""
        segments, m = int(known.group.max(initial=0)) + 1, len(self.proposers)
        if self.choose == "uniform":
            return np.ones((segments, m))
        n, reward, square = (
            np.moveaxis(self.pulls.sum(axis=0), -1, 0) if len(self.pulls) else np.zeros((3, segments, m))
        )
        deviation = np.sqrt(max(square.sum() / n.sum() - (reward.sum() / n.sum()) ** 2, 0)) if n.sum() else NOISE
        bandit = LinearBandit(m, segments, self.choose, noise=float(deviation) or NOISE)
        segment, arm = (place.ravel() for place in np.indices(n.shape))
        contexts = np.eye(segments)
        bandit.learn(contexts[segment], arm, (reward / np.maximum(n, 1e-12)).ravel(), n.ravel())
        return bandit.probabilities(contexts, night)

    def _rules(self, known: Known) -> Rules | None:
        """Those of the lists that are explored, which hold for what is drawn, too."""
        rules = getattr(self.policy, "rules", None)
        return rules.rules(known) if isinstance(rules, Reranking) else None

    def _policies(self) -> list[Policy]:
        """All that learn, each once."""
        return [self.policy, *(one for one in self.proposers if one is not self.policy)]

    def state(self) -> dict[str, np.ndarray]:
        parts = {"pulls": self.pulls}
        for number, policy in enumerate(self._policies()):
            parts |= prefixed(str(number), policy.state())
        return parts

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.pulls = state["pulls"]
        for number, policy in enumerate(self._policies()):
            policy.restore(within(str(number), state))
