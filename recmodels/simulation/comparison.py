"""Policies side by side: tonight's accuracy against what users have of it in the long run, with a sentence each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import isfinite
from typing import Any, Literal

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.errors import ConfigError
from recmodels.simulation.effects import Effect, effect
from recmodels.simulation.figures import FIGURES
from recmodels.simulation.offpolicy import Valued, valued
from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.runs import Run
from recmodels.simulation.trajectories import Trajectory, trajectories

TONIGHT, LATER = "accuracy", "total_utility"
"""The figure that a site can have tonight, and the one that it wants in the long run."""
FRONTIER = (LATER, "individual_diversity", "alive_items")
"""What is traded against accuracy."""
FEW = 3  # policies below which an order says nothing
Word = Literal["better", "worse", "alike"]


@dataclass(frozen=True)
class Point:
    """A policy in a trade-off: its accuracy on the first nights, and another figure on the last ones.

    Attributes:
        first: whether no other policy that a site can have is better in one and no worse in the other.
    """

    policy: str
    tonight: float
    later: float
    first: bool


@dataclass(frozen=True)
class Standing:
    """A policy beside the one that it is compared with.

    Attributes:
        policy: its name.
        says: what it is.
        able: whether a site can have it; an oracle it cannot.
        tonight: the effects on figures on the first nights; empty for the reference itself.
        later: those on the last ones.
        levels: each figure on the last nights, where it has one.
        seconds: CPU seconds a night, on average.
        trajectories: each figure over the nights.
    """

    policy: str
    says: str
    able: bool
    tonight: dict[str, Effect]
    later: dict[str, Effect]
    levels: dict[str, float]
    seconds: float | None
    trajectories: list[Trajectory]

    @property
    def words(self) -> tuple[Word, Word]:
        """Whether it is better tonight, and in the long run."""
        return _word(self.tonight.get(TONIGHT)), _word(self.later.get(LATER))


@dataclass(frozen=True)
class Foresight:
    """How well the accuracy of the first nights foretells the utility of the last ones, over the policies.

    Attributes:
        policies: that are ranked; those that no site can have are left out.
        correlation: Spearman's, of the two orders, None where one of them has no order.
        pairs: of policies.
        wrong: those that accuracy puts into the other order than utility does.
        surely: those of them for which neither can be chance: the better tonight, and the worse.
    """

    policies: int
    correlation: float | None
    pairs: int
    wrong: int
    surely: list[tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """What a simulation says.

    Attributes:
        nights: how many there were.
        runs: of each policy.
        first, last: how many nights count as tonight, and as the long run.
        reference: the policy that the others are compared with.
        standings: the policies, the reference first.
        frontiers: by figure, its trade-off with accuracy.
        foresight: None for fewer than three policies.
        offpolicy: what the logs of policies that explore say of their proposers, beside what is true.
    """

    nights: int
    runs: int
    first: int
    last: int
    reference: str
    standings: list[Standing]
    frontiers: dict[str, list[Point]]
    foresight: Foresight | None
    offpolicy: list[Valued]

    def json(self) -> dict[str, Any]:
        """The same in terms of JSON; what is not known is null."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def windows(nights: int) -> tuple[slice, slice]:
    """The nights that count as tonight, and as the long run: a week and two of a hundred nights."""
    first, last = max(1, min(7, nights // 14)), max(1, min(14, nights // 7))
    return slice(0, first), slice(nights - last, nights)


def compare(
    runs: Mapping[str, list[Run]],
    reference: str,
    *,
    says: Mapping[str, str] | None = None,
    unattainable: Collection[str] = (),
    warm_up: int = 0,
    seed: int = 0,
) -> Comparison:
    """Compare policies under the same seeds: the runs of each are in the same order of seeds.

    Args:
        runs: of each policy.
        reference: the policy that the others are compared with.
        says: what each policy is.
        unattainable: policies that no site can have, such as an oracle.
        warm_up: nights at the beginning on which another policy made the lists; they do not count as tonight.
        seed: of the intervals.

    Raises:
        ConfigError: the reference is no policy, or runs differ in their number or in their nights.
    """
    if reference not in runs:
        raise ConfigError(f"There is no policy {reference} to compare the others with; name one of: {', '.join(runs)}.")
    if len({(len(of), *(run.nights for run in of)) for of in runs.values()}) > 1:
        raise ConfigError("The policies have not gone through the same nights; let the simulation end first.")
    nights = runs[reference][0].nights
    first, last = windows(nights - warm_up)
    first, last = (slice(part.start + warm_up, part.stop + warm_up) for part in (first, last))
    redrawn = Redrawn(runs[reference][0].users if len(runs[reference]) == 1 else 0, seed)
    ordered = [reference, *(name for name in runs if name != reference)]
    standings = [
        Standing(
            name,
            (says or {}).get(name, name),
            name not in unattainable,
            {} if name == reference else _effects(runs[name], runs[reference], first, redrawn),
            {} if name == reference else _effects(runs[name], runs[reference], last, redrawn),
            _levels(runs[name], last),
            _levels(runs[name], slice(None)).get("cpu_seconds"),
            trajectories(runs[name], redrawn),
        )
        for name in ordered
    ]
    able = [one.policy for one in standings if one.able]
    return Comparison(
        nights=nights,
        runs=len(runs[reference]),
        first=first.stop - first.start,
        last=last.stop - last.start,
        reference=reference,
        standings=standings,
        frontiers={name: points for name in FRONTIER if (points := _frontier(runs, able, name, first, last))},
        foresight=_foresight(runs, able, first, last, redrawn) if len(able) >= FEW else None,
        offpolicy=[one for name in ordered for one in valued(name, _all_nights(runs[name]))],
    )


def _all_nights(runs: list[Run]) -> dict[str, Doubles]:
    """The figures of all runs, one after the other."""
    names = set.intersection(*(set(run.figures) for run in runs))
    return {name: np.concatenate([run.figures[name] for run in runs]) for name in sorted(names)}


def _effects(runs: list[Run], reference: list[Run], nights: slice, redrawn: Redrawn) -> dict[str, Effect]:
    found = {one.name: effect(one.name, runs, reference, nights, redrawn) for one in FIGURES}
    return {name: one for name, one in found.items() if one is not None}


def _levels(runs: list[Run], nights: slice) -> dict[str, float]:
    found = {one.name: _level(runs, one.name, nights) for one in FIGURES}
    return {name: value for name, value in found.items() if isfinite(value)}


def _level(runs: list[Run], name: str, nights: slice) -> float:
    """The mean over runs, NaN where one of them has none."""
    return float(np.mean([run.level(name, nights) for run in runs]))


def _frontier(
    runs: Mapping[str, list[Run]], able: Collection[str], name: str, first: slice, last: slice
) -> list[Point]:
    at = {one: (_level(of, TONIGHT, first), _level(of, name, last)) for one, of in runs.items()}
    at = {one: (x, y) for one, (x, y) in at.items() if isfinite(x) and isfinite(y)}

    def beaten(one: str) -> bool:
        x, y = at[one]
        return any(a >= x and b >= y and (a, b) != (x, y) for other, (a, b) in at.items() if other in able)

    return [Point(one, x, y, one in able and not beaten(one)) for one, (x, y) in at.items()]


def _foresight(
    runs: Mapping[str, list[Run]], able: Collection[str], first: slice, last: slice, redrawn: Redrawn
) -> Foresight | None:
    at = {name: (_level(runs[name], TONIGHT, first), _level(runs[name], LATER, last)) for name in able}
    at = {name: (x, y) for name, (x, y) in at.items() if isfinite(x) and isfinite(y)}
    if len(at) < FEW:
        return None
    tonight, later = zip(*at.values(), strict=True)
    ordered = len(set(tonight)) > 1 and len(set(later)) > 1
    wrong = [
        (one, other) if at[one][0] > at[other][0] else (other, one)
        for one, other in combinations(at, 2)
        if (at[one][0] - at[other][0]) * (at[one][1] - at[other][1]) < 0
    ]
    return Foresight(
        len(at),
        float(np.corrcoef(_ranks(tonight), _ranks(later))[0, 1]) if ordered else None,
        len(at) * (len(at) - 1) // 2,
        len(wrong),
        [pair for pair in wrong if _misled(runs[pair[0]], runs[pair[1]], first, last, redrawn)],
    )


def _ranks(values: Sequence[float]) -> Doubles:
    """Those that are the same share the mean of their ranks."""
    _, same, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[same])


def _misled(better: list[Run], worse: list[Run], first: slice, last: slice, redrawn: Redrawn) -> bool:
    """Whether it is no chance that the first is the more accurate tonight, and of less use in the end."""
    both = effect(TONIGHT, better, worse, first, redrawn), effect(LATER, better, worse, last, redrawn)
    return all(one is not None and one.certain for one in both)


def _word(one: Effect | None) -> Word:
    return "alike" if one is None or one.good is None else "better" if one.good else "worse"


def finite(value: Any) -> Any:
    """The same without numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
