"""From which model of an earlier night a training starts, and when from nothing."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.layout import SPLIT_END, USERS, interactions_file
from tasks.store.files import Json, write_json
from tasks.store.manifests import run_stage
from tasks.store.paths import Night, Store
from tasks.train.jobs import TrainingJob
from tasks.train.stage import recipe_of
from tasks.train.warm import by_current_names, earlier, nights_of
from tests.tasks.site import RUN_DATE
from tests.tasks.training import job

CODE = "1"


@pytest.fixture
def nights(tmp_path: Path) -> list[Night]:
    """Four of them, a day each, which hold out their last days."""
    found = [Store(tmp_path).night(RUN_DATE + timedelta(days)) for days in range(4)]
    for days, night in enumerate(found):
        (night.prepared / interactions_file("train")).parent.mkdir(parents=True)
        pq.write_table(pa.table({"user_id": [1]}), night.prepared / USERS)
        holds_out(night, "days", end=days)
    return found


def holds_out(night: Night, protocol: str, end: int) -> None:
    write_json(night.prepared / "manifest.json", {"summary": {"holdout": {"protocol": protocol}}})
    schema = pa.schema([("user_index", pa.int32())], {SPLIT_END: str(end).encode()})
    pq.write_table(schema.empty_table(), night.prepared / interactions_file("train"))


def asked(night: Night, split: Any = "full", name: str = "als", **parameters: Any) -> TrainingJob:
    return job(night, name, split=split, parameters={"factors": 4} | parameters)


def has_trained(one: TrainingJob, code: str = CODE, **summary: Any) -> Night:
    """Leave a model, as that job would have."""
    made = {"code": code, "inputs": {}, "parameters": recipe_of(one)}
    run_stage(one.fitted(one.night), lambda _: summary, fresh=True, **made)  # type: ignore[arg-type]
    return one.night


def start_of(one: TrainingJob, code: str = CODE) -> Night | None:
    found = earlier(one, recipe_of(one), code)
    return found.night if found else None


def test_a_refit_starts_from_the_newest_refit_of_the_same_recipe_and_code(nights: list[Night]) -> None:
    first, second, third, _ = nights
    for night in (first, second):
        has_trained(asked(night))
    assert [start_of(asked(night)) for night in (first, second, third)] == [None, first, second]
    assert start_of(asked(third, factors=5)) is None
    assert start_of(asked(third), code="2") is None
    assert start_of(asked(third, warm_start="no")) is None
    assert start_of(job(third, "item_knn", split="full")) is None
    assert start_of(asked(third).model_copy(update={"fresh": True})) is None
    assert start_of(asked(third).model_copy(update={"warm_nights": 0})) is None
    assert start_of(asked(third).model_copy(update={"replicate": 1})) is None  # it would have seen the other users
    shutil.rmtree(second.champion)
    assert start_of(asked(third)) == first


def test_after_so_many_nights_in_a_row_a_training_starts_from_nothing(nights: list[Night]) -> None:
    rows: list[Json] = []
    for night in nights:
        one = asked(night).model_copy(update={"warm_nights": 2})
        start = earlier(one, recipe_of(one), CODE)
        told = start.told({"warm": True, "changed": {"rows": 0.01}, "message": "fitted"}) if start else {}
        rows.append(told.get("warm", {}))
        has_trained(one, **told)
    days = [str(night.run_date) for night in nights]
    assert [(row.get("night"), row.get("nights"), row.get("since")) for row in rows] == [
        (None, None, None),
        (days[0], 1, days[0]),
        (days[1], 2, days[0]),
        (None, None, None),
    ]
    assert nights_of(rows[2], nights[2].run_date) == [nights[0].run_date, nights[1].run_date]  # type: ignore[arg-type]
    assert nights_of({"changed": {}}, date.max) == []


def test_a_training_that_refused_its_start_is_the_first_of_a_new_row(nights: list[Night]) -> None:
    first, second, third, _ = nights
    has_trained(asked(first), warm={"changed": {}, "night": "2026-03-01", "nights": 4, "since": "2026-02-25"})
    start = earlier(asked(second), recipe_of(asked(second)), CODE)
    assert start is not None and (start.nights, start.since) == (5, "2026-02-25")
    told = start.told({"warm": False, "changed": {"rows": 0.1, "items": 0.314, "users": 0.0}, "message": "fitted"})
    assert told["message"] == "fitted, from nothing, as 31% of the items are new"
    has_trained(asked(second), **told)
    start = earlier(asked(third), recipe_of(asked(third)), CODE)
    assert start is not None and (start.nights, start.since) == (1, str(second.run_date))


def test_the_comparison_never_starts_from_a_model_that_has_seen_its_holdout(nights: list[Night]) -> None:
    """Neither from a refit, nor from a training that ended later, nor where other rows are held out than days."""
    first, second, third, _ = nights
    has_trained(asked(first))  # a refit, which has seen everything
    assert start_of(asked(second, "train")) is None
    has_trained(asked(first, "train"))
    assert start_of(asked(second, "train")) == first
    holds_out(first, "days", end=2)  # tonight's holdout begins at 1
    assert start_of(asked(second, "train")) is None
    assert start_of(asked(third, "train")) == first
    for protocols in (("last", "last"), ("last", "days"), ("days", "last"), ("users", "users")):
        for night, protocol in zip((first, second), protocols, strict=True):
            holds_out(night, protocol, end=0)
        assert start_of(asked(second, "train")) is None, protocols
    assert start_of(asked(second)) == first  # the refit goes on from the refit all the same
    (first.prepared / "manifest.json").unlink()
    holds_out(second, "days", end=1)
    assert start_of(asked(second, "train")) is None


def test_a_model_that_is_warm_in_the_refit_alone_is_compared_from_nothing(nights: list[Night]) -> None:
    first, second, *_ = nights
    for split in ("train", "full"):
        has_trained(asked(first, split, warm_start="refit"))
    assert start_of(asked(second, "train", warm_start="refit")) is None
    assert start_of(asked(second, "full", warm_start="refit")) == first


def test_a_damaged_model_or_one_whose_users_are_unknown_is_no_start(nights: list[Night]) -> None:
    first, second, third, _ = nights
    for night in (first, second):
        has_trained(asked(night))
    (second.prepared / USERS).unlink()
    assert start_of(asked(third)) == first
    (first.champion / "manifest.json").write_text("{}")
    assert start_of(asked(third)) is None


def test_a_recipe_of_an_earlier_release_is_the_same_under_the_names_of_today() -> None:
    stored = {"recommender": "als", "params": {"unobserved": 5.0, "factors": 8}, "seed": 0}
    assert by_current_names(stored) == {"recommender": "als", "params": {"alpha": 5.0, "factors": 8}, "seed": 0}
    foreign = {"recommender": "nowhere.models:Margin", "params": {}, "seed": 0}
    assert by_current_names(foreign) == foreign  # and nothing is imported
