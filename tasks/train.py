"""Stage 5, train: a candidate is fitted, and lists the measured users, in a subprocess of its own.

A subprocess, because it can be limited, timed out and killed without harm to the night, and because the same command
runs anywhere: ``python -m recmodels.candidate SPEC.json``.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from recmodels.dataset import Window
from recmodels.errors import NightrecError
from tasks.stage import stage_task, told_stage
from tasks.store import Json, Manifest, Night, outputs, read_json, run_stage, write_json

ROOT = Path(__file__).parent.parent


class Candidate(BaseModel):
    """One recommender in tonight's field."""

    model_config = ConfigDict(extra="forbid")

    recommender: str = Field(default="", description="Name in the registry; the candidate's own name by default.")
    parameters: dict[str, Any] = Field(default={}, description="Hyper-parameters; what is not given has its default.")
    timeout_minutes: float = Field(default=120, gt=0, description="Training and listing are stopped after this long.")
    required: bool = Field(default=False, description="Without this candidate the night fails.")
    enabled: bool = Field(default=True, description="Whether it trains tonight.")


class ListRules(BaseModel):
    """What a list is, for candidates and for the export alike."""

    model_config = ConfigDict(extra="forbid")

    k: int = Field(ge=1, le=1000, description="Items in a user's list.")
    repeats: bool = Field(default=False, description="Whether items the user already has may be recommended again.")


class Share(BaseModel):
    """What one training process is given."""

    threads: int = Field(ge=1)
    seed: int = 0


class Cores:
    """The cores of this machine, of which each training process takes its share while it runs."""

    def __init__(self, n: int) -> None:
        self.n = self.free = n
        self.changed = Condition()

    @contextmanager
    def taken(self, n: int) -> Iterator[None]:
        n = min(n, self.n)
        with self.changed:
            self.changed.wait_for(lambda: self.free >= n)
            self.free -= n
        try:
            yield
        finally:
            with self.changed:
                self.free += n
                self.changed.notify_all()


cores = Cores(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@stage_task("train-{name}")
def train(
    night: Night,
    name: str,
    candidate: Candidate,
    rules: ListRules,
    prepared: Manifest,
    features: Manifest,
    share: Share,
    fresh: bool = False,
) -> Manifest:
    """Fit a candidate on the training window and list the holdout's users.

    The model goes to ``models/<name>/``, the lists to ``toplists/<name>/``, whose manifest is returned.

    Raises:
        NightrecError: it failed, ran out of time, or was killed.
    """
    recipe = {"recommender": candidate.recommender or name, "params": candidate.parameters, "seed": share.seed}
    inputs = outputs(prepared=prepared, features=features)

    def fit_and_list(out: Path) -> Json:
        results: list[Json] = []

        def fit(model: Path) -> Json:
            spec = {"window": "train", "fit": True, "model": model, "lists": lists} | recipe
            results.append(run_candidate(night, name, spec, candidate, share))
            return results[0]

        lists = {"out": str(out), "users": "holdout", **rules.model_dump()}
        model = run_stage(night.model(name), fit, inputs=inputs, parameters=recipe, fresh=fresh)
        if not results:  # the model is there already, only the lists are new
            spec = {"window": "train", "fit": False, "model": night.model(name), "lists": lists} | recipe
            results.append(run_candidate(night, name, spec, candidate, share) | {"fit": model["summary"]})
        return results[0]

    return told_stage(
        f"train {name}",
        night.toplists(name),
        fit_and_list,
        inputs=inputs,
        parameters=recipe | rules.model_dump(),
        fresh=fresh,
    )


@stage_task("refit-{name}")
def refit(
    night: Night,
    name: str,
    candidate: Candidate,
    prepared: Manifest,
    features: Manifest,
    share: Share,
    fresh: bool = False,
) -> Manifest:
    """Fit the night's winner on everything before the cutoff; the model goes to ``champion/``."""
    recipe = {"recommender": candidate.recommender or name, "params": candidate.parameters, "seed": share.seed}

    def fit(model: Path) -> Json:
        return run_candidate(night, name, {"window": "full", "fit": True, "model": model} | recipe, candidate, share)

    inputs = outputs(prepared=prepared, features=features)
    return told_stage(f"refit {name}", night.champion, fit, inputs=inputs, parameters=recipe, fresh=fresh)


def run_candidate(night: Night, name: str, spec: Json, candidate: Candidate, share: Share) -> Json:
    """Run one ``recmodels.candidate`` process to its end and return its result.

    Its output is kept in ``logs/<name>.log`` of the night.
    """
    window: Window = spec["window"]
    work = night.folder / "logs"
    spec_file, result_file, log_file = (work / f"{name}-{window}.{kind}" for kind in ("spec.json", "json", "log"))
    write_json(spec_file, {"lists": None, **spec, "features": str(night.features), "result": str(result_file)})
    result_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "recmodels.candidate", str(spec_file), "--watch-stdin"]
    environment = os.environ | threads(share.threads)
    with cores.taken(share.threads), log_file.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=environment)
        try:
            code = process.wait(candidate.timeout_minutes * 60)
        except subprocess.TimeoutExpired:
            raise NightrecError(
                f"{name} was stopped after {candidate.timeout_minutes:g} minutes: give it more with "
                f"models.{name}.timeout_minutes, or cheaper parameters."
            ) from None
        finally:
            process.kill()
            process.wait()
    result = read_json(result_file) or {}
    if code == 0 and "error" not in result:
        return result | {"told": told(result)}
    if "error" in result:
        raise NightrecError(f"{name} failed: {result['error']}")
    if code < 0:
        raise NightrecError(f"{name} was killed by signal {-code}, perhaps for want of memory; its log is {log_file}.")
    raise NightrecError(f"{name} failed: {last_line(log_file)} (its log is {log_file})")


def threads(n: int) -> dict[str, str]:
    """The environment that keeps every numeric library to ``n`` threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(n))


def told(result: Json) -> str:
    done = f"fitted in {result['fit_seconds']:.1f} s"
    if result["n_users"]:
        done += f", {result['n_users']:,} users listed in {result['list_seconds']:.1f} s"
    return f"{done}, {result['peak_bytes'] / 2**20:,.0f} MiB"


def last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"
