"""What a night does with the runs of its models on workers, decided run by run."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    InfrastructurePending,
    Late,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    State,
    Submitting,
    Suspended,
)

from flows.execution import work_pool_executor
from flows.execution.run_states import PHASES, STEPS, Next, Phase, Sight, step
from flows.execution.work_pool_executor import WorkerRun, WorkPoolExecutor
from flows.settings.schedule import WorkerSettings
from tasks.evaluate.stage import recipe
from tasks.lists.settings import ListSettings
from tasks.store.lease import touch
from tasks.store.manifests import Recipe, run_stage
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate, EvaluationSettings
from tasks.train.stage import listing, making
from tests.flows.sites import DAY

CLIENT = cast(SyncPrefectClient, None)


class Site(WorkPoolExecutor):
    """Pools whose workers, runs and clock are the test's."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, workers: dict[str, int], **settings: Any) -> None:
        super().__init__(WorkerSettings(**settings))
        self.folder, self.workers, self.now = folder, workers, 1000.0
        self.sent: list[tuple[str, str, int]] = []
        self.stopped: list[Any] = []
        self.trained_locally: list[str] = []
        monkeypatch.setattr(work_pool_executor, "monotonic", lambda: self.now)
        monkeypatch.setattr(work_pool_executor, "end_runs", lambda client, ids, patience=45: self.stopped.extend(ids))
        monkeypatch.setattr(work_pool_executor, "write_off", lambda client, id_, why: self.stopped.append(why))
        monkeypatch.setattr(
            work_pool_executor.local_run, "submit", lambda job: self.trained_locally.append(job.candidate.device)
        )

    def live_workers(self, client: SyncPrefectClient, pool: str) -> int:
        return self.workers.get(pool, 0)

    def in_containers(self, client: SyncPrefectClient, pool: str) -> bool:
        return False

    def send(self, client: SyncPrefectClient, job: TrainingJob, pool: str, tries: int = 1) -> None:
        self.sent.append((job.name, pool, tries))
        self.runs[job.name] = WorkerRun(job, pool, uuid4(), self.now, tries=tries)

    def job(self, name: str, **candidate: Any) -> TrainingJob:
        return TrainingJob(
            store=self.folder,
            run_date=DAY,
            name=name,
            candidate=Candidate(**candidate),
            rules=ListSettings(k=10),
            evaluation=EvaluationSettings(),
        )

    def dispatched(self, name: str, **candidate: Any) -> WorkerRun:
        job = self.job(name, **candidate)
        self.send(CLIENT, job, job.candidate.workplace)
        return self.runs[name]

    def sees(self, run: WorkerRun, state: "State[Any]") -> None:
        self.follow(CLIENT, run, FlowRun(id=run.id, flow_id=uuid4(), state=state))


def test_a_pool_without_a_worker_sends_its_models_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    run = site.dispatched("ease", device="gpu")
    site.sees(run, Scheduled())
    site.sees(run, Scheduled())
    assert site.stopped == [run.id]
    assert site.sent == [("ease", "gpu", 1), ("ease", "cpu", 1)]
    assert site.runs["ease"].job.candidate.device == "auto"


def test_without_any_worker_the_nights_own_process_trains_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {})
    run = site.dispatched("ease", device="gpu")
    site.sees(run, Scheduled())
    site.sees(run, Scheduled())
    assert site.trained_locally == ["auto"]
    assert site.runs == {}


def test_a_pool_without_a_worker_can_cost_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1}, without_worker="skip")
    run = site.dispatched("ease", pool="gpu")
    site.sees(run, Pending())
    site.sees(run, Pending())
    assert site.results.failed == {"ease": "the pool gpu has no live worker; start one with `nightrec worker gpu`"}


def test_a_worker_that_comes_late_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, {}, without_worker="wait", start_minutes=5)
    run = site.dispatched("ease", pool="gpu")
    for _ in range(4):
        site.sees(run, Scheduled())
        site.now += 60
    assert site.results.failed == {}
    site.now += 120
    site.sees(run, Scheduled())
    assert site.results.failed == {"ease": "no worker of the pool gpu took it up in 5 minutes"}
    assert site.stopped == [run.id]


def test_a_silent_worker_is_given_up_and_its_run_written_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1}, lost_seconds=30)
    run = site.dispatched("ease")
    site.sees(run, Running())
    touch(run.job.alive)
    site.now += 100
    site.sees(run, Running())
    assert site.results.failed == {}  # it has just shown a sign of life
    run.job.alive.unlink()
    site.sees(run, Running())
    assert site.results.failed == {"ease": "its worker in the pool cpu died"}
    assert "sign of life" in site.stopped[0]


def test_a_run_that_goes_on_for_ever_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1}, lost_seconds=10**6)
    run, other = site.dispatched("ease", timeout_minutes=10), site.dispatched("item_knn", timeout_minutes=20)
    site.sees(run, Running())
    site.now += 60 * 30 + work_pool_executor.GRACE - 1  # at worst the two came one after the other
    site.sees(run, Running())
    assert site.results.failed == {}
    site.now += 2
    site.sees(run, Running())
    assert site.results.failed == {"ease": "it was still going on long after its time limit"}
    assert list(site.runs.values()) == [other]


