"""`nightrec arms`: what the lists of each arm did, and what an arm could show."""

from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import Day, json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import counted
from tasks.store.manifests import finished
from tasks.store.parts import parts
from tasks.store.paths import Night, Store

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.arms.plan import Plan
    from tasks.arms.results import Arms

PART = click.FloatRange(0, 1, min_open=True, max_open=True)
LOOKED_AT = 7  # nights, for the newest comparison
HOW = "docs/feedback.md says how to name arms under [arms.groups.NAME]."


@click.command()
@click.argument("what", type=click.Choice(["plan"]), required=False)
@of_a_store
@click.option("--date", "run_date", type=Day(), help="Of that night [the newest that compared them].")
@click.option("--share", type=PART, metavar="SHARE", help="plan: an arm of this share of the users, such as 0.05.")
@click.option("--effect", type=PART, metavar="SHARE", help="plan: the difference to be found, such as 0.03.")
@click.option("--days", type=click.IntRange(1, 365), help="plan: how long the arm is to run.")
@click.option("--power", type=PART, default=0.8, show_default=True, help="plan: how surely it is to be found.")
@json_option
@click.pass_context
def arms(
    context: click.Context,
    what: str | None,
    store: Path | None,
    run_date: date | None,
    share: float | None,
    effect: float | None,
    days: int | None,
    power: float,
    as_json: bool,
) -> None:
    """Show what the lists of each arm did, against those of main, in a sentence each and in figures.

    `nightrec arms plan` says which differences arms of which size would show and when, by what the site's users did in
    the last weeks: their outcome, how much users differ in it, and how much of that is known from the weeks before.
    """
    folder = Store(the_store(store))
    night = folder.night(run_date) if run_date else folder.last_nights()[-1]
    if what == "plan":
        show_plan(night if run_date else _with_tables(folder) or night, share, effect, days, power, as_json)
        return
    given = {"--share": share, "--effect": effect, "--days": days}
    if wrong := next((name for name, value in given.items() if value is not None), None):
        raise ConfigError(f"{wrong} is for a plan: write nightrec arms plan {wrong} {given[wrong]}.")
    show_arms(night if run_date else _compared(folder) or night, as_json)


def _compared(store: Store) -> Night | None:
    """The newest night that has compared its arms: tonight's may still be at work, or have failed."""
    from tasks.report.record import NightRecord

    for night in reversed(store.last_nights(LOOKED_AT)):
        with suppress(NightrecError):  # a damaged record
            if (record := NightRecord.of_night(night)) is not None and record.arms is not None:
                return night
    return None


def _with_tables(store: Store) -> Night | None:
    """The newest night whose tables are there: tonight's may still be at work, or have failed before it had any."""
    there = (night for night in reversed(store.last_nights(LOOKED_AT)) if finished(night.prepared))
    return next((night for night in there if parts(night.valid, "interactions")), None)


def show_arms(night: Night, as_json: bool) -> None:
    """The comparison of a night's arms."""
    from tasks.report.record import NightRecord

    record = NightRecord.of_night(night)
    found = record.arms if record else None
    if found is None:
        raise ConfigError(f"The night {night.run_date} has no arms that were compared: {HOW}")
    if as_json:
        echo_json({"run_date": str(night.run_date), **found.json_ready()})
        return
    from flows.cli.console import console

    for one in found.arms:
        echo(one.says)
    if any(one.metrics for one in found.arms):
        console.print(figures(console, found))
        echo(found.corrected)


def figures(console: "Console", found: "Arms") -> "Table":
    """All figures of the arms."""
    from rich.markup import escape

    from flows.cli.tables import Column, fitted
    from tasks.report.arms import HEADINGS, arms_rows

    keep = {"users": 0, "main's": 1, "arm's": 2}
    columns = [Column(name, keep.get(name), right=n > 1, folds=n == 1) for n, name in enumerate(HEADINGS)]
    rows = [[escape(cell) for cell in row] for row in arms_rows(found)]
    return fitted(console, "Arms against main", columns, rows, [None] * len(rows))


def show_plan(
    night: Night, share: float | None, effect: float | None, days: int | None, power: float, as_json: bool
) -> None:
    """What arms would show."""
    from flows.settings.site import load
    from tasks.arms.plan import SHARES, plan_of

    settings = load(None)
    arms, keep_days = max(1, len(settings.arms.groups)), settings.feedback.keep_days
    plan = plan_of(night, arms=arms, power=power, keep_days=keep_days, days=days)
    shares = (share,) if share else SHARES
    if as_json:
        echo_json(plan_json(plan, shares, effect))
        return
    from flows.cli.console import console

    for line in about_users(plan):
        echo(line)
    console.print(plan_table(console, plan, shares, effect))
    echo(how_sure(plan))


def plan_json(plan: "Plan", shares: tuple[float, ...], effect: float | None) -> dict[str, Any]:
    """A plan for scripts."""
    rows: list[dict[str, Any]] = []
    for share in shares:
        smallest = [{"days": one.days, "effect": plan.smallest(one, share)} for one in plan.past]
        row: dict[str, Any] = {"share": share, "smallest": smallest}
        if effect is not None:
            row |= {"days": plan.days(effect, share), "users": plan.users(effect, share, plan.past[-1])}
        rows.append(row)
    about = {"outcome": plan.outcome, "power": plan.power, "arms": plan.arms, "effect": effect}
    return {**about, "past": [asdict(one) for one in plan.past], "shares": rows}


def about_users(plan: "Plan") -> list[str]:
    """What the plan is made of."""
    last = plan.past[-1]
    spread = f"{last.deviation / last.variance_left**0.5:.3g}" if last.variance_left else "0"
    return [
        f"{counted(last.users, 'user')} had {last.mean:.3g} {plan.outcome} a week each in the last {last.days:.0f} "
        f"days, with a standard deviation of {spread}; what they did in the weeks before explains "
        f"{1 - last.variance_left:.0%} of the differences between them (CUPED)."
    ]


def plan_table(console: "Console", plan: "Plan", shares: tuple[float, ...], effect: float | None) -> "Table":
    """The smallest difference that each share shows by each time, and when it shows the wanted one."""
    from flows.cli.tables import Column, fitted

    columns = [Column("share of users"), Column("users", 0, right=True)]
    columns += [Column(f"{one.days:.0f} days", n + 1, right=True) for n, one in enumerate(plan.past)]
    columns += [Column(f"{100 * effect:.3g}% after")] if effect else []
    rows = []
    for share in shares:
        row = [f"{100 * share:.3g}%", f"{share * plan.past[-1].users:,.0f}"]
        row += [f"{size:.1%}" if (size := plan.smallest(one, share)) < 1 else "over 100%" for one in plan.past]
        if effect:
            needed = plan.days(effect, share)
            users = plan.users(effect, share, plan.past[-1])
            row.append(f"{needed:.0f} days" if needed else f"not within a year; {users:,} users would do")
        rows.append(row)
    title = "The smallest difference from main that is found"
    return fitted(console, title, columns, rows, [None] * len(rows))


def how_sure(plan: "Plan") -> str:
    """What is promised of the differences in the table."""
    each = "" if plan.arms == 1 else f", in any of {plan.arms} arms"
    return (
        f"Found with a probability of {plan.power:.0%}, looking every night, and with one of 5% that a difference is "
        f"ever seen where there is none{each}."
    )
