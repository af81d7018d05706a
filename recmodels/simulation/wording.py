"""What a comparison of policies comes to, in sentences that a person can act upon."""

from collections.abc import Sequence
from itertools import combinations
from math import floor, log10

from recmodels.messages import counted
from recmodels.simulation.comparison import LATER, TONIGHT, Comparison, Foresight, Standing
from recmodels.simulation.effects import Effect
from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.offpolicy import Valued

ALIVE = "alive_items"
PAIRS = 3  # that are named
MUCH = 1.0  # more, as a share, which is read more easily as a multiple
NAMES = {TONIGHT: "accuracy", LATER: "utility", ALIVE: "items alive"}
LABELS = {
    ("better", "better"): "better tonight and in the long run",
    ("better", "alike"): "better tonight, no different in the long run",
    ("better", "worse"): "better tonight, worse in the long run",
    ("alike", "better"): "no different tonight, better in the long run",
    ("alike", "alike"): "no different, as far as this can show",
    ("alike", "worse"): "no different tonight, worse in the long run",
    ("worse", "better"): "worse tonight, better in the long run",
    ("worse", "alike"): "worse tonight, no different in the long run",
    ("worse", "worse"): "worse tonight and in the long run",
}


def label(standing: Standing) -> str:
    """Where a policy stands, in a few words."""
    return LABELS[standing.words]


def sentence(standing: Standing, comparison: Comparison) -> str:
    """One about a policy: what it does tonight, and after all nights, beside the reference."""
    if standing.policy == comparison.reference:
        return _levels(standing, comparison)
    tonight = _clause(standing.tonight.get(TONIGHT), TONIGHT, comparison)
    later = _clause(standing.later.get(LATER), LATER, comparison)
    alive = standing.later.get(ALIVE)
    said = f"Tonight {tonight}; after {comparison.nights} nights {later}"
    return f"{said}, and {_clause(alive, ALIVE, comparison)}." if alive else f"{said}."


def headline(comparison: Comparison) -> str:
    """What a person is to take from all of it: which policy that a site can have is of most use in the long run."""
    known = [one for one in comparison.standings if one.able and LATER in one.later and TONIGHT in one.tonight]
    if not known:
        return ""
    after = f"After {comparison.nights} nights"
    useful = [one for one in known if one.words[1] == "better"]
    if not useful:
        return f"{after} no policy is of more use than {comparison.reference}, as far as this can show."
    best = max(useful, key=lambda one: one.later[LATER].difference.value)
    most = max(known, key=lambda one: one.later[LATER].difference.value)
    what = "most use" if best is most else f"more use than {comparison.reference}"
    said = f"{after} {best.policy} is of {what}: {_clause(best.later[LATER], LATER, comparison)}."
    accurate = max(known, key=lambda one: one.tonight[TONIGHT].difference.value)
    ahead, its = accurate.tonight[TONIGHT].difference, best.tonight[TONIGHT].difference
    if ahead.value <= 0:
        return f"{said} The most accurate tonight is {comparison.reference}."
    if its.high is not None and its.high >= ahead.value:
        return f"{said} None is surely more accurate tonight."
    return f"{said} The most accurate tonight is {accurate.policy}."


def foresight(found: Foresight) -> str:
    """Whether tonight's accuracy tells which policy is of the most use in the long run."""
    told = found.pairs - found.wrong
    said = f"Tonight's accuracy puts {told} of {found.pairs} pairs of policies into the order that utility has later"
    if found.correlation is not None:
        said += f" (rank correlation {found.correlation:.2f} of {found.policies} policies)"
    if not found.surely:
        return f"{said}. No pair is surely the other way around."
    named = [f"{one} is more accurate tonight, and {other} of more use later" for one, other in found.surely[:PAIRS]]
    more = [f"and so with {len(found.surely) - PAIRS} more pairs"] if len(found.surely) > PAIRS else []
    return f"{said}. It misleads where it is no chance: {'; '.join([*named, *more])}."


