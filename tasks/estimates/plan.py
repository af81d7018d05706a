"""The plan of a night: what each stage and model will take, which models do not fit, and what would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeAlias

from recmodels.data.layout import Split
from recmodels.messages import counted
from recmodels.registry import create
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.formulas import ModelCost
from tasks.estimates.routing import Limits, Route, route
from tasks.train.process import IN_TIME
from tasks.train.settings import WARM_NIGHTS, Candidate
from tasks.train.warm import goes_on

BEFORE = ("ingest", "validate", "prepare", "features train", "features full")
Job: TypeAlias = tuple[float, int]
"""Seconds and bytes."""

AFTER = ("export", "panel", "report")


@dataclass(frozen=True)
class Line:
    """A stage of a night: seconds, and bytes of memory at its peak, of what it leaves, and of what it spills.

    `seconds`: from nothing; None where nothing like it was measured. `following`: on a night that follows another, with
    a day's rows more; None where no such night was measured. `note`: what is to be said of it.
    """

    name: str
    seconds: float | None
    memory: int
    disk: int = 0
    spill: int = 0
    note: str = ""
    following: float | None = None


@dataclass(frozen=True)
class Plan:
    """A night, foretold: `seconds` from nothing, and `following` another; None where no such night was measured."""

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
    following: float | None = None

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
    warm_nights: int = WARM_NIGHTS,
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
        warm_nights: how many nights in a row trainings go on from the night before; 0: they start from nothing.
    """
    threads = max(1, cores // side_by_side)
    limits = Limits(counts.planned, threads)
    routes = {
        name: route(name, one, partial(estimator.model, name, counts), limits) for name, one in candidates.items()
    }
    before, after = (list(_stages(names, estimator, counts, cores)) for names in (BEFORE, AFTER))
    later = _Later(estimator.of_following, counts, warm_nights)
    trained = {name: _trained(name, one, threads, backtests, later) for name, one in routes.items()}
    runs = {name: line for name, line in trained.items() if routes[name].candidate is not None}
    reading = sorted(runs, key=lambda name: -(runs[name].seconds or 0))[:side_by_side]  # the others find the data read
    sharing = {name: replace(line, memory=routes[name].cost.sharing) for name, line in runs.items()}
    runs |= {name: line for name, line in sharing.items() if name not in reading}
    trained |= runs
    refits = {name: _refit(name, routes[name], cores, later) for name in runs}
    winner = likely if likely in refits else max(refits, key=lambda name: refits[name].seconds or 0, default=None)
    refit = [refits[winner]] if winner is not None else []
    measured = _measured(len(runs), estimator, counts, cores)
    compared = [measured, *_stages(("compare",), estimator, counts, cores)]
    lines = [*before, *trained.values(), *compared, *refit, *after]
    once = [*before, *compared, *refit, *after]
    jobs = [[(seconds or 0, line.memory) for seconds in (line.seconds, line.following)] for line in runs.values()]
    training, warm = (makespan([job[n] for job in jobs], side_by_side, counts.planned) for n in (0, 1))
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
        following=sum(line.following or 0 for line in once) + warm if later.estimator else None,
    )


@dataclass(frozen=True)
class _Later:
    """A night that follows another: what candidates take there, whose trainings go on from that one's as they may.

    `estimator`: None where no such night was measured.
    """

    estimator: Estimator | None
    counts: Counts
    warm_nights: int

    def cost(self, name: str, one: Route, split: Split) -> ModelCost | None:
        if self.estimator is None or one.candidate is None:
            return None
        model = create(one.candidate.recommender or name, one.candidate.parameters, note=False)
        cost = self.estimator.model(name, self.counts, model)
        if not cost.known:
            return one.cost
        if goes_on(model, split, self.warm_nights):
            return replace(cost, share=model.warm_share())
        return replace(cost, fit=one.cost.fit, known=one.cost.known)


def _stages(names: tuple[str, ...], estimator: Estimator, counts: Counts, cores: int) -> Iterator[Line]:
    later = estimator.of_following
    for name in names:
        if name not in estimator.speeds.stages:
            continue
        cost = estimator.stage(name, counts)
        note = "more than there is" if cost.memory > counts.planned else ""
        following = later.stage(name, counts).seconds(cores) if later else None
        yield Line(name, cost.seconds(cores), cost.memory, cost.disk, cost.spill, note, following)


def _measured(n: int, estimator: Estimator, counts: Counts, cores: int) -> Line:
    each, later = estimator.stage("evaluate", counts), estimator.of_following
    following = n * later.stage("evaluate", counts).seconds(cores) if later else None
    note = f"of {counted(n, 'model')}"
    return Line("evaluate", n * each.seconds(cores), each.memory, n * each.disk, note=note, following=following)


def _trained(name: str, one: Route, threads: int, backtests: int, later: _Later) -> Line:
    if one.candidate is None:
        return Line(f"train {name}", None, one.cost.memory, note="left out")
    if not one.cost.known:
        return Line(f"train {name}", None, one.cost.memory, one.cost.disk, note="never measured")
    minutes = IN_TIME * one.candidate.timeout_minutes / backtests
    capped = one.cost.rounds > 1 and one.cost.training(threads) > one.cost.training(threads, minutes)
    note = "leaner" if one.why else "ends by its minutes" if capped else ""
    each, warm = one.cost.candidate(threads, minutes), later.cost(name, one, "train")
    others = (backtests - 1) * each  # windows that start from nothing
    following = None if warm is None else warm.candidate(threads, minutes) + others
    return Line(f"train {name}", backtests * each, one.cost.memory, one.cost.disk, note=note, following=following)


def _refit(name: str, one: Route, cores: int, later: _Later) -> Line:
    assert one.candidate is not None
    minutes, warm = IN_TIME * one.candidate.timeout_minutes, later.cost(name, one, "full")
    seconds = one.cost.training(cores, minutes) if one.cost.known else None
    following = warm.training(cores, minutes) if warm and warm.known else None
    return Line(f"refit {name}", seconds, one.cost.memory, one.cost.disk, following=following)


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
