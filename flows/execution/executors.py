"""Where the candidates of a night are trained: in processes beside it, or by the workers of their pools.

Both places take the same orders and are used in the same way: ``start``, then ``settled``, then ``refit``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from threading import Event
from time import monotonic, sleep
from typing import Protocol, TypeAlias, cast
from uuid import UUID

import httpx
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run as this_run

from flows.execution.flow_runs import alive_workers, end_runs, ended, read_runs, reason_of, write_off
from flows.settings.schedule import WorkerSettings
from flows.train_model import run_job
from recmodels.errors import NightrecError
from tasks.evaluate.stage import evaluate
from tasks.report.stage import Progress
from tasks.store.lease import age
from tasks.store.manifests import Manifest
from tasks.store.stage import log_event
from tasks.train.jobs import CPU_POOL, GPU_POOL, TrainingJob
from tasks.train.stage import night_over, refit, train

Futures: TypeAlias = dict[str, PrefectFuture[Manifest]]
Measured: TypeAlias = dict[str, Manifest]
Failed: TypeAlias = dict[str, str]

LOOK = 10.0  # seconds between two looks at the workers of a pool
OUTAGE = (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError)  # what talking to a server that is away raises
TRIES = 2  # how often a run whose process ended without a word is started
GRACE = 600.0  # seconds beyond their time limits that runs on workers have


class Executor(Protocol):
    """Where candidates are trained."""

    def start(self, jobs: Sequence[TrainingJob], prepared: Manifest, described: Manifest) -> None:
        """Begin to train and measure all of them; returns at once."""

    def wait(self) -> tuple[Measured, Failed]:
        """Wait for all that were started: the metrics of those that made it, and why the others did not."""

    def refit(self, job: TrainingJob, prepared: Manifest, described: Manifest) -> Manifest:
        """Refit the winner on everything."""


@contextmanager
def executor_for(workers: WorkerSettings | None) -> Iterator[Executor]:
    """The workers' pools, or without rules for them this machine; on leaving, nothing that was started goes on."""
    executor, over = LocalExecutor() if workers is None else WorkPoolExecutor(workers), Event()
    token = night_over.set(over)
    try:
        yield executor
    finally:
        over.set()  # candidates that train here, or wait to
        night_over.reset(token)
        if isinstance(executor, WorkPoolExecutor):
            executor.end()


class LocalExecutor:
    """Candidates trained side by side in processes of this machine."""

    def start(self, jobs: Sequence[TrainingJob], prepared: Manifest, described: Manifest) -> None:
        self.jobs, self.prepared = {job.name: job for job in jobs}, prepared
        self.training: Futures = {job.name: train.submit(job, prepared, described) for job in jobs}

    def wait(self) -> tuple[Measured, Failed]:
        progress = Progress(len(self.training))
        evaluating: Futures = {}
        names = {future.task_run_id: name for name, future in self.training.items()}
        for future in as_completed(list(self.training.values())):
            future.wait()  # only now does it know its state
            name = names[future.task_run_id]
            if future.state.is_completed():
                evaluating[name] = evaluate.submit(self.jobs[name], future.result(), self.prepared)
            progress.more()
        return partition_results({name: evaluating.get(name, trained) for name, trained in self.training.items()})

    def refit(self, job: TrainingJob, prepared: Manifest, described: Manifest) -> Manifest:
        return refit(job, prepared, described)


def partition_results(futures: Futures) -> tuple[Measured, Failed]:
    """Wait for all: the results, and the reasons of those that failed."""
    measured, failed = {}, {}
    for name, future in futures.items():
        future.wait()
        if future.state.is_completed():
            measured[name] = future.result()
        else:
            failed[name] = str(future.result(raise_on_failure=False))
    return measured, failed


local_run = Task(run_job, name="train-here", task_run_name="{job.label}-here", cache_policy=NO_CACHE)
"""An order carried out in this process, because no worker is there to do it."""


