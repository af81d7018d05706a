"""Candidates trained by the workers of their pools, as runs of the deployment `train-model-<pool>`."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from time import monotonic, sleep
from typing import cast
from uuid import UUID

import httpx
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run as this_run

from deployments.names import deployment
from flows.execution.flow_runs import alive_workers, end_runs, read_runs, reason_of, write_off
from flows.execution.results import Futures, Results, partition_results
from flows.execution.run_states import PHASES, Next, Phase, Sight
from flows.execution.run_states import step as next_step
from flows.settings.schedule import WorkerSettings
from flows.train_model import done_already, run_job
from recmodels.errors import NightrecError
from tasks.report.artifacts import Progress
from tasks.store.events import log_event
from tasks.store.lease import age
from tasks.store.manifests import Manifest
from tasks.train.jobs import TrainingJob
from tasks.train.settings import CPU_POOL, GPU_POOL

COUNT_SECONDS = 10.0  # between two counts of a pool's live workers
OUTAGE = (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError)  # what calls to a server that is away raise
GRACE = 600.0  # seconds that runs on workers have beyond their time limits

local_run = Task(run_job, name="train-here", task_run_name="{job.label}-here", cache_policy=NO_CACHE)
"""A job run by the night's own process, because no worker is there to do it."""


@dataclass
class WorkerRun:
    """A job that was sent to the workers of a pool. Times are seconds of the monotonic clock.

    Attributes:
        phase, since: what it is about, and since when.
        unattended: its pool had no live worker when it was last looked at.
        tries: starts of it, this one included.
    """

    job: TrainingJob
    pool: str
    id: UUID
    sent_at: float
    phase: Phase = Phase.WAITING
    since: float = 0.0
    unattended: bool = False
    tries: int = 1

    def __post_init__(self) -> None:
        self.since = self.since or self.sent_at

    def enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase, self.since = phase, monotonic()


