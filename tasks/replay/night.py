"""A night of a replay: cut, prepared and described once, and then each model trained, listed and measured."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.data.parquet import read_columns
from recmodels.errors import DataRefused, EngineUnavailable, NightrecError
from recmodels.metrics.beyond_accuracy import Figures
from tasks.evaluate.stage import evaluate
from tasks.evaluate.summary import flaw_of
from tasks.features.stage import features
from tasks.lists.stage import list_rules
from tasks.prepare.stage import prepare
from tasks.replay.cut import cut, refuse_unfit, write_truth
from tasks.replay.kept import HOLDOUT, LISTS, USERS, MeasuredSummary, folder_of
from tasks.replay.measured import figures_of, lists_of
from tasks.replay.scene import Scene
from tasks.replay.settings import ReplaySpec
from tasks.store.files import Json, digest
from tasks.store.leftovers import remove
from tasks.store.manifests import Manifest, Recipe, outputs, run_stage, up_to_date
from tasks.store.paths import Night
from tasks.store.versions import code_of
from tasks.train.jobs import TrainingJob
from tasks.train.members import code_of_job, in_turn, is_ensemble, without_failed
from tasks.train.settings import WARM_NIGHTS
from tasks.train.stage import recipe_of, refit, train

NEXT = "next"  # folder of a night with what people did after it


def replay_night(spec: ReplaySpec, run_date: date, valid: Manifest) -> Json:
    """Bring what is kept of a night up to date; `valid` are the tables of the whole range.

    Returns:
        `run_date`, `status` (measured, before: all of it was there, or refused), the `reason` of a refusal, why models
        `failed` by name, and `seconds`.
    """
    started, night = time.perf_counter(), spec.store.night(run_date)
    about: Json = {"run_date": str(run_date), "status": "measured", "reason": "", "failed": {}}
    try:
        about |= _Night(night, spec, valid).bring_up_to_date()
    except DataRefused as error:
        about |= {"status": "refused", "reason": str(error)}
    if not spec.chained:
        clean(night)
    return about | {"seconds": round(time.perf_counter() - started, 3)}


def clean(night: Night) -> None:
    """Remove a night's working files: what is kept of it stays."""
    for folder in [*night.working_folders, night.folder / NEXT]:
        with suppress(OSError):
            (folder / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(folder)


def jobs_of(night: Night, spec: ReplaySpec) -> list[TrainingJob]:
    """The jobs of a night's candidates, ensembles last, as the night itself would have them."""
    jobs = [
        TrainingJob(
            store=spec.root,
            run_date=night.run_date,
            name=name,
            candidate=candidate,
            rules=spec.export.measured(spec.evaluation.k),
            evaluation=spec.evaluation,
            seed=spec.seed,
            concurrency=spec.parallel,
            fresh=spec.fresh,
            warm_nights=WARM_NIGHTS if spec.chained else 0,
        )
        for name, candidate in spec.candidates.items()
    ]
    single, ensembles = in_turn(jobs)
    return [*single, *ensembles]


@dataclass(frozen=True)
class _Night:
    night: Night
    spec: ReplaySpec
    shared: Manifest

    def bring_up_to_date(self) -> Json:
        """Measure the models that are not measured yet.

        Raises:
            DataRefused: a night at that date would have stopped at its data.
        """
        self.night.folder.mkdir(parents=True, exist_ok=True)
        _ = self.valid
        refuse_unfit(self.night.valid, self.spec.validation, self.cutoff)
        jobs = jobs_of(self.night, self.spec)
        left = [job for job in jobs if job.fresh or not up_to_date(folder_of(self.night, job.name), self.recipe(job))]
        if not left:
            return {"status": "before"}
        for job in left:  # one that fails has no figures by settings that are over
            remove(folder_of(self.night, job.name))
        failed: dict[str, str] = {}
        _ = self.prepared, self.described
        if self.spec.export.rerank:
            list_rules.fn(self.night, self.spec.export, self.spec.features, self.prepared, self.described)
        for job in left:
            try:
                self.measure(next(iter(without_failed([job], failed))) if is_ensemble(job) else job)
            except (OSError, EngineUnavailable):
                raise  # no model's fault
            except Exception as error:
                said = str(error) if isinstance(error, NightrecError) else f"{type(error).__name__}: {error}"
                failed[job.name] = said.rstrip(": ")
        return {"failed": failed}

    def recipe(self, job: TrainingJob) -> Recipe:
        """What figures of a model on this night are made from."""
        spec = self.spec
        parameters = recipe_of(job) | {
            "prepare": spec.prepare.model_dump(),
            "features": spec.features.model_dump(),
            "evaluation": spec.evaluation.model_dump(),
            "export": spec.export.model_dump(exclude={"similar", "popular_days", "delta", "hash_key_env"}),
            "cutoff": self.cutoff.isoformat(),
            "until": spec.until(self.night.run_date).isoformat(),
            "followed": spec.followed,
            "chain": [str(spec.first), spec.every] if spec.chained else None,
            "without": job.without,
        }
        code = digest([code_of(__name__), code_of_job(job)])
        return {"code": code, "inputs": outputs(valid=self.valid, next=self.next), "parameters": parameters}

    def measure(self, job: TrainingJob) -> None:
        """Train a model twice, as a night does: for its own comparison, and on everything; and measure its lists."""
        night = self.night

        def build(out: Path) -> MeasuredSummary:
            trained = train.fn(job, self.prepared, self.described)
            compared = evaluate.fn(job, trained, self.prepared)
            if flaw := flaw_of(compared["summary"]):
                raise NightrecError(flaw)
            in_full = job.model_copy(update={"split": "full", "for_arm": True})
            fitted = refit.fn(in_full, self.prepared, self.described_in_full)
            items, scores = lists_of(night, job.name, self.data, self.spec)
            found, users = figures_of(items, self.scene)
            found["holdout_ndcg"] = compared["summary"]["metrics"]["ndcg"]["value"]
            pq.write_table(users, out / USERS, compression="zstd")
            pq.write_table(_lists_table(items, scores, self.scene), out / LISTS, compression="zstd")
            pq.write_table(_holdout_table(night, job.name, self.scene), out / HOLDOUT, compression="zstd")
            seconds = trained["summary"]["fit_seconds"] + fitted["summary"]["fit_seconds"]
            judged = self.scene.judged
            return MeasuredSummary(
                figures=found,
                holdout=compared["summary"],
                k=self.spec.export.k,
                users=len(items),
                judged=len(judged),
                warm=int((self.scene.history[judged] > 0).sum()),
                beyond=self.scene.beyond,
                seconds=round(seconds, 3),
            )

        run_stage(folder_of(night, job.name), build, **self.recipe(job), fresh=job.fresh)

    @property
    def cutoff(self) -> datetime:
        return self.spec.cutoff(self.night.run_date)

    @cached_property
    def valid(self) -> Manifest:
        return cut(self.night, self.spec.data, self.shared, self.cutoff)

    @cached_property
    def next(self) -> Manifest:
        """What people did after the night."""
        spec, until = self.spec, self.spec.until(self.night.run_date)

        def build(out: Path) -> Json:
            return {"pairs": write_truth(spec.data.valid, spec.prepare, self.cutoff, until, out)}

        parameters = spec.prepare.model_dump() | {"since": self.cutoff.isoformat(), "until": until.isoformat()}
        return run_stage(
            self.night.folder / NEXT,
            build,
            code=code_of("tasks.replay.cut"),
            inputs=outputs(valid=self.shared),
            parameters=parameters,
        )

    @cached_property
    def prepared(self) -> Manifest:
        return prepare.fn(self.night, self.spec.prepare, self.cutoff, self.valid)

    @cached_property
    def described(self) -> Manifest:
        return features.fn(self.night, "train", self.spec.features, self.prepared, self.valid)

    @cached_property
    def described_in_full(self) -> Manifest:
        return features.fn(self.night, "full", self.spec.features, self.prepared, self.valid)

    @cached_property
    def data(self) -> Dataset:
        _ = self.described_in_full
        return Dataset.load(self.night.features, "full")

    @cached_property
    def scene(self) -> Scene:
        _ = self.described_in_full
        return Scene.of(self.night, self.spec, self.night.folder / NEXT)


def _lists_table(items: Ints, scores: Figures, scene: Scene) -> pa.Table:
    theirs, score = items[scene.users], scores[scene.users]
    row, place = np.nonzero(theirs >= 0)
    return pa.table(
        {
            "user_id": scene.site.user_ids.take(pa.array(scene.users[row])),
            "rank": (place + 1).astype(np.int16),
            "item_id": scene.site.item_ids.take(pa.array(theirs[row, place])),
            "score": score[row, place],
        }
    )


def _holdout_table(night: Night, model: str, scene: Scene) -> pa.Table:
    measured = read_columns(night.metrics(model) / "per_user.parquet", ["user_index", "ndcg"])
    return pa.table({"user_id": scene.site.user_ids.take(pa.array(measured["user_index"])), "ndcg": measured["ndcg"]})
