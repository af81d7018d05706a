"""One candidate in a process of its own: started with its share of the machine, timed, and ended with its night."""

import errno
import os
import socket
import subprocess
import sys
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic, sleep

from recmodels.errors import NightrecError
from recmodels.messages import counted
from recmodels.plugins import FOLDER_VARIABLE, folder
from recmodels.registry import kind_of
from tasks.store.disk import refusal_in
from tasks.store.files import Json, read_json, write_json
from tasks.store.machine import Machine
from tasks.store.manifests import Manifest
from tasks.store.room import Room
from tasks.train.jobs import TrainingJob

night_over: ContextVar[Event | None] = ContextVar("night_over", default=None)
"""Set when the night that these candidates belong to goes no further; tasks inherit it from the flow."""

ROOT = Path(__file__).parents[2]
IN_TIME = 0.75  # share of its time after which a training ends with what it has; lists want the rest
A_TRACEBACK = 2**16  # bytes
POLL_SECONDS = 0.2  # between two checks whether the night has ended


def run_candidate(job: TrainingJob, spec: Json, prepared: Manifest) -> Json:
    """Run one `recmodels.candidate` process to its end, on its share of this machine, and return its result.

    Its output is kept in `logs/<name>-<split>.log` of the night, or `<name>-replicate-<number>.log`.

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
    minutes = IN_TIME * limit / spec.get("windows", 1)
    given = {"features": str(job.night.features), "result": str(result_file), "minutes": minutes}
    write_json(spec_file, {"lists": None} | spec | given)
    result_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "recmodels.candidate", str(spec_file), "--watch-stdin"]
    machine = Machine()
    n_threads, gpus = max(1, machine.n_cores // job.concurrency), _gpus_for(job, machine)
    share = machine.share(n_threads, job.memory_needed(prepared), gpus, wait=partial(_pause, job.name))
    with share as mine, log_file.open("wb") as log:
        environment = os.environ | _threads(n_threads) | {"CUDA_VISIBLE_DEVICES": ",".join(mine)}
        environment[FOLDER_VARIABLE] = folder()  # a site's own models are imported from here, not from ROOT
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=environment)
        deadline = monotonic() + limit * 60
        try:
            while process.poll() is None:
                if monotonic() > deadline:
                    raise NightrecError(
                        f"{name} was stopped after {limit:g} minutes: give it more with "
                        f"models.{name}.timeout_minutes, or cheaper parameters."
                    )
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
                _pause(name, 0)
            code = process.returncode
        finally:
            process.kill()
            process.wait()
    result = read_json(result_file) or {}
    if code == 0 and "error" not in result:
        device = f"gpu {', '.join(mine)}" if mine else "cpu"
        where = {"host": socket.gethostname(), "pid": process.pid, "device": device}
        return result | where | {"message": _message(result, device)}
    if "error" in result:
        raise NightrecError(f"{name} failed: {result['error']}")
    if code < 0:
        raise NightrecError(
            f"{name} was killed by signal {-code}, perhaps as memory ran out: give it more, or see its log {log_file}."
        )
    said = _last_line(log_file)
    if not said and _is_full(log_file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log_file))
    if (refusal := refusal_in(said, job.night.folder)) is not None:
        raise refusal
    raise NightrecError(f"{name} failed: {said or 'it left no message'} (its log is {log_file})")


def _pause(name: str, seconds: float) -> None:
    """Let some time pass. Raises NightrecError as soon as the night of a candidate has ended."""
    over = night_over.get()
    if over is None:
        sleep(seconds)
    elif over.wait(seconds):
        raise NightrecError(f"{name} was stopped with its night.")


def _gpus_for(job: TrainingJob, machine: Machine) -> int:
    """How many GPUs a candidate gets on this machine: as many as it says, or none.

    Raises:
        NightrecError: it asks for one, and there is none.
    """
    device, there = job.candidate.device, bool(machine.gpus.names)
    if device == "gpu" and not there:
        raise NightrecError(
            f"{job.name} asks for a GPU and this machine shows none: start its worker where there is one, or set "
            f"models.{job.name}.device to auto."
        )
    uses_gpu = there and device != "cpu" and (device == "gpu" or kind_of(job.recommender).uses_gpu)
    return job.candidate.gpus if uses_gpu else 0


def _threads(n: int) -> dict[str, str]:
    """The environment that keeps every numeric library to `n` threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(n))


def _message(result: Json, device: str) -> str:
    done = f"fitted in {result['fit_seconds']:.1f} s"
    if result["n_users"]:
        done += f", {counted(result['n_users'], 'user')} listed in {result['list_seconds']:.1f} s"
    on = "" if device == "cpu" else f", on {device}"
    return f"{done}, {result['peak_bytes'] / 2**20:,.0f} MiB{on}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _is_full(log: Path) -> bool:
    """Whether there is no room for what a process that fails says."""
    room = Room.of(log)
    return room is not None and (room.free < A_TRACEBACK or room.no_files_left)
