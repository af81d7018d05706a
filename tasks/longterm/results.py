"""What was foretold, as people read it: the types, and a sentence for each arm."""

from __future__ import annotations

from pydantic import Field

from recmodels.messages import counted
from recmodels.offpolicy.trust import Trust
from tasks.evaluate.summary import Stored
from tasks.longterm.outcome import Outcome, Unit


class SignalFound(Stored):
    """How well an early signal foretells the outcome of a user.

    `gain`: the share it explains, by itself, of the variance that what was known before leaves. `correlation`: with
    the outcome, among users of whom the same was known before.
    """

    signal: str
    label: str
    gain: float
    correlation: float


class Tested(Stored):
    """The slope of true effects of arms against those that had been foretold; its ends are None where it has none."""

    arms: list[str]
    slope: float | None
    low: float | None
    high: float | None
    near: bool
    """Whether it is 1 ± 0.2, and its interval has 1 in it and not 0."""


class ArmForetold(Stored):
    """What an arm will have done, or has done, against `main`."""

    arm: str
    policy: str
    since: str | None = None
    days: float = 0.0
    users: int = 0
    users_of_main: int = 0
    base: float | None = None
    """The outcome of a user of `main`, foretold, or as it was if `true` is known."""
    predicted: float | None = None
    """By how much that of a user of the arm is above it, foretold after the first days."""
    low: float | None = None
    high: float | None = None
    error: float | None = None
    error_of_index: float | None = None
    """The part of the error that is of the fitting of the index."""
    true: float | None = None
    """What it came to; None as long as that is not known."""
    true_low: float | None = None
    true_high: float | None = None
    scaled: tuple[float, float, float] | None = None
    """What is foretold times the slope of effects that are known, with its ends, where they came otherwise."""
    outside: float = 0.0
    """The share of its users with a signal that hardly anybody had before."""
    through: dict[str, float] = Field(default={})
    """The part of what is foretold that comes by way of each signal."""
    trust: Trust = Trust.REFUSE
    reasons: list[str] = Field(default=[])
    says: str = ""


class LongTerm(Stored):
    """What early signals foretell at a site, and what they say of its arms."""

    run_date: str
    outcome: str
    label: str
    unit: Unit
    window: int
    """The days of the early signals."""
    users: int
    """Of the history that the index is fitted on."""
    weeks: int
    """In which it was known what they had done before, and in which what came of it is known."""
    mean: float
    """Their mean outcome."""
    explained: float
    """The share of its variance that the index explains, of users it has not seen."""
    explained_before: float
    """The same without any early signal."""
    signals: list[SignalFound] = Field(default=[])
    foretold_mean: float | None = None
    """The mean outcome of the last weeks whose outcome is known, as the weeks before foretold it."""
    true_mean: float | None = None
    """What it was."""
    tested: Tested | None = None
    arms: list[ArmForetold] = Field(default=[])
    notes: list[str] = Field(default=[])

    @property
    def gain(self) -> float:
        """The share that early signals explain of the variance that what was known before leaves."""
        return (self.explained - self.explained_before) / (1 - self.explained_before)

    @property
    def about(self) -> list[str]:
        """What it is made of, in sentences."""
        mean = f"{self.mean:.1%} {self.label}" if self.unit == "share" else f"{self.mean:.3g} {self.label} each"
        said = [
            f"Of {counted(self.users, 'user')} of {counted(self.weeks, 'past week')}, {mean}. The first "
            f"{counted(self.window, 'day')} explain {max(self.gain, 0):.0%} of the differences that the four weeks "
            "before leave."
        ]
        if self.foretold_mean is not None and self.true_mean is not None:
            foretold, came = (amount(one, self.unit) for one in (self.foretold_mean, self.true_mean))
            said.append(f"Of the last of these weeks, {foretold} was foretold by the weeks before, and {came} came.")
        return [*said, test_in_words(self.tested), *self.notes]


