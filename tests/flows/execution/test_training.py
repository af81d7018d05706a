"""Tonight's training jobs and the order in which they run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.execution.results import Results
from flows.execution.training import jobs_for, refit, train_all
from flows.settings.site import NightConfig
from tasks.store.manifests import Manifest
from tasks.store.paths import Store
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate
from tests.flows.sites import DAY

CANDIDATES = {
    "both": Candidate(recommender="ensemble", parameters={"members": ["popularity", "item_knn"]}),
    "popularity": Candidate(),
    "item_knn": Candidate(),
}


class Recorder:
    """An executor that trains nothing: one candidate fails, the others leave their names."""

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self.started: list[list[TrainingJob]] = []
        self.refitted: list[TrainingJob] = []

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        self.started.append(list(jobs))

    def wait(self) -> Results:
        names = [job.name for job in self.started[-1]]
        measured: dict[str, Manifest] = {name: {"stage": name} for name in names if name != self.failing}  # type: ignore[typeddict-item]
        return Results(measured, {name: "no memory" for name in names if name == self.failing})

    def refit(self, job: TrainingJob) -> Manifest:
        self.refitted.append(job)
        return {"stage": job.name}  # type: ignore[typeddict-item]


@pytest.fixture
def jobs(tmp_path: Path) -> list[TrainingJob]:
    config = NightConfig.model_validate({"training": {"seed": 7, "parallel": 2}, "evaluation": {"k": 20}})
    return jobs_for(Store(tmp_path).night(DAY), config, CANDIDATES, fresh=True, lease="mine")


def test_each_candidate_has_a_job_with_the_settings_of_the_site(jobs: list[TrainingJob], tmp_path: Path) -> None:
    assert [job.name for job in jobs] == list(CANDIDATES)
    for job in jobs:
        assert (job.store, job.run_date, job.seed, job.rules.k, job.lease, job.fresh) == (
            tmp_path, DAY, 7, 20, "mine", True,
        )  # fmt: skip
        assert job.concurrency <= 2


def test_ensembles_come_last_and_go_without_what_failed(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="item_knn")
    run, results = train_all(executor, jobs)
    assert [[job.name for job in started] for started in executor.started] == [["popularity", "item_knn"], ["both"]]
    assert executor.started[1][0].without == ["item_knn"]
    assert (list(results.measured), results.failed) == (["popularity", "both"], {"item_knn": "no memory"})

    refit(executor, run, "both")
    (job,) = executor.refitted
    assert (job.name, job.split, job.concurrency, job.without) == ("both", "full", 1, ["item_knn"])