class WorkPoolExecutor:
    """Trains candidates on workers.

    Runs are sent without waiting and polled every few seconds: Prefect's own waiting neither notices a pool without
    workers nor ends with the night. What is done about a run in each of its states is in `flows.execution.run_states`.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.names: list[str] = []  # of the jobs that were started last, in their order
        self.runs: dict[str, WorkerRun] = {}  # those that have not ended
        self.local: Futures = {}
        self.results = Results()
        self.worker_counts: dict[str, tuple[float, int]] = {}  # by pool: when, and how many were alive
        self.pool_types: dict[str, str] = {}

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        self.names, self.local, self.results = [job.name for job in jobs], {}, Results()
        if not (left := [job for job in jobs if not self.is_done(job)]):
            return
        with get_client(sync_client=True) as client:
            for job in left:
                in_pool = sum(other.candidate.workplace == job.candidate.workplace for other in left)
                workers = max(1, self.live_workers(client, job.candidate.workplace))
                shared = min(job.concurrency, ceil(in_pool / workers))
                self.send(client, job.model_copy(update={"concurrency": shared}), job.candidate.workplace)

    def wait(self) -> Results:
        progress = Progress(len(self.names))
        progress.more(len(self.results.measured))
        self.poll(progress)
        found = self.results | partition_results(self.local)
        return Results({name: found.measured[name] for name in self.names if name in found.measured}, found.failed)

    def refit(self, job: TrainingJob) -> Manifest:
        self.start([job])
        self.poll()
        found = self.results | partition_results(self.local)
        if found.failed:
            raise NightrecError(f"{job.name} could not be fitted again: {found.failed[job.name]}")
        return found.measured[job.name]

    def cancel(self) -> None:
        """Cancel the runs that go on. A night that is being stopped has no time to wait for that; its hook does."""
        if self.runs:
            with suppress(*OUTAGE), get_client(sync_client=True) as client:
                end_runs(client, [run.id for run in self.runs.values()], patience=5)

    def poll(self, progress: Progress | None = None) -> None:
        """Follow the runs until all have ended."""
        silent_since: float | None = None
        left = len(self.runs)
        while self.runs:
            try:
                with get_client(sync_client=True) as client:  # for all looks: opening one costs more than a look
                    while self.runs:
                        self.look(client)
                        silent_since = None
                        if progress:
                            progress.more(left - len(self.runs))
                            left = len(self.runs)
                        sleep(self.settings.poll_seconds if self.runs else 0)
            except OUTAGE as error:
                silent_since = silent_since or monotonic()
                self.check_outage(silent_since, error)
                sleep(self.settings.poll_seconds)

    def look(self, client: SyncPrefectClient) -> None:
        """Look at all runs that go on, once."""
        seen = read_runs(client, [run.id for run in self.runs.values()])
        for run in list(self.runs.values()):
            self.follow(client, run, seen.get(run.id))

    def check_outage(self, silent_since: float, error: Exception) -> None:
        """Raise NightrecError when Prefect's server has been silent for too long."""
        if monotonic() - silent_since > self.settings.outage_minutes * 60:
            raise NightrecError(
                f"Prefect's server has not answered for {self.settings.outage_minutes:g} minutes: {error}. "
                "Start it and run the night again; it goes on where it was."
            ) from error

    # One job: done already, or sent, followed, and what becomes of it

    def is_done(self, job: TrainingJob) -> bool:
        """Take the result of a job that an earlier run of the night has done: no worker is asked for it."""
        result = None
        with suppress(OSError):  # what cannot be read is for the job to say
            result = done_already(job)
        if result is None:
            return False
        self.results.measured[job.name] = result
        log_event(job.label.replace("-", " ", 1), "skipped", result["summary"].get("message", ""))
        return True

    def send(self, client: SyncPrefectClient, job: TrainingJob, pool: str, tries: int = 1) -> None:
        """Ask the workers of a pool to run a job."""
        try:
            sent = run_deployment(
                deployment("train-model", pool),
                parameters={"job": job.model_dump(mode="json")},
                timeout=0,
                flow_run_name=f"{job.label}-{job.run_date}",
                # A night that is retried under its own id asks anew.
                idempotency_key=f"{this_run.id}:{this_run.run_count}:{job.label}:{pool}:{job.attempt}.{tries}",
                tags=["nightrec", job.split, job.name],
            )
        except ObjectNotFound:
            job.alive.unlink(missing_ok=True)
            self.run_elsewhere(client, job, pool, f"there is no deployment train-model-{pool}")
            return
        job.alive.unlink(missing_ok=True)  # of an earlier try
        self.runs[job.name] = WorkerRun(job, pool, cast(FlowRun, sent).id, monotonic(), tries=tries)

    def follow(self, client: SyncPrefectClient, run: WorkerRun, seen: FlowRun | None) -> None:
        """Do what the state of a run asks for."""
        sight = self.sight(client, run, seen)
        step = next_step(sight, self.settings)
        run.unattended = step.next is Next.WAIT_UNATTENDED
        match step.next:
            case Next.WAIT_UNATTENDED if not sight.unattended and self.settings.without_worker == "wait":
                log_event(f"train {run.job.name}", "note", f"waits for a worker of the pool {run.pool}")
            case Next.COLLECT:
                self.collect(run)
            case Next.AGAIN:
                self.end(client, run, step.why)
                self.start_again(client, run, step.why)
            case Next.ELSEWHERE:
                del self.runs[run.job.name]
                self.end(client, run, step.why)
                self.run_elsewhere(client, run.job, run.pool, step.why)
            case Next.LEAVE_OUT:
                self.end(client, run, step.why)
                self.leave_out(run.job.name, step.why)

    def sight(self, client: SyncPrefectClient, run: WorkerRun, seen: FlowRun | None) -> Sight:
        """A run as this look finds it."""
        state = seen.state if seen else None
        run.enter(PHASES[state.type] if state else Phase.ENDED)
        waits = run.phase in (Phase.WAITING, Phase.BEGINNING)
        lasting, silent = monotonic() - run.since, age(run.job.alive)
        return Sight(
            phase=run.phase,
            pool=run.pool,
            lasting=lasting,
            silent=lasting if silent is None else min(lasting, silent),
            limit=self.time_limit(run.pool),
            workers=self.live_workers(client, run.pool) if waits else 1,
            unattended=run.unattended,
            in_containers=run.phase is Phase.BEGINNING and self.in_containers(client, run.pool),
            tries=run.tries,
            reason=reason_of(state) if state else "its run was deleted",
        )

    def end(self, client: SyncPrefectClient, run: WorkerRun, why: str) -> None:
        """See that a run that is given up does not go on, nor show as going on for ever."""
        lost, silent = self.settings.lost_seconds, age(run.job.alive)
        dead = silent is None or silent > lost
        match run.phase:
            case Phase.WAITING | Phase.PAUSED:
                end_runs(client, [run.id])
            case Phase.ENDING:  # nobody has answered: on paper
                end_runs(client, [run.id], patience=0)
            case Phase.BEGINNING:
                write_off(client, run.id, why)
            case Phase.WORKING if dead:
                write_off(client, run.id, f"its worker has not shown a sign of life for {lost:g} s")
            case Phase.WORKING:
                end_runs(client, [run.id])
            case _:
                pass  # it has ended

    def start_again(self, client: SyncPrefectClient, run: WorkerRun, why: str) -> None:
        log_event(run.job.label.replace("-", " ", 1), "note", f"starts again: {why}")
        del self.runs[run.job.name]
        self.send(client, run.job, run.pool, run.tries + 1)

    def run_elsewhere(self, client: SyncPrefectClient, job: TrainingJob, pool: str, why: str) -> None:
        """Do with a job that no worker takes what the site has configured."""
        if self.settings.without_worker == "skip":
            self.leave_out(job.name, f"{why}; start one with `nightrec worker {pool}`")
            return
        first = pool == job.candidate.workplace
        others = [other for other in (CPU_POOL, GPU_POOL) if other != pool]
        other_pool = next((other for other in others if self.live_workers(client, other)), None) if first else None
        job = job.model_copy(update={"candidate": job.candidate.model_copy(update={"device": "auto"})})
        if other_pool is not None:
            log_event(f"train {job.name}", "note", f"{why}: it goes to the pool {other_pool}")
            self.send(client, job, other_pool)
        else:
            log_event(f"train {job.name}", "note", f"{why}: the night's own process trains it")
            self.local[job.name] = local_run.submit(job)

    def collect(self, run: WorkerRun) -> None:
        """Take what a run that completed has left in the store."""
        name, result = run.job.name, run.job.result()
        del self.runs[name]
        if result is None:
            self.leave_out(name, f"its run left nothing in {run.job.store}: is that its worker's store, too?")
            return
        self.results.measured[name] = result
        text = f"in the pool {run.pool}: {result['summary'].get('message', '')}"
        log_event(run.job.label.replace("-", " ", 1), "done", text, monotonic() - run.sent_at)

    def leave_out(self, name: str, why: str) -> None:
        """The night goes on without this candidate."""
        self.runs.pop(name, None)
        self.results.failed[name] = why
        log_event(f"train {name}", "failed", why)

    def live_workers(self, client: SyncPrefectClient, pool: str) -> int:
        """Live workers of a pool, counted again every few seconds."""
        when, count = self.worker_counts.get(pool, (None, 0))
        if when is None or monotonic() - when > COUNT_SECONDS:
            count = alive_workers(client, pool)
            self.worker_counts[pool] = (monotonic(), count)
        return count

    def in_containers(self, client: SyncPrefectClient, pool: str) -> bool:
        """Whether the runs of a pool are containers, which take longer to begin."""
        if pool not in self.pool_types:
            self.pool_types[pool] = client.read_work_pool(pool).type
        return self.pool_types[pool] != "process"

    def time_limit(self, pool: str) -> float:
        """Seconds after which a run cannot still be at work: at worst, a pool's candidates came one after another."""
        limits = [run.job.candidate.timeout_minutes for run in self.runs.values() if run.pool == pool]
        return sum(limits) * 60 + GRACE
