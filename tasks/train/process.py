"""One candidate in a process of its own: started with its share of the machine, timed, and ended with its night."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import IO

from recmodels.compute.memory import PROCESS
from recmodels.engine.choice import CLUSTERS
from recmodels.engine.current import asked_for
from recmodels.engine.served import for_processes
from recmodels.engine.watching import watcher
from recmodels.errors import EngineUnavailable, NightrecError
from recmodels.messages import counted
from recmodels.parted.shared import has_data
from recmodels.plugins import FOLDER_VARIABLE, folder
from recmodels.registry import kind_of
from recmodels.supervised import UNAVAILABLE, threads_of
from tasks.store.disk import refusal_in
from tasks.store.files import Json, read_json, write_json
from tasks.store.machine import Machine
from tasks.store.manifests import Manifest
from tasks.store.room import Room
from tasks.train.forks import Fork, Forks, begun
from tasks.train.jobs import TrainingJob
from tasks.train.parts import TRAININGS, shared_folder

night_over: ContextVar[Event | None] = ContextVar("night_over", default=None)
"""Set when the night that these candidates belong to goes no further; tasks inherit it from the flow."""

in_this_process: ContextVar[bool] = ContextVar("in_this_process", default=False)
"""Whether candidates that need no GPU are run by this process, which can neither stop nor survive them: for who runs
so many that starting a process for each would take most of the time."""

ROOT = Path(__file__).parents[2]
IN_TIME = 0.75  # share of its time after which a training ends with what it has; lists want the rest
A_TRACEBACK = 2**16  # bytes
POLL_SECONDS = 0.2  # between two checks whether the night has ended


def run_candidate(job: TrainingJob, spec: Json, prepared: Manifest) -> Json:
    """Run one `recmodels.candidate` process to its end, on its share of this machine, and return its result.

    Its output is kept in `logs/<name>-<split>.log` of the night, or `<name>-replicate-<number>.log`. The `seconds` of
    the result are those with its share of the machine, for which it may have waited. With `in_this_process` that
    program is run here, as it is.

    Args:
        job: what is trained.
        spec: what the process is to do, see `recmodels.candidate.Spec`.
        prepared: the manifest of the interactions, by which its memory is estimated.

    Raises:
        NightrecError: it failed, ran out of time, was killed, or its night has ended.
        OSError, MemoryError: its file system or its memory refused something.
    """
    name, limit, work = job.name, job.candidate.timeout_minutes, job.night.folder / "logs"
    spec_file, result_file, log_file = (work / f"{job.stem}.{kind}" for kind in ("spec.json", "json", "log"))
    share_of_window = limit / spec.get("windows", 1)
    times = {"minutes": IN_TIME * share_of_window, "list_minutes": (1 - IN_TIME) * share_of_window}
    given: Json = {"features": str(job.night.features), "result": str(result_file)} | times
    shared = shared_folder(job.night, job.split, job.rows(prepared)) if job.engine is None else None
    if shared is not None:
        given["shared"] = str(shared)
    result_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "recmodels.candidate", str(spec_file), "--watch-stdin"]
    machine = Machine()
    n_threads, gpus = _threads_of(job, machine), _gpus_for(job, machine)
    mapped = shared is not None and has_data(shared, job.split)
    itself = (0, PROCESS) if asked_for() and job.for_a_node else (n_threads, job.memory_needed(prepared, mapped=mapped))
    share = machine.share(*itself, gpus, wait=partial(pause, job.name))
    with share as mine, _engine_of(job) as engine:
        write_json(spec_file, {"lists": None} | spec | given | engine)
        started = monotonic()
        environment = _environment(n_threads, mine)
        late = f"give it more with models.{name}.timeout_minutes, or cheaper parameters"
        if in_this_process.get() and not mine:
            code, pid = _run_here(spec_file)
        else:
            code, pid = supervised(name, command, log_file, environment, limit, late, fork=begun)
        seconds = round(monotonic() - started, 3)
    result = read_json(result_file) or {}
    for sentence in result.pop("engine_notes", []):
        watcher().noted(sentence)
    if code == 0 and "error" not in result:
        device = f"gpu {', '.join(mine)}" if mine else "cpu"
        result = {"host": socket.gethostname(), "device": device} | result  # which may name a node
        return result | {"pid": pid, "seconds": seconds, "message": _message(result)}
    raise failure(name, code, result, log_file, job.night.folder)


def begin_forks(forks: Forks, jobs: Sequence[TrainingJob]) -> None:
    """Start what forks the candidates of a night, as these will be started, unless nothing is left to train."""
    left = [job for job in jobs if job.fresh or not job.night.toplists(job.name).exists()]
    if left and not in_this_process.get():
        n_threads = _threads_of(left[0], Machine())
        forks.begin(sorted({job.recommender for job in left}), _with_ours(_environment(n_threads, [])))


def _threads_of(job: TrainingJob, machine: Machine) -> int:
    """How many cores a candidate gets: its share of the machine."""
    return max(1, machine.n_cores // job.concurrency)


def _environment(n_threads: int, gpus: Sequence[str]) -> dict[str, str]:
    return threads_of(n_threads) | {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}


def _with_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a program."""
    return os.environ | dict(environment) | {FOLDER_VARIABLE: folder()}  # a site's own classes are not in ROOT


