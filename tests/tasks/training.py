"""A job, and a candidate trained by it: what the tests of training start from."""

from typing import Any

from tasks.lists.settings import ListSettings
from tasks.store.files import Json
from tasks.store.paths import Night
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate, EvaluationSettings
from tasks.train.stage import train

MANIFEST = {"output": "as prepared"}
RULES = ListSettings(k=3)


def job(night: Night, name: str, rules: ListSettings = RULES, split: Any = "train", **candidate: Any) -> TrainingJob:
    return TrainingJob(
        store=night.store.root,
        run_date=night.run_date,
        name=name,
        candidate=Candidate(**candidate),
        rules=rules,
        evaluation=EvaluationSettings(),
        split=split,
        concurrency=2,
    )


def trained(night: Night, name: str, rules: ListSettings = RULES, **candidate: Any) -> Json:
    return train.fn(job(night, name, rules, **candidate), MANIFEST, MANIFEST)
