from datetime import date, timedelta
from pathlib import Path

import pytest

from tasks.publish.old_nights import retain_feedback, retain_nights
from tasks.publish.settings import RetentionSettings
from tasks.store.feedback import LEARNED
from tasks.store.paths import Night, Store
from tests.flows.sites import write

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 5)


@pytest.fixture
def nights(tmp_path: Path) -> list[Night]:
    """Five nights, with what the stages leave of each, and a file that somebody has put beside it."""
    found = [Store(tmp_path).night(FIRST + timedelta(days=n)) for n in range(5)]
    for night in found:
        for path in ("raw/manifest.json", "raw/interactions.parquet", "models/als/model.safetensors", "logs/als.log"):
            write(night.folder / path, "x")
        for path in ("night.json", "evaluation/decision.json", "notes-of-anna.txt"):
            write(night.folder / path, "x")
    return found


def test_the_working_files_of_old_nights_go_and_what_was_found_stays(nights: list[Night]) -> None:
    store = nights[0].store
    assert retain_nights(store, RetentionSettings(nights=2), LAST) == ["2024-03-01", "2024-03-02", "2024-03-03"]
    for night in nights[:3]:
        there = {str(path.relative_to(night.folder)) for path in night.folder.rglob("*") if path.is_file()}
        assert there == {"night.json", "evaluation/decision.json", "notes-of-anna.txt"}
    for night in nights[3:]:
        assert (night.raw / "interactions.parquet").exists() and night.model("als").exists()
    assert retain_nights(store, RetentionSettings(nights=2), LAST) == []


def test_reports_and_data_docs_are_kept_longer_and_go_as_well(nights: list[Night]) -> None:
    store = nights[0].store
    for night in nights:
        for path in (f"reports/{night.run_date}.html", f"reports/{night.run_date}.json", f"quality/{night.run_date}/x"):
            write(store.root / path, "x")
    write(store.root / "reports" / "style.css", "somebody's")
    retain_nights(store, RetentionSettings(nights=2, reports=3), LAST)
    kept = ["2024-03-03", "2024-03-04", "2024-03-05"]
    assert sorted(path.name for path in (store.root / "quality").iterdir()) == kept
    pages = sorted(path.name for path in (store.root / "reports").iterdir())
    assert pages == sorted([*(f"{day}.{kind}" for day in kept for kind in ("html", "json")), "style.css"])


def test_all_nights_are_kept_where_that_is_asked_for(nights: list[Night]) -> None:
    assert retain_nights(nights[0].store, RetentionSettings(nights=None), LAST) == []
    assert retain_nights(nights[0].store, RetentionSettings(), LAST) == []  # 30 are, by default
    assert all(night.raw.exists() for night in nights)


def test_a_night_that_was_made_up_for_keeps_its_files_while_it_is_tonights(nights: list[Night]) -> None:
    gone = retain_nights(nights[0].store, RetentionSettings(nights=1), FIRST)
    assert gone == ["2024-03-02", "2024-03-03", "2024-03-04"]
    assert nights[0].raw.exists()


def test_what_was_learned_is_kept_for_so_many_days_and_what_is_somebodys_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day in range(5):
        for name in LEARNED:
            write(store.feedback(FIRST + timedelta(days=day)) / name, "x")
    write(store.feedback(FIRST) / "notes.txt", "somebody's")
    retain_feedback(store, 2, LAST)
    assert list(store.feedbacks()) == [FIRST, *(FIRST + timedelta(days=day) for day in (2, 3, 4))]
    assert [path.name for path in store.feedback(FIRST).iterdir()] == ["notes.txt"]