@dataclass
class Child:
    """A run on a worker, and since when (in seconds of the monotonic clock) it has been in its state."""

    job: TrainingJob
    pool: str
    run: UUID
    sent: float
    started: float | None = None
    alone: float | None = None  # since when its pool has had no live worker
    tries: int = 1


class WorkPoolExecutor:
    """Candidates trained by the workers of their pools, as runs of the deployment ``train-model/<pool>``.

    Runs are dispatched without waiting and looked at every few seconds: Prefect's own waiting neither notices a pool
    without workers nor ends with the night.
    """

    def __init__(self, rules: WorkerSettings) -> None:
        self.rules = rules
        self.children: dict[str, Child] = {}
        self.here: Futures = {}
        self.measured: Measured = {}
        self.failed: Failed = {}
        self.looked: dict[str, tuple[float, int]] = {}  # a pool's live workers, and when they were counted

    def start(self, jobs: Sequence[TrainingJob], prepared: Manifest, described: Manifest) -> None:
        self.names = [job.name for job in jobs]
        with get_client(sync_client=True) as client:
            for job in jobs:
                in_pool = sum(other.candidate.workplace == job.candidate.workplace for other in jobs)
                workers = max(1, self.alive(client, job.candidate.workplace))
                shared = min(job.concurrency, ceil(in_pool / workers))
                self.send(client, job.model_copy(update={"concurrency": shared}), job.candidate.workplace)

    def wait(self) -> tuple[Measured, Failed]:
        return self.watch(Progress(len(self.names)))

    def watch(self, progress: Progress | None = None) -> tuple[Measured, Failed]:
        """Look at the runs until none is left."""
        silent_since: float | None = None
        while self.children:
            before = len(self.children)
            try:
                with get_client(sync_client=True) as client:
                    runs = read_runs(client, [child.run for child in self.children.values()])
                    for child in list(self.children.values()):
                        self.consider(client, child, runs.get(child.run))
                silent_since = None
            except OUTAGE as error:
                silent_since = silent_since or monotonic()
                if monotonic() - silent_since > self.rules.outage_minutes * 60:
                    raise NightrecError(
                        f"Prefect's server has not answered for {self.rules.outage_minutes:g} minutes: {error}. "
                        "Start it and run the night again; it goes on where it was."
                    ) from error
            if progress:
                progress.more(before - len(self.children))
            sleep(self.rules.poll_seconds if self.children else 0)
        measured, failed = partition_results(self.here)
        self.measured |= measured
        self.failed |= failed
        return {name: self.measured[name] for name in self.names if name in self.measured}, self.failed

    def refit(self, job: TrainingJob, prepared: Manifest, described: Manifest) -> Manifest:
        self.here, self.measured, self.failed = {}, {}, {}
        self.start([job], prepared, described)
        measured, failed = self.watch()
        if failed:
            raise NightrecError(f"{job.name} won and could not be fitted again: {failed[job.name]}")
        return measured[job.name]

    def end(self) -> None:
        """Cancel what is still going on. A night that is being stopped has no time to wait for it; its hook does."""
        if self.children:
            with suppress(*OUTAGE), get_client(sync_client=True) as client:
                end_runs(client, [child.run for child in self.children.values()], patience=5)

    def send(self, client: SyncPrefectClient, job: TrainingJob, pool: str, tries: int = 1) -> None:
        """Ask the workers of a pool to carry out an order."""
        try:
            dispatched = run_deployment(
                f"train-model/{pool}",
                parameters={"job": job.model_dump(mode="json")},
                timeout=0,
                flow_run_name=f"{job.label}-{job.run_date}",
                # A night that is retried under its own id asks anew.
                idempotency_key=f"{this_run.id}:{this_run.run_count}:{job.label}:{pool}:{tries}",
                tags=["nightrec", job.split, job.name],
            )
        except ObjectNotFound:
            job.alive.unlink(missing_ok=True)
            self.without_worker(client, job, pool, f"there is no deployment train-model/{pool}")
            return
        job.alive.unlink(missing_ok=True)  # of an earlier try
        self.children[job.name] = Child(job, pool, cast(FlowRun, dispatched).id, monotonic(), tries=tries)

    def consider(self, client: SyncPrefectClient, child: Child, run: FlowRun | None) -> None:
        """Take a run's result if it has ended, and give it up if it never will."""
        name, now = child.job.name, monotonic()
        if run is None or run.state is None:
            self.give_up(name, "its run was deleted")
        elif run.state.is_completed():
            self.collect(child)
        elif run.state.is_crashed() and child.tries < TRIES:  # stopped with its worker, or cut off from the server
            log_event(child.job.label.replace("-", " ", 1), "note", f"starts again: {reason_of(run.state)}")
            self.send(client, child.job, child.pool, child.tries + 1)
        elif ended(run):
            self.give_up(name, reason_of(run.state))
        elif run.state.is_running() or run.state.is_cancelling():
            child.started = child.started or now
            silence = min(now - child.started, age(child.job.alive) or now)
            if silence > self.rules.lost_seconds:
                write_off(client, child.run, f"its worker has not shown a sign of life for {silence:.0f} s")
                self.give_up(name, f"its worker in the pool {child.pool} died")
            elif now - child.started > self.deadline(child.pool):
                end_runs(client, [child.run])
                self.give_up(name, "it was still going on long after its time limit")
        elif now - child.sent > self.rules.start_minutes * 60:
            end_runs(client, [child.run])
            self.give_up(name, f"no worker of the pool {child.pool} took it up in {self.rules.start_minutes:g} minutes")
        elif self.alive(client, child.pool):
            child.alone = None
        elif child.alone is None:
            child.alone = now
            if self.rules.without_worker == "wait":
                log_event(f"train {name}", "note", f"waits for a worker of the pool {child.pool}")
        elif self.rules.without_worker != "wait":
            del self.children[name]
            end_runs(client, [child.run])
            self.without_worker(client, child.job, child.pool, f"the pool {child.pool} has no live worker")

    def without_worker(self, client: SyncPrefectClient, job: TrainingJob, pool: str, why: str) -> None:
        """Do with an order that nobody takes what the site has configured."""
        if self.rules.without_worker == "skip":
            self.give_up(job.name, f"{why}; start one with `nightrec worker {pool}`")
            return
        first = pool == job.candidate.workplace
        others = [other for other in (CPU_POOL, GPU_POOL) if other != pool]
        there = next((other for other in others if self.alive(client, other)), None) if first else None
        job = job.model_copy(update={"candidate": job.candidate.model_copy(update={"device": "auto"})})
        if there is not None:
            log_event(f"train {job.name}", "note", f"{why}: it goes to the pool {there}")
            self.send(client, job, there)
        else:
            log_event(f"train {job.name}", "note", f"{why}: it is trained beside the night")
            self.here[job.name] = local_run.submit(job)

    def collect(self, child: Child) -> None:
        name, result = child.job.name, child.job.result()
        del self.children[name]
        if result is None:
            self.give_up(name, f"its run left nothing in {child.job.store}: is that its worker's store, too?")
            return
        self.measured[name] = result
        text = f"in the pool {child.pool}: {result['summary'].get('message', '')}"
        log_event(child.job.label.replace("-", " ", 1), "done", text, monotonic() - child.sent)

    def give_up(self, name: str, why: str) -> None:
        self.children.pop(name, None)
        self.failed[name] = why
        log_event(f"train {name}", "failed", why)

    def alive(self, client: SyncPrefectClient, pool: str) -> int:
        """Live workers of a pool, counted again every few seconds."""
        when, n = self.looked.get(pool, (0.0, 0))
        if monotonic() - when > LOOK or not when:
            n = alive_workers(client, pool)
            self.looked[pool] = (monotonic(), n)
        return n

    def deadline(self, pool: str) -> float:
        """Seconds after which a run cannot still be at work: at worst, a pool's candidates came one after another."""
        limits = [child.job.candidate.timeout_minutes for child in self.children.values() if child.pool == pool]
        return sum(limits) * 60 + GRACE
