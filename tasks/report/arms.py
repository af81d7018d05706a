"""What the arms came to, as the report, the artifacts and `nightrec arms` show it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NotRequired

from typing_extensions import TypedDict

from tasks.arms.results import ArmResult, Arms, Measured
from tasks.store.files import Json
from tasks.store.paths import Night
from tasks.store.records import read

NIGHTS = timedelta(days=90)


class _WithArms(TypedDict):
    """What is read of the records of past nights."""

    arms: NotRequired[Json]


def arms_figures(night: Night, found: Arms | None) -> Json:
    """The arms of a night and how their outcomes went over the nights; nothing where it has none."""
    if found is None:
        return {}
    return {**found.json_ready(), "past": {one.arm: _past(night, one) for one in found.arms if one.outcome}}


def _past(night: Night, arm: ArmResult) -> list[Json]:
    """The difference of an arm from `main` night after night since it began, as shares, this night last."""
    lines = []
    for other in night.store.nights(night.run_date - NIGHTS):
        if other.run_date >= night.run_date:
            break
        record = read(other.summary, _WithArms) or {}
        lines += [
            _line(other.run_date, one)
            for one in Arms.of(record.get("arms") or {}).arms
            if (one.arm, one.since) == (arm.arm, arm.since)
        ]
    return [line for line in [*lines, _line(night.run_date, arm)] if line]


def _line(day: date, arm: ArmResult) -> Json:
    if arm.outcome is None or arm.outcome.relative is None:
        return {}
    value, low, high = arm.outcome.relative
    return {"run_date": str(day), "value": value, "low": low, "high": high}


HEADINGS = ("arm", "figure", "arm's", "main's", "difference", "interval", "users")


def arms_rows(found: Arms) -> list[Sequence[str]]:
    """A row a figure of an arm, under `HEADINGS`; the outcome first."""
    rows: list[Sequence[str]] = []
    for arm in found.arms:
        rows += [(arm.arm, one.label, *figures_in_words(one), f"{one.users:,}") for one in arm.metrics]
        if arm.median_return != (None, None):
            ours, theirs = (_days(days) for days in arm.median_return)
            rows.append((arm.arm, "half are back within", ours, theirs, "", "", f"{arm.users:,}"))
    return rows


def figures_in_words(found: Measured) -> tuple[str, str, str, str]:
    """A figure of an arm and of `main`, their difference and its interval."""
    if found.unit == "share":
        value, low, high = (100 * one for one in (found.difference, found.low, found.high))
        return f"{found.arm:.1%}", f"{found.main:.1%}", f"{value:+.1f} points", f"{low:+.1f} to {high:+.1f}"
    if found.unit == "bits" or found.relative is None:
        ends = f"{found.low:+.3f} to {found.high:+.3f}"
        return f"{found.arm:.3f}", f"{found.main:.3f}", f"{found.difference:+.3f}", ends
    value, low, high = found.relative
    return f"{found.arm:.3g}", f"{found.main:.3g}", f"{value:+.1%}", f"{low:+.1%} to {high:+.1%}"


def _days(days: float | None) -> str:
    return "not yet" if days is None else "1 day" if days == 1 else f"{days:g} days"
