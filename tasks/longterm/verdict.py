"""Whether what is foretold of an arm deserves trust, and why not."""

from __future__ import annotations

from math import ceil

from recmodels.messages import counted
from recmodels.offpolicy.trust import Trust
from tasks.longterm.daily import Daily
from tasks.longterm.question import Question
from tasks.longterm.results import ArmForetold, LongTerm

FEWEST = 100  # users of an arm, and of main, below which there is no telling
FAR, TOO_FAR = 0.1, 0.3  # of the arm's users with signals that hardly anybody had before
DRIFT = 0.1  # of the mean outcome, by which the site may have changed

Reason = tuple[Trust, str]


def judged(one: ArmForetold, found: LongTerm, question: Question, daily: Daily, of_main: int) -> ArmForetold:
    """An arm with the verdict on it."""
    reasons = _of_the_arm(one, question, daily)
    if not reasons:
        reasons = [*_of_the_signals(one, found), *_of_the_test(found), *_of_the_lists(of_main)]
    worst = max((trust for trust, _ in reasons), key=list(Trust).index, default=Trust.TRUST)
    return one.model_copy(update={"trust": worst, "reasons": [reason for trust, reason in reasons if trust is worst]})


def _of_the_arm(one: ArmForetold, question: Question, daily: Daily) -> list[Reason]:
    """Why there is nothing to say of an arm."""
    if one.since is None:
        return [(Trust.REFUSE, "its lists are yet to be published")]
    if one.days < question.window:
        left = counted(ceil(question.window - one.days), "more day")
        return [(Trust.REFUSE, f"its first {question.window} days take {left}; --window asks for fewer")]
    if not question.reaches(daily, -int(one.days)):
        return [(Trust.REFUSE, "the log does not reach back to the four weeks before it, or its early signals")]
    if one.predicted is None and one.days >= question.takes:
        return [(Trust.REFUSE, "when it began, the log was too short to foretell by, or too few users had come")]
    if min(one.users, one.users_of_main) < FEWEST:
        who = f"{counted(one.users, 'user')} of it and {one.users_of_main:,} of main"
        return [(Trust.REFUSE, f"only {who} came in the four weeks before it began")]
    return []


def _of_the_signals(one: ArmForetold, found: LongTerm) -> list[Reason]:
    reasons = []
    if found.gain <= 0:
        reasons.append((Trust.REFUSE, "early signals tell nothing that the four weeks before do not"))
    if one.outside > FAR:
        trust = Trust.REFUSE if one.outside > TOO_FAR else Trust.DOUBT
        reasons.append((trust, f"{one.outside:.0%} of its users did early what hardly anybody had done before"))
    if found.foretold_mean is not None and found.true_mean:
        off = found.foretold_mean / found.true_mean - 1
        if abs(off) > DRIFT:
            reasons.append(
                (Trust.DOUBT, f"of all users, {abs(off):.0%} too {'much' if off > 0 else 'little'} was foretold")
            )
    return reasons


def _of_the_test(found: LongTerm) -> list[Reason]:
    test = found.tested
    if test is None:
        why = "no effect is known yet that shows whether what tells users apart also tells what arms do"
        return [(Trust.DOUBT, why)]
    names = ", ".join(test.arms)
    if test.slope is None or test.low is None or test.high is None:
        return [(Trust.DOUBT, f"the effects that are known ({names}) are too small to test it by")]
    slope = f"a slope of {test.slope:.2f}, {test.low:.2f} to {test.high:.2f}"
    if test.high < 0:
        return [(Trust.REFUSE, f"what came of {names} was the opposite of what had been foretold ({slope})")]
    if not test.near:
        return [(Trust.DOUBT, f"what came of {names} was not as foretold ({slope})")]
    return []


def _of_the_lists(of_main: int) -> list[Reason]:
    if not of_main:
        return []
    return [(Trust.DOUBT, f"in {counted(of_main, 'night')} its users had the lists of main")]
