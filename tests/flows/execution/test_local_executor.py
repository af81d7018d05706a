"""This machine trains as many candidates as share it, in the order that it is given."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flows.execution import local_executor
from flows.execution.local_executor import LocalExecutor
from flows.execution.training import jobs_for
from flows.settings.site import NightConfig
from recmodels.engine.choice import EngineChoice
from tasks.store.paths import Store
from tasks.train.settings import Candidate
from tests.flows.sites import DAY


class Done:
    """A future that has ended well."""

    def __init__(self, name: str) -> None:
        self.name, self.state = name, self

    def wait(self) -> None: ...

    def is_completed(self) -> bool:
        return True

    def result(self) -> str:
        return self.name


class Task:
    """A task that ends at once; `begun` are the names in the order in which it was begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def submit(self, job: Any, *rest: Any) -> Done:
        self.begun.append(job.name)
        return Done(job.name)


def test_no_more_begin_than_share_the_machine_and_the_others_follow_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = iter(["b", "c", "a", "d"])
    running: list[list[str]] = []

    def next_to_end(futures: Sequence[Done]) -> Any:
        running.append(sorted(future.name for future in futures))
        name = next(ends)
        return (future for future in futures if future.name == name)

    training = Task()
    for name, stand_in in {"train": training, "evaluate": Task(), "as_completed": next_to_end}.items():
        monkeypatch.setattr(local_executor, name, stand_in)
    monkeypatch.setattr(local_executor, "features_of", lambda job: ("prepared", "features"))
    config = NightConfig.model_validate({"training": {"parallel": 2}})
    candidates = {name: Candidate(recommender="popularity") for name in "abcd"}
    jobs = jobs_for(Store(tmp_path).night(DAY), config, candidates, fresh=False, lease="")
    executor = LocalExecutor()
    executor.start([job.model_copy(update={"concurrency": 2}) for job in jobs])
    assert training.begun == ["a", "b"]
    assert list(executor.wait().measured) == list("abcd")
    assert training.begun == list("abcd")
    assert running == [["a", "b"], ["a", "c"], ["a", "d"], ["d"]]


def test_what_nodes_train_begins_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Task()
    monkeypatch.setattr(local_executor, "train", training)
    monkeypatch.setattr(local_executor, "features_of", lambda job: ("prepared", "features"))
    candidates = {name: Candidate() for name in ("als", "bpr", "item_knn", "ease")}
    night, config = Store(tmp_path).night(DAY), NightConfig.model_validate({"training": {"parallel": 1}})
    jobs = jobs_for(night, config, candidates, fresh=False, lease="", engine=EngineChoice("ray"))
    LocalExecutor().start(jobs)
    assert training.begun == ["als", "bpr"]
