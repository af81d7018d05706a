"""Tonight's training jobs and the order in which they run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.execution.results import Results
from flows.execution.sizing import Sized
from flows.execution.training import indispensable, jobs_for, refit, train_all
from flows.settings.site import NightConfig
from recmodels.errors import EngineUnavailable, NightrecError
from tasks.compare.decision import Incumbent
from tasks.errors import GateRefused
from tasks.store.files import digest
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
    """An executor that trains nothing: one candidate fails, as often as it is said, the others leave their names."""

    def __init__(self, failing: str, times: int = 99) -> None:
        self.failing, self.times = failing, times
        self.started: list[list[TrainingJob]] = []
        self.refitted: list[TrainingJob] = []

    def start(self, jobs: Sequence[TrainingJob]) -> None:
        self.started.append(list(jobs))

    def wait(self) -> Results:
        results = Results()
        for job in self.started[-1]:
            if self.fails(job):
                results.failed[job.name] = "no memory"
            else:
                results.measured[job.name] = measured(0.3)
        return results

    def refit(self, job: TrainingJob) -> Manifest:
        self.refitted.append(job)
        if self.fails(job):
            raise NightrecError("no memory")
        return {"stage": job.name}  # type: ignore[typeddict-item]

    def fails(self, job: TrainingJob) -> bool:
        if job.name != self.failing or self.times == 0:
            return False
        self.times -= 1
        return True


def measured(ndcg: float) -> Manifest:
    return {"summary": {"metrics": {"ndcg": {"value": ndcg}}}}  # type: ignore[typeddict-item]


def compared(winner: str, verdict: str = "stays", refused: str | None = None) -> Manifest:
    """The manifest of a comparison that ended like this."""
    gate = {"winner": winner, "reason": "best", "verdict": verdict, "refused": refused}
    figures = {"metrics": {}, "failed": {}, "k": 10, "users": 4, "models": {}}
    return {"summary": {"winner": winner, "reason": "best", "gate": gate} | figures}  # type: ignore[typeddict-item]


@pytest.fixture
def jobs(tmp_path: Path) -> list[TrainingJob]:
    config = NightConfig.model_validate(
        {"memory": "1GiB", "training": {"seed": 7, "parallel": 2}, "evaluation": {"k": 20}}
    )
    return jobs_for(Store(tmp_path).night(DAY), config, CANDIDATES, fresh=True, lease="mine")


def test_each_candidate_has_a_job_with_the_settings_of_the_site(jobs: list[TrainingJob], tmp_path: Path) -> None:
    assert [job.name for job in jobs] == list(CANDIDATES)
    for job in jobs:
        assert (job.store, job.run_date, job.seed, job.rules.k, job.lease, job.fresh) == (
            tmp_path, DAY, 7, 20, "mine", True,
        )  # fmt: skip
        assert job.concurrency <= 2 and job.memory == 2**30


def test_ensembles_come_last_and_go_without_what_failed(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="item_knn")
    run, results = train_all(executor, Sized(jobs))
    assert [[job.name for job in started] for started in executor.started] == [["popularity", "item_knn"], ["both"]]
    assert executor.started[1][0].without == ["item_knn"]
    assert (list(results.measured), results.failed) == (["popularity", "both"], {"item_knn": "no memory"})

    comparison = compared("both")
    assert refit(executor, run, comparison, judge=compared)[0] is comparison
    (job,) = executor.refitted
    assert (job.name, job.split, job.concurrency, job.without) == ("both", "full", 1, ["item_knn"])


def test_what_the_night_needs_is_tried_once_more_with_the_machine_to_itself(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="popularity", times=1)
    _, results = train_all(executor, Sized(jobs), needed={"popularity"})
    assert [[job.name for job in started] for started in executor.started] == [
        ["popularity", "item_knn"], ["popularity"], ["both"],
    ]  # fmt: skip
    (second,) = executor.started[1]
    assert (second.attempt, second.concurrency) == (2, 1)
    assert executor.started[2][0].without == []
    assert (list(results.measured), results.failed) == (["popularity", "item_knn", "both"], {})


def test_the_longest_begin_first_and_results_keep_the_order_of_the_candidates(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="")
    two = [job.model_copy(update={"concurrency": 2}) for job in jobs]
    tonight = Sized(two, seconds={"popularity": 2.0, "item_knn": 40.0, "both": 1.0})
    run, results = train_all(executor, tonight)
    assert [[job.name for job in started] for started in executor.started] == [["item_knn", "popularity"], ["both"]]
    assert [job.name for job in run] == list(results.measured) == ["popularity", "item_knn", "both"]


def test_what_is_left_out_has_failed_for_the_night_and_for_ensembles(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="")
    rest = [job for job in jobs if job.name != "item_knn"]
    _, results = train_all(executor, Sized(rest, left_out={"item_knn": "is left out: too large"}))
    assert results.failed == {"item_knn": "is left out: too large"}
    assert executor.started[1][0].without == ["item_knn"]


def test_figures_that_are_no_numbers_are_made_again(jobs: list[TrainingJob]) -> None:
    figures = iter([float("nan"), 0.2])

    class Flawed(Recorder):
        def wait(self) -> Results:
            return Results({job.name: measured(next(figures)) for job in self.started[-1]})

    executor = Flawed(failing="")
    _, results = train_all(executor, Sized([jobs[1].model_copy(update={"fresh": False})]), needed={"popularity"})
    assert executor.started[1][0].fresh
    assert results == Results({"popularity": measured(0.2)})


def test_what_the_night_can_do_without_is_not_tried_again(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="item_knn")
    train_all(executor, Sized(jobs), needed={"popularity"})
    assert len(executor.started) == 2


def test_a_night_needs_its_champion_and_what_is_required_or_chosen() -> None:
    candidates = {"a": Candidate(required=True), "b": Candidate(), "c": Candidate(), "d": Candidate()}
    champion = Incumbent(name="b", published_as="b", export_id="x", recommender="als", params={})
    assert indispensable(candidates, champion, (None, "c")) == {"a", "b", "c"}
    assert indispensable(candidates, None, (None, "gone")) == {"a"}


def test_a_winner_that_cannot_be_fitted_is_tried_twice_and_then_another_is_named(jobs: list[TrainingJob]) -> None:
    executor, asked = Recorder(failing="item_knn"), []

    def judge(unfit: dict[str, str]) -> Manifest:
        asked.append(dict(unfit))
        return compared("popularity")

    comparison, fitted = refit(executor, jobs, compared("item_knn"), judge)
    assert [(job.name, job.attempt) for job in executor.refitted] == [
        ("item_knn", 1), ("item_knn", 2), ("popularity", 1),
    ]  # fmt: skip
    assert asked == [{"item_knn": "no memory"}]
    assert (comparison["summary"]["winner"], fitted["stage"]) == ("popularity", "popularity")


def test_a_cluster_that_is_lost_is_no_fault_of_a_model(jobs: list[TrainingJob]) -> None:
    class Lost(Recorder):
        def refit(self, job: TrainingJob) -> Manifest:
            self.refitted.append(job)
            raise EngineUnavailable("The head is lost")

    executor = Lost(failing="")
    with pytest.raises(EngineUnavailable, match="The head is lost"):
        refit(executor, jobs, compared("item_knn"), lambda unfit: pytest.fail("another model is looked for"))
    assert len(executor.refitted) == 1


def test_a_champion_that_has_failed_twice_is_fitted_only_once(jobs: list[TrainingJob]) -> None:
    executor = Recorder(failing="item_knn")
    comparison, _ = refit(executor, jobs, compared("item_knn", "unmeasured"), lambda unfit: compared("popularity"))
    assert [job.name for job in executor.refitted] == ["item_knn", "popularity"]
    assert comparison["summary"]["winner"] == "popularity"


def test_nothing_is_fitted_that_the_gate_refuses_and_nothing_instead_of_what_a_person_chose(
    jobs: list[TrainingJob],
) -> None:
    executor = Recorder(failing="item_knn")
    with pytest.raises(GateRefused, match="nobody is as good"):
        refit(executor, jobs, compared("item_knn"), lambda unfit: compared("popularity", refused="nobody is as good"))
    assert [job.name for job in executor.refitted] == ["item_knn", "item_knn"]
    with pytest.raises(NightrecError, match="no memory"):
        refit(executor, jobs, compared("item_knn", "pinned"), lambda unfit: compared("popularity"))


def test_a_job_says_the_same_on_a_worker_as_in_the_night(tmp_path: Path) -> None:
    """What it makes is known again by what it says: a number that is written differently would be another recipe."""
    config = NightConfig()
    for job in jobs_for(Store(tmp_path).night(DAY), config, config.enabled_models(), fresh=False, lease=""):
        sent = TrainingJob.model_validate(job.model_dump(mode="json"))
        assert digest(sent.model_dump()) == digest(job.model_dump())
