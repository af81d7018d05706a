"""Where everything of a site lies."""

from datetime import date
from pathlib import Path

from tasks.store.leftovers import sweep, sweep_night
from tasks.store.paths import Store


def test_sweeping_removes_what_a_killed_night_left(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 1, 1))
    for folder in (night.folder / ".tmp-raw", night.folder / "models" / ".tmp-ease", night.store.exports / ".tmp-x"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    night.raw.mkdir()
    (night.raw / "manifest.json").touch()
    (night.raw / "x.parquet").touch()
    sweep_night(night)
    sweep(night.store)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["manifest.json", "x.parquet"]