def offpolicy(found: Sequence[Valued]) -> str:
    """How far the values that a log gives are to be believed; empty without any."""
    told = [one for one in found if one.holds is not None]
    if not told:
        return ""
    held = sum(bool(one.holds) for one in told)
    both = [(one, other) for one, other in combinations(found, 2) if one.policy == other.policy]
    pairs = [(one, other) for one, other in both if one.true != other.true]
    right = sum((one.value - other.value) * (one.true - other.true) > 0 for one, other in pairs)
    said = f"Intervals from the logs hold the true value for {held} of {counted(len(told), 'proposer')}"
    if not pairs:
        return f"{said}."
    return f"{said}, and the logs put {right} of {counted(len(pairs), 'pair')} of them into the true order."


def change(one: Effect) -> str:
    """By how much a policy differs, as people read it: as a share of the other, or where that makes no sense, as is."""
    return amount(one.difference.value, one.figure) if one.relative is None else share(one.relative.value)


def between(one: Effect) -> str:
    """The interval of that; empty where there is none."""
    interval = one.relative or one.difference
    if interval.low is None or interval.high is None:
        return ""
    if one.relative is None:
        return f"{amount(interval.low, one.figure)} to {amount(interval.high, one.figure)}"
    if interval.value >= MUCH:
        return f"{1 + interval.low:.1f} to {1 + interval.high:.1f} times"
    return f"{_percent(interval.low)} to {_percent(interval.high)}"


def share(value: float) -> str:
    """A change as a share; what is much more, as how many times."""
    return f"{1 + value:.1f} times" if value >= MUCH else _percent(value)


def number(value: float, name: str) -> str:
    """The level of a figure as people read it."""
    if BY_NAME[name].unit == "share":
        return f"{value:.1%}" if abs(value) < 1 else f"{value:.0%}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def amount(value: float, name: str) -> str:
    """By how much a figure differs: with a sign, and two digits that count; shares in hundredths."""
    if BY_NAME[name].unit == "share":
        return f"{100 * value:+.1f} points"
    digits = min(6, max(0, 1 - floor(log10(abs(value))))) if value else 0
    return f"{value:+.{digits}f}"


def _clause(one: Effect | None, name: str, comparison: Comparison) -> str:
    words = NAMES[name]
    if one is None:
        return f"its {words} is not known"
    interval = between(one)
    if one.over != "nothing" and not one.certain:
        these = "these runs" if comparison.runs > 1 else "this run"
        return f"no difference in {words} that {these} can show" + (f" ({interval})" if interval else "")
    said = change(one)
    if name == ALIVE:
        many = f"{said} as many" if said.endswith("times") else f"{said.lstrip('+-')} {_more(one)}"
        said = f"{many} {words}" if one.difference.value else f"as many {words}"
    else:
        said = f"{said} the {words}" if said.endswith("times") else f"{said} {words}"
    return f"{said} ({interval})" if interval else said


def _percent(value: float) -> str:
    """With a sign, and the digits that count."""
    return f"{value:+.{0 if abs(value) >= 0.095 or value == 0 else 1}%}"


def _levels(standing: Standing, comparison: Comparison) -> str:
    """What the others are compared with, as it is."""
    others = (one.tonight[TONIGHT].reference for one in comparison.standings if TONIGHT in one.tonight)
    tonight, levels = next(others, None), standing.levels
    parts = [f"{number(levels[name], name)} {NAMES[name]}" for name in (LATER, ALIVE) if name in levels]
    said = [f"tonight {number(tonight, TONIGHT)} {NAMES[TONIGHT]}"] if tonight is not None else []
    said += [f"after {comparison.nights} nights {' and '.join(parts)}"] if parts else []
    return f"The others are compared with it: {'; '.join(said) or 'it has no figures'}."


def _more(one: Effect) -> str:
    return "more" if one.difference.value > 0 else "fewer"
