"""Replicates of the winner are fitted where exploration wants them, and what cannot be fitted costs no night."""

from pathlib import Path

import pytest

from flows.execution.replicates import fit_replicates
from flows.execution.training import jobs_for
from flows.settings.site import NightConfig
from recmodels.errors import NightrecError
from tasks.exploration.settings import ExplorationSettings
from tasks.store.manifests import Manifest
from tasks.store.paths import Store
from tasks.train.jobs import TrainingJob
from tests.flows.execution.test_training import CANDIDATES, Recorder, compared
from tests.flows.sites import DAY

THOMPSON = ExplorationSettings(epsilon=0.1, way="thompson", replicates=4)


class Failing(Recorder):
    """Cannot fit some replicates, by their numbers."""

    def __init__(self, *numbers: int) -> None:
        super().__init__("")
        self.numbers = numbers

    def refit(self, job: TrainingJob) -> Manifest:
        found = super().refit(job)
        if job.replicate in self.numbers:
            raise OSError("no room") if job.replicate == 1 else NightrecError("no memory")
        return found


def fitted(root: Path, executor: Recorder, settings: ExplorationSettings = THOMPSON) -> list[int]:
    jobs = jobs_for(Store(root).night(DAY), NightConfig(), CANDIDATES, fresh=True, lease="mine")
    return fit_replicates(executor, jobs, compared("item_knn"), settings)


def test_the_winner_is_fitted_so_often_each_in_a_folder_of_its_own(tmp_path: Path) -> None:
    executor = Recorder("")
    assert fitted(tmp_path, executor) == [1, 2, 3, 4]
    night = Store(tmp_path).night(DAY)
    assert [(job.name, job.split, job.label, job.fitted(night), job.alive.name) for job in executor.refitted] == [
        (
            "item_knn",
            "full",
            f"replicate-item_knn-{number}",
            night.folder / "replicates" / str(number),
            f"item_knn-replicate-{number}.alive",
        )
        for number in (1, 2, 3, 4)
    ]


def test_one_that_fails_is_left_out_and_after_two_no_other_is_tried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert fitted(tmp_path, Failing(1)) == [2, 3, 4]
    assert "replicate item_knn-1: could not be fitted, and proposes nothing: no room" in caplog.text
    executor = Failing(2, 3)
    assert fitted(tmp_path, executor) == [1] and len(executor.refitted) == 3
    assert "Nothing is explored" not in caplog.text
    assert fitted(tmp_path, Failing(1, 2)) == []
    assert "Nothing is explored tonight: no replicate of item_knn could be fitted" in caplog.text


def test_a_site_that_explores_otherwise_or_not_at_all_pays_nothing(tmp_path: Path) -> None:
    executor = Recorder("")
    for settings in (ExplorationSettings(epsilon=0.1), ExplorationSettings(way="thompson")):
        assert fitted(tmp_path, executor, settings) == [] and not executor.refitted
