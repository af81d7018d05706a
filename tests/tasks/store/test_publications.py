"""When readers were shown which export, by the record of switches."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.store.paths import Store
from tasks.store.publications import first_published, publications

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def site(root: Path, *lines: tuple[datetime, str, str]) -> Store:
    store = Store(root)
    written = [{"at": at.isoformat(), "export_id": name, "instead_of": None, "by": by} for at, name, by in lines]
    (root / "published.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
    for export_id in {name for _, name, _ in lines}:
        path = store.export_manifest(export_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        day = datetime.fromisoformat(export_id).replace(tzinfo=UTC)
        about = {
            "export_id": export_id,
            "run_date": export_id,
            "cutoff": day.isoformat(),
            "champion": "ease",
            "files": [],
        }
        path.write_text(json.dumps(about))
    return store


def test_an_export_counts_from_when_readers_were_pointed_to_it_and_a_rollback_shows_another(tmp_path: Path) -> None:
    first, second = DAY + timedelta(hours=5), DAY + timedelta(days=1, hours=5)
    back = second + timedelta(hours=3)
    store = site(
        tmp_path, (first, "2026-03-01", "night"), (second, "2026-03-02", "night"), (back, "2026-03-01", "rollback")
    )
    found = publications(store, DAY + timedelta(days=3))
    assert found == [("2026-03-01", first), ("2026-03-02", second), ("2026-03-01", back)]
    assert publications(store, second) == [("2026-03-01", first)]
    assert first_published(store, DAY + timedelta(days=3)) == {"2026-03-01": first, "2026-03-02": second}


def test_a_night_that_was_run_later_counts_from_its_cutoff_whether_or_not_its_export_is_there(tmp_path: Path) -> None:
    years_later = DAY + timedelta(days=900)
    store = site(tmp_path, (years_later, "2026-03-01", "night"), (years_later, "2026-03-02", "night"))
    gone = store.export_manifest("2026-03-01")
    (gone.parent / "removed").mkdir()
    gone.rename(gone.parent / "removed" / gone.name)
    found = publications(store, DAY + timedelta(days=2))
    assert found == [("2026-03-01", DAY), ("2026-03-02", DAY + timedelta(days=1))]