@contextmanager
def _engine_of(job: TrainingJob) -> Iterator[Json]:
    """What the process is told of the night's engine, if there is one: it works through this process in the block."""
    if job.engine is None:
        yield {}
        return
    with for_processes(job.engine) as choice:
        told = {"engine": asdict(choice), "parts": str(job.night.parts(TRAININGS))}
        yield told | {"device": job.candidate.device, "gpus": job.candidate.gpus}


def _run_here(spec_file: Path) -> tuple[int, int]:
    """Run the program in this process; returns what `supervised` does."""
    from recmodels.candidate import main

    return main([str(spec_file)]), os.getpid()


def supervised(
    name: str,
    command: Sequence[str],
    log_file: Path,
    environment: Mapping[str, str],
    minutes: float,
    late: str,
    look: Callable[[], object] = lambda: None,
    whole: str = "night",
    fork: Callable[[Sequence[str], IO[bytes], Mapping[str, str]], Fork | None] = lambda *_: None,
) -> tuple[int, int]:
    """Run a program to its end, which is at the latest that of the night; its exit code and its process id.

    Args:
        name: what it is, for messages.
        command: it is told to watch its standard input, whose end is ours.
        log_file: of what it prints.
        environment: beside our own.
        minutes: after which it is stopped.
        late: what to do if it is.
        look: called now and then while it runs.
        whole: what it is part of, and ends with.
        fork: gives its process, where it need not be started from nothing.

    Raises:
        NightrecError: it ran out of time, or its night has ended.
    """
    environment = _with_ours(environment)
    with log_file.open("wb") as log:
        process = fork(command, log, environment) or subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=environment
        )
        deadline = monotonic() + minutes * 60
        try:
            while process.poll() is None:
                if monotonic() > deadline:
                    raise NightrecError(f"{name} was stopped after {minutes:g} minutes: {late}.")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
                look()
                pause(name, 0, whole)
            return process.returncode, process.pid
        finally:
            process.kill()
            process.wait()


def failure(name: str, code: int, result: Json, log_file: Path, folder: Path) -> Exception:
    """Why a program failed, as an error to be raised.

    Args:
        name: what it is.
        code: its exit code.
        result: what it has left, with an `error` where it could say one.
        log_file: of what it printed.
        folder: where it wrote.
    """
    if "error" in result and code == UNAVAILABLE:
        return EngineUnavailable(result["error"])  # which is no fault of the model
    if "error" in result:
        return NightrecError(f"{name} failed: {result['error']}")
    if code < 0:
        return NightrecError(
            f"{name} was killed by signal {-code}, perhaps as memory ran out: give it more, or see its log {log_file}."
        )
    said = last_line(log_file)
    if not said and _is_full(log_file):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log_file))
    if (refusal := refusal_in(said, folder)) is not None:
        return refusal
    return NightrecError(f"{name} failed: {said or 'it left no message'} (its log is {log_file})")


def pause(name: str, seconds: float, whole: str = "night") -> None:
    """Let some time pass. Raises NightrecError as soon as the night of a candidate has ended, or what it is part of."""
    over = night_over.get()
    if over is None:
        sleep(seconds)
    elif over.wait(seconds):
        raise NightrecError(f"{name} was stopped with its {whole}.")


def _gpus_for(job: TrainingJob, machine: Machine) -> int:
    """How many GPUs a candidate gets on this machine: as many as it says, or none, as where a cluster trains it.

    Raises:
        NightrecError: it asks for one, and there is none.
    """
    device, there = job.candidate.device, bool(machine.gpus.names)
    on_a_cluster = job.engine is not None and job.engine.kind in CLUSTERS
    if on_a_cluster and (asked_for() or kind_of(job.recommender).delegates):
        return 0
    if device == "gpu" and not there:
        raise NightrecError(
            f"{job.name} asks for a GPU and this machine shows none: start its worker where there is one, or set "
            f"models.{job.name}.device to auto."
        )
    uses_gpu = there and device != "cpu" and (device == "gpu" or kind_of(job.recommender).uses_gpu)
    return job.candidate.gpus if uses_gpu else 0


def _message(result: Json) -> str:
    done = f"fitted in {result['fit_seconds']:.1f} s"
    if result["n_users"]:
        done += f", {counted(result['n_users'], 'user')} listed in {result['list_seconds']:.1f} s"
    on = "" if result["device"] == "cpu" else f", on {result['device']}"
    return f"{done}, {result['peak_bytes'] / 2**20:,.0f} MiB{on}"


def last_line(log: Path) -> str:
    """The last line of what a program printed; empty where it said nothing."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _is_full(log: Path) -> bool:
    """Whether there is no room for what a process that fails says."""
    room = Room.of(log)
    return room is not None and (room.free < A_TRACEBACK or room.no_files_left)
