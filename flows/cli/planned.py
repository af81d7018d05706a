"""What `nightrec plan` plans, and how it is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.cli.tables import Column, fitted
from flows.settings.site import NightConfig
from recmodels.compute.memory import at_most, total
from recmodels.errors import ConfigError
from tasks.compare.champion import field, last_export
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.footers import rows_of
from tasks.estimates.measured import last_counts
from tasks.estimates.plan import Plan, plan
from tasks.estimates.speeds import Speeds
from tasks.ingest.reading.inputs import TableInput
from tasks.store.machine import core_count
from tasks.store.paths import Store
from tasks.store.room import size_text

Given = Mapping[str, int | str]
"""Counts or paths, by table."""

TABLES = ("interactions", "users", "items")


def planned(settings: NightConfig, given: Given, cores: int | None, memory: int | None) -> Plan:
    """The plan of a site's next night.

    Args:
        settings: of the site.
        given: what is known of its size, `pairs` included.
        cores, memory: of the machine; None for those of this one.

    Raises:
        ConfigError: nothing says how large the site is.
    """
    with at_most(settings.memory):
        bytes_planned = memory or total()
    cores = cores or core_count()
    store = Store(settings.store.absolute())
    tomorrow = settings.today() + timedelta(days=1)
    estimator = Estimator.of_store(store, core_count(), probed=True)
    counts, source = _counts(settings, given, store, estimator.speeds)
    candidates, _, _ = field(settings.enabled_models(), store, tomorrow)
    side_by_side = settings.training.concurrency(len(candidates), cores, counts.pairs)
    published = last_export(store, tomorrow)
    made = plan(
        replace(counts, planned=bytes_planned),
        candidates,
        estimator,
        cores,
        side_by_side,
        settings.evaluation.backtests,
        likely=published["champion"] if published else None,
        warm_nights=settings.training.warm_nights,
    )
    return replace(made, sentences=[source, *made.sentences])


def _counts(settings: NightConfig, given: Given, store: Store, speeds: Speeds) -> tuple[Counts, str]:
    """How large the site is, and a sentence that says how that is known."""
    found = last_counts(store)
    if found is not None and not all(name in given for name in TABLES):
        night, last = found
        sizes = {name: _size(name, given[name]) if name in given else getattr(last, name) for name in TABLES}
        share, listed = last.pairs / max(last.interactions, 1), last.measured / max(last.users, 1)
        source = f"Counts are those of the night {night.run_date}{', but for what is given' if given else ''}."
    else:
        sizes, source = _first(settings, given)
        share, listed = speeds.pairs, speeds.measured
    pairs = given.get("pairs")
    if not isinstance(pairs, int):
        pairs = round(share * sizes["interactions"])
        if found is None:
            source += f" Of the interactions {share:.0%} are taken to be of different pairs of user and item (--pairs)."
    measured = min(settings.prepare.holdout_max_users, round(listed * sizes["users"]))
    return Counts(**sizes, pairs=min(pairs, sizes["interactions"]), measured=measured, planned=0), source


def _first(settings: NightConfig, given: Given) -> tuple[dict[str, int], str]:
    """The counts of a site that has had no night: those given, those of its files, or those of the demo site."""
    tables = settings.inputs.tables() if settings.inputs else {}
    if not tables and not any(name in given for name in TABLES):
        demo = settings.demo
        sizes = {"interactions": demo.interactions, "users": demo.users, "items": demo.items}
        return (
            sizes,
            "Counts are those of the demo site: no inputs are configured (--interactions, --users, --items).",
        )
    sizes = {}
    for name in TABLES:
        if name in given:
            sizes[name] = _size(name, given[name])
        elif name in tables:
            sizes[name] = rows_of(name, tables[name])
        else:
            raise ConfigError(f"Nothing says how many {name} there are: add --{name} COUNT.")
    read = [name for name in TABLES if not isinstance(given.get(name), int)]
    return sizes, f"Counts are {f'the rows of the files of {_and(read)}' if read else 'those given'}."


def _size(name: str, given: int | str) -> int:
    return given if isinstance(given, int) else rows_of(name, TableInput(path=given))


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + [names[-1]])


def table(console: Console, made: Plan) -> Table:
    """What each stage takes."""
    columns = [
        Column("stage"), Column("time", right=True),
        *([Column("night after", right=True)] if made.following is not None else []),
        Column("memory", right=True), Column("disk", keep=1, right=True), Column("", keep=0, folds=True),
    ]  # fmt: skip
    rows, styles = [], []
    for line in made.lines:
        note = f"spills {size_text(line.spill)} on the way" if line.spill else line.note
        times = [line.seconds, line.following] if made.following is not None else [line.seconds]
        texts = ["" if time is None else time_text(time) for time in times]
        rows.append(
            [escape(line.name), *texts, memory_text(line.memory), size_text(line.disk) if line.disk else "", note]
        )
        styles.append({"left out": "red", "leaner": "yellow"}.get(line.note))
    counts = made.counts
    title = f"{counts.interactions:,} interactions, {counts.users:,} users, {counts.items:,} items"
    return fitted(console, title, columns, rows, styles)


def sentences(made: Plan) -> list[str]:
    """The night as a whole, and what else is to be known."""
    cores = f"{made.cores} core{'s' * (made.cores != 1)}"
    beside = f", {made.side_by_side} trainings side by side" if made.side_by_side > 1 else ""
    spill = f", {size_text(made.spill)} more on the way" if made.spill else ""
    whole = f"{time_text(made.seconds)}, {memory_text(made.memory)} of memory at a time, {size_text(made.disk)} of disk"
    planned_with = f"{memory_text(made.counts.planned)} to plan with"
    following = [] if made.following is None else [f"The night after, a day's rows more: {time_text(made.following)}."]
    return [
        f"The night: about {whole}{spill}; on {cores} with {planned_with}{beside}.",
        *following,
        *made.sentences,
    ]


def time_text(seconds: float) -> str:
    """A time as people say it, in two digits."""
    for unit, one in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * one:
            return f"{seconds / one:.1f} {unit}" if seconds < 10 * one else f"{seconds / one:,.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"


def memory_text(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
