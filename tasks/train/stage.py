"""Stage 5, train: a candidate is fitted, and lists the measured users, in a subprocess of its own.

A subprocess, because it can be limited, timed out and killed without harm to the night, and because the same command
runs anywhere: ``python -m recmodels.candidate SPEC.json``.
"""

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

from recmodels.data.layout import USERS, interactions_file, split_end
from recmodels.errors import NightrecError
from recmodels.registry import kind_of
from tasks.lists.rules import FILE
from tasks.store.files import Json, read_json, write_json
from tasks.store.machine import Machine
from tasks.store.manifests import Manifest, finished, outputs, run_stage
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.train.jobs import TrainingJob
from tasks.train.members import at_hand, code_of_job

ROOT = Path(__file__).parents[2]
IN_TIME = 0.75  # share of its time after which a training ends with what it has; lists want the rest
LOOK = 0.2  # seconds between two looks whether the night has ended

night_over: ContextVar[Event | None] = ContextVar("night_over", default=None)
"""Set when the night that these candidates belong to goes no further; tasks inherit it from the flow."""


@stage_task("train-{job.name}")
def train(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest:
    """Fit a candidate on the training split and list the holdout's users.

    The model goes to ``models/<name>/``, the lists to ``toplists/<name>/``, whose manifest is returned.

    Raises:
        NightrecError: it failed, ran out of time, or was killed.
    """
    night, rules, recipe = job.night, job.rules, recipe_of(job)
    by_rules = {"rules": str(night.list_rules / FILE)} if rules.rerank else {}
    among = {"unavailable": True} if job.evaluation.candidates == "all" else {}
    windows, start = windows_of(job, prepared), earlier(job)
    inputs, members = with_models(job, outputs(prepared=prepared, features=features) | taken(start))
    code = code_of_job(job)

    def fit_and_list(out: Path) -> Json:
        results: list[Json] = []

        def fit(model: Path) -> Json:
            spec = {"split": "train", "fit": True, "model": model, "lists": lists} | recipe | start | members | windows
            results.append(run_candidate(job, spec, prepared))
            return results[0]

        lists = {"out": str(out), "users": "holdout", "k": rules.k, "repeats": rules.repeats} | by_rules | among
        model = run_stage(night.model(job.name), fit, code=code, inputs=inputs, parameters=recipe, fresh=job.fresh)
        if not results:  # the model is there already, only the lists are new
            known = {"split": "train", "fit": False, "model": night.model(job.name), "lists": lists}
            results.append(run_candidate(job, known | recipe | windows, prepared) | {"fit": model["summary"]})
        return results[0]

    return logged_stage(
        f"train {job.name}",
        night.toplists(job.name),
        fit_and_list,
        code=code,
        inputs=inputs,
        parameters=recipe | rules.model_dump() | among | windows | made_of(night.list_rules if rules.rerank else None),
        fresh=job.fresh,
    )


@stage_task("refit-{job.name}")
def refit(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest:
    """Fit the night's winner on everything before the cutoff; the model goes to ``champion/``."""
    recipe, start = recipe_of(job), earlier(job)
    inputs, members = with_models(job, outputs(prepared=prepared, features=features) | taken(start))

    def fit(model: Path) -> Json:
        spec = {"split": "full", "fit": True, "model": model} | recipe | start | members
        return run_candidate(job, spec, prepared)

    return logged_stage(
        f"refit {job.name}",
        job.night.champion,
        fit,
        code=code_of_job(job),
        inputs=inputs,
        parameters=recipe,
        fresh=job.fresh,
    )


def earlier(job: TrainingJob) -> Json:
    """The newest model of an earlier night that a candidate with a warm start goes on from, if there is one.

    It must be of the same recipe. For the comparison both nights hold out their last days, and the earlier one learnt
    from nothing that tonight's measures.
    """
    wanted = getattr(kind_of(job.recommender)(**job.candidate.parameters), "warm_start", "no")
    if wanted == "no" or (job.split == "train" and wanted != "always"):
        return {}
    for night in reversed(job.night.store.all_nights()):
        folder = night.model(job.name) if job.split == "train" else night.champion
        if (
            night.run_date < job.run_date
            and (manifest := finished(folder))
            and manifest["parameters"] == recipe_of(job)
            and (night.prepared / USERS).exists()
            and (job.split == "full" or ends_before(night, job.night))
        ):
            return {"earlier": {"model": str(folder), "features": str(night.features)}}
    return {}


def ends_before(night: Night, later: Night) -> bool:
    """Whether what a night learns from for the comparison ends before what a later one measures, whoever the user."""
    protocols = {
        (read_json(one.prepared / "manifest.json") or {}).get("summary", {}).get("holdout", {}).get("protocol")
        for one in (night, later)
    }
    ends = [split_end(one.prepared / interactions_file("train")) for one in (night, later)]
    return protocols == {"days"} and ends[0] <= ends[1]


def taken(start: Json) -> Json:
    """What a training starts from, as one of its inputs."""
    if not start:
        return {}
    manifest = finished(Path(start["earlier"]["model"]))
    return {"earlier": manifest["output"] if manifest else None}


def with_models(job: TrainingJob, inputs: Json) -> tuple[Json, Json]:
    """What an order is made from, and what its process is told besides: for an ensemble, the members at hand."""
    if not (found := at_hand(job, inputs)) and not job.without:
        return inputs, {}
    models = {name: str(job.night.model(name)) for name in found}
    made_from = {"members": {name: manifest["output"] for name, manifest in found.items()}, "without": job.without}
    return inputs | made_from, {"models": models, "without": job.without}


def made_of(rules: Path | None) -> Json:
    """What the rules of the lists were made of, as ids become indices and days become ages."""
    manifest = finished(rules) if rules else None
    return {"rules": manifest["output"]} if manifest else {}


def windows_of(job: TrainingJob, prepared: Manifest) -> Json:
    """How many windows a candidate is measured on, and their length: that of the holdout."""
    if job.evaluation.windows == 1:
        return {}
    days = prepared["summary"]["holdout"]["days"] or prepared["parameters"]["holdout_days"]
    return {"windows": job.evaluation.windows, "window_days": days}


def recipe_of(job: TrainingJob) -> Json:
    """What a model is made from, beside the data."""
    return {"recommender": job.recommender, "params": job.candidate.parameters, "seed": job.seed}


def run_candidate(job: TrainingJob, spec: Json, prepared: Manifest) -> Json:
    """Run one ``recmodels.candidate`` process to its end, on its share of this machine, and return its result.

    Its output is kept in ``logs/<name>-<split>.log`` of the night.
    """
    name, limit, work = job.name, job.candidate.timeout_minutes, job.night.folder / "logs"
    spec_file, result_file, log_file = (work / f"{name}-{job.split}.{kind}" for kind in ("spec.json", "json", "log"))
    minutes = IN_TIME * limit / spec.get("windows", 1)
    told_all = {"features": str(job.night.features), "result": str(result_file), "minutes": minutes}
    write_json(spec_file, {"lists": None} | spec | told_all)
    result_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "recmodels.candidate", str(spec_file), "--watch-stdin"]
    machine = Machine()
    n_threads, gpus = max(1, machine.n_cores // job.concurrency), gpus_for(job, machine)
    share = machine.share(n_threads, job.memory_needed(prepared), gpus, wait=partial(pause, job.name))
    with share as mine, log_file.open("wb") as log:
        environment = os.environ | threads(n_threads) | {"CUDA_VISIBLE_DEVICES": ",".join(mine)}
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
                    process.wait(LOOK)
                pause(name, 0)
            code = process.returncode
        finally:
            process.kill()
            process.wait()
    result = read_json(result_file) or {}
    if code == 0 and "error" not in result:
        device = f"gpu {', '.join(mine)}" if mine else "cpu"
        where = {"host": socket.gethostname(), "pid": process.pid, "device": device}
        return result | where | {"message": told(result, device)}
    if "error" in result:
        raise NightrecError(f"{name} failed: {result['error']}")
    if code < 0:
        raise NightrecError(f"{name} was killed by signal {-code}, perhaps for want of memory; its log is {log_file}.")
    raise NightrecError(f"{name} failed: {last_line(log_file)} (its log is {log_file})")


def pause(name: str, seconds: float) -> None:
    """Let some time pass. Raises NightrecError as soon as the night of a candidate has ended."""
    over = night_over.get()
    if over is None:
        sleep(seconds)
    elif over.wait(seconds):
        raise NightrecError(f"{name} was stopped with its night.")


def gpus_for(job: TrainingJob, machine: Machine) -> int:
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
    wanted = there and device != "cpu" and (device == "gpu" or kind_of(job.recommender).uses_gpu)
    return job.candidate.gpus if wanted else 0


def threads(n: int) -> dict[str, str]:
    """The environment that keeps every numeric library to ``n`` threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(n))


def told(result: Json, device: str) -> str:
    done = f"fitted in {result['fit_seconds']:.1f} s"
    if result["n_users"]:
        done += f", {result['n_users']:,} users listed in {result['list_seconds']:.1f} s"
    on = "" if device == "cpu" else f", on {device}"
    return f"{done}, {result['peak_bytes'] / 2**20:,.0f} MiB{on}"


def last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"
