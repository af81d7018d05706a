"""The commands that look back: a report is written again on demand, the newest or the named one."""

from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.flows.running import nightrec

DAY = date(2026, 3, 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with two nights that failed."""
    found = Store(tmp_path / "store")
    for day in (date(2026, 3, 1), DAY):
        write_json(found.night(day).summary, {"run_date": str(day), "status": "failed", "reason": f"no data on {day}"})
    return found


def test_the_command_writes_the_newest_or_the_named_one(store: Store) -> None:
    ran = nightrec("report", cwd=store.root.parent)
    assert (ran.code, ran.out.strip()) == (0, str(store.report(DAY)))
    assert "no data on 2026-03-02" in store.report(DAY).read_text(encoding="utf-8")
    nightrec("report", "--date", "2026-03-01", cwd=store.root.parent)
    assert "no data on 2026-03-01" in store.report(date(2026, 3, 1)).read_text(encoding="utf-8")


def test_the_command_opens_the_page(store: Store) -> None:
    with patch("webbrowser.open", return_value=True) as opened:
        nightrec("report", "--open", cwd=store.root.parent)
    opened.assert_called_once_with(store.report(DAY).as_uri())


def test_a_night_that_is_not_there_is_one_sentence(tmp_path: Path, store: Store) -> None:
    ran = nightrec("report", "--date", "2026-02-01", cwd=tmp_path)
    assert ran.code == 2
    assert "The night 2026-02-01 has left nothing in the store" in " ".join(ran.err.split())
    ran = nightrec("report", "--store", "nowhere", cwd=tmp_path)
    assert (ran.code, "No night has run" in ran.err) == (2, True)


def test_the_status_of_a_store_without_nights_is_one_sentence(tmp_path: Path) -> None:
    ran = nightrec("status", "--store", "nowhere", cwd=tmp_path)
    assert (ran.code, "No night has run in the store nowhere yet" in ran.err) == (2, True)


def test_the_status_shows_the_last_nights(tmp_path: Path, store: Store) -> None:
    ran = nightrec("status", cwd=tmp_path)
    assert ran.code == 0 and "no data on 2026-03-01" in ran.out and "no data on 2026-03-02" in ran.out
    ran = nightrec("status", "--last", "1", cwd=tmp_path)
    assert "2026-03-01" not in ran.out and "2026-03-02" in ran.out
