"""What becomes of a run that a night has sent to workers: in every state it has an owner and a deadline.

| phase | Prefect's states | owner | deadline | what is done then |
|---|---|---|---|---|
| waiting | Scheduled, Late, AwaitingRetry, … | the workers of its pool | `start_minutes` | left out |
| beginning | Pending, Submitting, InfrastructurePending | the worker that took it up | `begin_minutes` | again |
| working | Running, Retrying | its process | `lost_seconds` without a sign of life; the time limits | left out |
| paused | Paused, Suspended | whoever paused it | `start_minutes` | left out |
| ending | Cancelling | its worker | `lost_seconds` | left out |
| completed | Completed | | | its result is collected |
| crashed | Crashed | | | again |
| ended | Failed, TimedOut, Cancelled, and runs that were deleted | | | left out |

*Again* is once more, and then the candidate is left out. While a run waits or begins in a pool without a live worker,
the deadline is the second look (`without_worker`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from prefect.client.schemas.objects import StateType

from flows.settings.schedule import WorkerSettings

MAX_TRIES = 2  # starts of a run that ends, or never begins, without a result
CONTAINERS = 5  # times as long may a run take to begin that is a container, whose image may have to be fetched


class Phase(StrEnum):
    """What a run is about, in the eyes of the night."""

    WAITING = "waiting"
    BEGINNING = "beginning"
    WORKING = "working"
    PAUSED = "paused"
    ENDING = "ending"
    COMPLETED = "completed"
    CRASHED = "crashed"
    ENDED = "ended"


PHASES = {
    StateType.SCHEDULED: Phase.WAITING,
    StateType.PENDING: Phase.BEGINNING,
    StateType.RUNNING: Phase.WORKING,
    StateType.PAUSED: Phase.PAUSED,
    StateType.CANCELLING: Phase.ENDING,
    StateType.COMPLETED: Phase.COMPLETED,
    StateType.CRASHED: Phase.CRASHED,
    StateType.FAILED: Phase.ENDED,
    StateType.CANCELLED: Phase.ENDED,
}


class Next(StrEnum):
    """What is done about a run."""

    WAIT = "wait"
    WAIT_UNATTENDED = "wait unattended"  # its pool has no live worker, which may last for a moment only
    ELSEWHERE = "elsewhere"
    AGAIN = "again"
    COLLECT = "collect"
    LEAVE_OUT = "leave out"


@dataclass(frozen=True)
class Sight:
    """A run as a look finds it. Times are seconds.

    Attributes:
        phase: what it is about.
        pool: the work pool that it was sent to.
        lasting: for how long it has been in that phase.
        silent: for how long its process has shown no sign of life.
        limit: how long its work may last at all.
        workers: live workers of its pool.
        unattended: there were none at the last look either.
        in_containers: whether the runs of its pool are containers.
        tries: starts of it, this one included.
        reason: of its state, in its own words.
    """

    phase: Phase
    pool: str
    lasting: float = 0.0
    silent: float = 0.0
    limit: float = float("inf")
    workers: int = 1
    unattended: bool = False
    in_containers: bool = False
    tries: int = 1
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """What is done about a run, and why."""

    next: Next
    why: str = ""


def step(sight: Sight, settings: WorkerSettings) -> Step:
    """What is done about a run after a look at it."""
    return STEPS[sight.phase](sight, settings)


def _waiting(sight: Sight, settings: WorkerSettings) -> Step:
    if sight.lasting > settings.start_minutes * 60:
        return Step(
            Next.LEAVE_OUT, f"no worker of the pool {sight.pool} took it up in {settings.start_minutes:g} minutes"
        )
    return _attended(sight, settings)


def _beginning(sight: Sight, settings: WorkerSettings) -> Step:
    minutes = settings.begin_minutes * (CONTAINERS if sight.in_containers else 1)
    if sight.lasting > minutes * 60:
        why = f"the worker of the pool {sight.pool} that took it up did not begin it in {minutes:g} minutes"
        return _again(sight, why)
    return _attended(sight, settings)


def _attended(sight: Sight, settings: WorkerSettings) -> Step:
    if sight.workers:
        return Step(Next.WAIT)
    if settings.without_worker == "wait" or not sight.unattended:  # one that is started again is missed for a moment
        return Step(Next.WAIT_UNATTENDED)
    return Step(Next.ELSEWHERE, f"the pool {sight.pool} has no live worker")


def _working(sight: Sight, settings: WorkerSettings) -> Step:
    if sight.silent > settings.lost_seconds:
        return Step(Next.LEAVE_OUT, f"its worker in the pool {sight.pool} died")
    if sight.lasting > sight.limit:
        return Step(Next.LEAVE_OUT, "it was still going on long after its time limit")
    return Step(Next.WAIT)


def _paused(sight: Sight, settings: WorkerSettings) -> Step:
    if sight.lasting > settings.start_minutes * 60:
        return Step(Next.LEAVE_OUT, f"it was paused, and not resumed in {settings.start_minutes:g} minutes")
    return Step(Next.WAIT)


def _ending(sight: Sight, settings: WorkerSettings) -> Step:
    if sight.lasting > settings.lost_seconds:
        return Step(Next.LEAVE_OUT, f"it was cancelled, and its worker did not end it in {settings.lost_seconds:g} s")
    return Step(Next.WAIT)


def _again(sight: Sight, why: str) -> Step:
    return Step(Next.AGAIN if sight.tries < MAX_TRIES else Next.LEAVE_OUT, why)


STEPS: dict[Phase, Callable[[Sight, WorkerSettings], Step]] = {
    Phase.WAITING: _waiting,
    Phase.BEGINNING: _beginning,
    Phase.WORKING: _working,
    Phase.PAUSED: _paused,
    Phase.ENDING: _ending,
    Phase.COMPLETED: lambda sight, _: Step(Next.COLLECT),
    Phase.CRASHED: lambda sight, _: _again(sight, sight.reason),  # stopped with its worker, or cut off from the server
    Phase.ENDED: lambda sight, _: Step(Next.LEAVE_OUT, sight.reason),
}