def test_in_words(found: Tested | None) -> str:
    """Whether effects of arms came as they were foretold."""
    if found is None:
        return "No effect of an arm is known yet by which the early signals could be tested."
    names = ", ".join(found.arms)
    if found.slope is None or found.low is None or found.high is None:
        return f"The effects of {names} are too small to test the early signals by them."
    verdict = "came as they were foretold" if found.near else "did not come as they were foretold"
    return (
        f"The effects of {names} {verdict}: true against foretold has a slope of {found.slope:.2f} "
        f"({found.low:.2f} to {found.high:.2f})."
    )


def sentence(found: ArmForetold, outcome: Outcome, window: int) -> str:
    """What there is to know of an arm, in a sentence or two."""
    if found.predicted is None or found.low is None or found.high is None:
        return f"{found.arm}: refused, as {'; '.join(found.reasons)}."
    unit = outcome.unit
    change, ends = _change(found.predicted, unit, found.base), _ends(found.low, found.high, unit, found.base)
    label = f"{outcome.label(window)} against main"
    if found.true is not None and found.true_low is not None and found.true_high is not None:
        came, its_ends = _change(found.true, unit, found.base), _ends(found.true_low, found.true_high, unit, found.base)
        after = f"after {counted(window, 'day')} {change} had been foretold ({ends})"
        return f"{found.arm}: {came} {label} came of it ({its_ends}); {after}."
    if found.trust is Trust.REFUSE:
        return f"{found.arm}: refused, as {'; '.join(found.reasons)}."
    certain = found.low > 0 or found.high < 0
    text = f"{found.arm}: {change} {label} is foretold ({ends}{'' if certain else ', so perhaps nothing'})"
    if found.trust is Trust.DOUBT:
        text += f". Doubt it: {'; '.join(found.reasons)}"
        if found.scaled is not None:
            value, low, high = found.scaled
            text += f". If it goes on as those did, {_change(value, unit, found.base)} will come of it "
            text += f"({_ends(low, high, unit, found.base)})"
        return f"{text}."
    return f"{text}. To be trusted: effects that are known by now came as they were foretold."


def amount(value: float, unit: Unit) -> str:
    """An outcome, in as many digits as are worth reading."""
    return f"{value:.1%}" if unit == "share" else f"{value:.3g}"


def _change(value: float, unit: Unit, base: float | None) -> str:
    if unit == "share":
        return f"{100 * value:+.1f} points"
    return f"{value / base:+.1%}" if base else f"{value:+.3g}"


def _ends(low: float, high: float, unit: Unit, base: float | None) -> str:
    if unit == "share":
        return f"{100 * low:+.1f} to {100 * high:+.1f}"
    return f"{low / base:+.1%} to {high / base:+.1%}" if base else f"{low:+.3g} to {high:+.3g}"


HEADINGS = ("arm", "foretold", "interval", "came", "verdict", "users", "why")
SIGNAL_HEADINGS = ("early signal", "name", "explains", "who has more of it")


def rows(found: LongTerm) -> list[tuple[str, ...]]:
    """A row an arm, under `HEADINGS`; what is refused has no value."""
    made: list[tuple[str, ...]] = []
    for one in found.arms:
        values = ("", "", "")
        known = one.true is not None
        if one.predicted is not None and (known or one.trust is not Trust.REFUSE):
            ends = _ends(one.low or 0.0, one.high or 0.0, found.unit, one.base)
            came = _change(one.true, found.unit, one.base) if one.true is not None else ""
            values = (_change(one.predicted, found.unit, one.base), ends, came)
        verdict = "known" if known else one.trust.value
        made.append((one.arm, *values, verdict, f"{one.users:,}", "" if known else "; ".join(one.reasons)))
    return made


def signal_rows(found: LongTerm) -> list[tuple[str, ...]]:
    """A row an early signal, under `SIGNAL_HEADINGS`; the best first."""
    does = {True: "does more later", False: "does less later"}
    return [
        (one.label, one.signal, f"{max(one.gain, 0):.1%}", does[one.correlation > 0] if one.gain > 0 else "")
        for one in sorted(found.signals, key=lambda one: -one.gain)
    ]
