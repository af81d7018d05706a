"""The plan of a night: what each stage and model will take, which models do not fit, and what would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeAlias

from recmodels.messages import counted
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.formulas import Cost
from tasks.estimates.routing import Limits, Route, route
from tasks.train.process import IN_TIME
from tasks.train.settings import Candidate

BEFORE = ("ingest", "validate", "prepare", "features train", "features full")
Job: TypeAlias = tuple[float, int]
"""Seconds and bytes."""

AFTER = ("export", "panel", "report")


@dataclass(frozen=True)
class Line:
    """A stage of a night: seconds, and bytes of memory at its peak, of what it leaves, and of what it spills.

    `seconds`: None where nothing like it was measured. `note`: what is to be said of it.
    """

    name: str
    seconds: float | None
    memory: int
    disk: int = 0
    spill: int = 0
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """A night, foretold."""

    counts: Counts
    cores: int
    side_by_side: int
    lines: list[Line]
    seconds: float
    memory: int
    disk: int
    spill: int
    left_out: dict[str, str]
    sentences: list[str]

    def json_ready(self) -> dict[str, Any]:
        return asdict(self)


def plan(
    counts: Counts,
    candidates: Mapping[str, Candidate],
    estimator: Estimator,
    cores: int,
    side_by_side: int,
    backtests: int = 1,
    likely: str | None = None,
) -> Plan:
    """What a night over a site of such counts takes.

    Args:
        counts: how large the site is.
        candidates: those that compete.
        estimator: how fast this machine is.
        cores: of the machine.
        side_by_side: candidates that are trained at a time.
        backtests: how many holdouts each is measured on.
        likely: the candidate that is expected to win; without it the slowest is taken to.
    """
    threads = max(1, cores // side_by_side)
    limits = Limits(counts.planned, threads)
    routes = {
        name: route(name, one, partial(estimator.model, name, counts), limits) for name, one in candidates.items()
    }
    before, after = (list(_stages(names, estimator, counts, cores)) for names in (BEFORE, AFTER))
    trained = {name: _trained(name, one, threads, backtests) for name, one in routes.items()}
    runs = {name: line for name, line in trained.items() if routes[name].candidate is not None}
    refits = {name: _refit(name, routes[name], cores) for name in runs}
    winner = likely if likely in refits else max(refits, key=lambda name: refits[name].seconds or 0, default=None)
    refit = [refits[winner]] if winner is not None else []
    measured = _measured(len(runs), estimator.stage("evaluate", counts), cores)
    compared = [measured, *_stages(("compare",), estimator, counts, cores)]
    lines = [*before, *trained.values(), *compared, *refit, *after]
    training = makespan([(line.seconds or 0, line.memory) for line in runs.values()], side_by_side, counts.planned)
    once = [*before, *compared, *refit, *after]
    together = sum(sorted((line.memory for line in runs.values()), reverse=True)[:side_by_side])
    beside = max(line.memory for line in compared)  # the night's own process holds about as much then
    return Plan(
        counts=counts,
        cores=cores,
        side_by_side=side_by_side,
        lines=lines,
        seconds=sum(line.seconds or 0 for line in once) + training,
        memory=max(min(together, counts.planned) + beside, *(line.memory for line in once)),
        disk=sum(line.disk for line in lines),
        spill=max(line.spill for line in lines),
        left_out={name: one.why or "" for name, one in routes.items() if one.candidate is None},
        sentences=list(_sentences(counts, routes, estimator, winner, likely)),
    )


def _stages(names: tuple[str, ...], estimator: Estimator, counts: Counts, cores: int) -> Iterator[Line]:
    for name in names:
        if name not in estimator.speeds.stages:
            continue
        cost = estimator.stage(name, counts)
        short = cost.memory > counts.planned
        yield Line(name, cost.seconds(cores), cost.memory, cost.disk, cost.spill, "more than there is" if short else "")


def _measured(n: int, each: Cost, cores: int) -> Line:
    return Line("evaluate", n * each.seconds(cores), each.memory, n * each.disk, note=f"of {counted(n, 'model')}")


def _trained(name: str, one: Route, threads: int, backtests: int) -> Line:
    if one.candidate is None:
        return Line(f"train {name}", None, one.cost.memory, note="left out")
    if not one.cost.known:
        return Line(f"train {name}", None, one.cost.memory, one.cost.disk, note="never measured")
    minutes = IN_TIME * one.candidate.timeout_minutes / backtests
    capped = one.cost.rounds > 1 and one.cost.training(threads) > one.cost.training(threads, minutes)
    note = "leaner" if one.why else "ends by its minutes" if capped else ""
    seconds = backtests * one.cost.candidate(threads, minutes)
    return Line(f"train {name}", seconds, one.cost.memory, one.cost.disk, note=note)


def _refit(name: str, one: Route, cores: int) -> Line:
    assert one.candidate is not None
    seconds = one.cost.training(cores, IN_TIME * one.candidate.timeout_minutes) if one.cost.known else None
    return Line(f"refit {name}", seconds, one.cost.memory, one.cost.disk)


def makespan(jobs: Sequence[Job], at_a_time: int, memory: int) -> float:
    """How long jobs take of which so many share the memory at a time, the longest first.

    One that does not fit beside the others waits until it does, and those after it wait behind it.
    """
    running: list[tuple[float, int]] = []  # ends, and bytes
    now = 0.0
    for seconds, wanted in sorted(jobs, reverse=True):
        size = min(wanted, memory)
        while len(running) >= max(1, at_a_time) or sum(held for _, held in running) + size > memory:
            now, _ = heappop(running)
        heappush(running, (now + seconds, size))
    return max((end for end, _ in running), default=now)


def _sentences(
    counts: Counts, routes: Mapping[str, Route], estimator: Estimator, winner: str | None, likely: str | None
) -> Iterator[str]:
    yield from (f"{name} {one.why}." for name, one in routes.items() if one.why)
    if winner is not None and winner != likely:
        yield f"The winner is not known: it is taken to be {winner}, which takes longest to fit again."
    if counts.interactions > 2 * estimator.speeds.largest:
        yield (
            f"No night of more than {estimator.speeds.largest:,} interactions was measured: beyond that the figures "
            "are carried on, and less certain."
        )
    yield estimator.by
