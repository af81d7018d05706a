"""Where the parts of work in progress lie."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tasks.store.engine_parts import BEGAN, began, engine_parts
from tasks.store.files import write_json
from tasks.store.leftovers import leftovers, sweep, sweep_night
from tasks.store.paths import Night, Store


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(date(2026, 1, 1))


def cut_short(night: Night) -> Path:
    with pytest.raises(InterruptedError), engine_parts(night, "prepare") as folder:
        (folder / "b0").mkdir()
        (folder / ".tmp-b1-0a").mkdir()
        raise InterruptedError
    return folder


def test_parts_go_when_the_work_is_done(night: Night) -> None:
    with engine_parts(night, "prepare") as folder, engine_parts(night, "train-als") as other:
        (folder / "b0").mkdir()
        assert other.is_dir()
    assert list(night.folder.iterdir()) == []


def test_a_run_that_was_cut_short_is_gone_on_with(night: Night) -> None:
    folder = cut_short(night)
    sweep_night(night)
    sweep(night.store)
    assert [path.name for path in folder.iterdir()] == ["b0"]
    with engine_parts(night, "prepare") as again:
        assert (again / "b0").is_dir()
    assert not folder.exists()


def test_a_fresh_run_takes_nothing_over(night: Night) -> None:
    cut_short(night)
    with engine_parts(night, "prepare", fresh=True) as folder:
        assert list(folder.iterdir()) == []


def test_work_that_goes_on_is_judged_by_the_clock_of_its_beginning_for_a_day(night: Night) -> None:
    """Or what is told the time would be made again by each run."""
    folder = cut_short(night)
    first = began(folder)
    assert began(folder) == first and datetime.now(UTC) - first < timedelta(minutes=1)
    for then in (first - timedelta(days=1), first + timedelta(hours=1)):  # too long ago; by a clock that was ahead
        write_json(folder / BEGAN, {"at": then.isoformat()})
        assert first <= began(folder) != then
    (folder / BEGAN).write_text("{}")
    assert began(folder) >= first and began(folder) == began(folder)
    assert began(None) >= first


def test_parts_of_a_night_that_has_ended_are_leftovers(night: Night) -> None:
    cut_short(night)
    assert leftovers(night.store) == [night.folder / "parts" / "prepare" / ".tmp-b1-0a"]
    write_json(night.summary, {"status": "published"})
    assert leftovers(night.store) == [night.all_parts]
    sweep(night.store)
    assert not night.all_parts.exists()


def test_retention_knows_parts(night: Night) -> None:
    assert night.all_parts in night.working_folders