@pytest.mark.parametrize(
    ("state", "minutes", "why"),
    [
        (Scheduled(), 5, "no worker of the pool cpu took it up in 5 minutes"),
        (Late(), 5, "no worker of the pool cpu took it up in 5 minutes"),
        (AwaitingRetry(), 5, "no worker of the pool cpu took it up in 5 minutes"),
        (Paused(timeout_seconds=60), 5, "it was paused, and not resumed in 5 minutes"),
        (Suspended(timeout_seconds=60), 5, "it was paused, and not resumed in 5 minutes"),
        (Cancelling(), 0.5, "it was cancelled, and its worker did not end it in 30 s"),
        (Running(), 0.5, "its worker in the pool cpu died"),
        (Retrying(), 0.5, "its worker in the pool cpu died"),
    ],
    ids=lambda value: value.name if isinstance(value, State) else None,
)
def test_every_state_that_a_run_can_stay_in_has_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: "State[Any]", minutes: float, why: str
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1}, start_minutes=5, lost_seconds=30)
    run = site.dispatched("ease")
    site.sees(run, state)
    assert site.results.failed == {}
    site.now += minutes * 60 + 1
    site.sees(run, state)
    assert site.results.failed == {"ease": why}
    assert len(site.stopped) == 1 and site.runs == {}


@pytest.mark.parametrize("state", [Pending(), Submitting(), InfrastructurePending()], ids=lambda state: state.name)
def test_a_run_whose_worker_died_before_it_began_is_started_again_though_another_worker_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: "State[Any]"
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1}, begin_minutes=3)
    for tries in (1, 2):
        run = site.runs.get("ease") or site.dispatched("ease")
        site.now += 1000
        site.sees(run, Scheduled())  # however long it has waited before
        site.sees(run, state)
        site.now += 179
        site.sees(run, state)
        assert site.sent[-1] == ("ease", "cpu", tries)
        site.now += 2
        site.sees(run, state)
    assert site.sent == [("ease", "cpu", 1), ("ease", "cpu", 2)]
    why = "the worker of the pool cpu that took it up did not begin it in 3 minutes"
    assert site.results.failed == {"ease": why} and site.stopped == [why, why]


def test_a_container_may_take_longer_to_begin() -> None:
    settings = WorkerSettings(begin_minutes=3)
    for minutes, in_containers, what in ((4, False, Next.AGAIN), (4, True, Next.WAIT), (16, True, Next.AGAIN)):
        sight = Sight(Phase.BEGINNING, "gpu", lasting=60 * minutes, in_containers=in_containers)
        assert step(sight, settings).next is what


def test_every_state_of_prefect_has_a_step() -> None:
    assert set(PHASES) == set(StateType)
    assert set(STEPS) == set(Phase) == set(PHASES.values())


def test_a_run_that_was_deleted_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    site.follow(CLIENT, site.dispatched("ease"), None)
    assert site.results.failed == {"ease": "its run was deleted"} and site.runs == {}


def test_a_run_that_was_stopped_with_its_worker_is_started_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    site.sees(site.dispatched("ease"), Crashed(message="aborted"))
    assert site.sent == [("ease", "cpu", 1), ("ease", "cpu", 2)]
    site.sees(site.runs["ease"], Crashed(message="aborted"))
    assert site.results.failed == {"ease": "aborted"}


def test_what_failed_or_was_cancelled_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    failed = Failed(message="Flow run encountered an exception: NightrecError: ease failed: no memory\nand more")
    site.sees(site.dispatched("ease"), failed)
    site.sees(site.dispatched("item_knn"), Cancelled())
    assert site.results.failed == {"ease": "ease failed: no memory", "item_knn": "Cancelled"}


def test_a_run_that_ends_well_and_leaves_nothing_sees_another_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    site.sees(site.dispatched("ease"), Completed())
    assert "is that its worker's store" in site.results.failed["ease"]


def has_done(job: TrainingJob) -> Path:
    """Leave what a finished job leaves; the file of its figures."""

    def build(out: Path) -> dict[str, str]:
        (out / "figures").write_text("0.25")
        return {"message": "NDCG@10 0.25"}

    night, plain = job.night, Recipe(code="1", inputs={}, parameters={})
    prepared = run_stage(night.prepared, build, **plain)
    described = run_stage(night.features / job.split, build, **plain)
    model = making(job, prepared, described).recipe
    if job.split == "full":
        run_stage(night.champion, build, **model)
        return night.champion / "figures"
    lists = run_stage(night.toplists(job.name), build, **listing(job, model, prepared))
    run_stage(night.metrics(job.name), build, **recipe(job, lists, prepared))
    return night.metrics(job.name) / "figures"


def test_what_an_earlier_run_of_the_night_has_done_is_asked_of_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_pool_executor, "get_client", lambda sync_client: nullcontext())
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    done, other = site.job("item_knn"), site.job("ease")
    figures = has_done(done)
    site.start([done, other])
    assert site.sent == [("ease", "cpu", 1)]
    assert site.results.measured["item_knn"]["summary"] == {"message": "NDCG@10 0.25"}
    for again in (done.model_copy(update={"fresh": True}), done.model_copy(update={"seed": 1})):
        site.start([again])
        assert site.sent.pop() == ("item_knn", "cpu", 1)
    figures.write_text("0.52")  # not what was written
    site.start([done])
    assert site.sent.pop() == ("item_knn", "cpu", 1)


def test_a_winner_that_is_refitted_already_is_asked_of_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, monkeypatch, {"cpu": 1})
    winner = site.job("item_knn").model_copy(update={"split": "full"})
    has_done(winner)
    assert site.refit(winner)["skipped"]
    assert site.sent == []
