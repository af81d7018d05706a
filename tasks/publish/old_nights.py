"""The working files of old nights: they go, since a night that is run again makes them anew; what was found stays."""

import shutil
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from tasks.publish.settings import RetentionSettings
from tasks.store.events import log_event
from tasks.store.feedback import LEARNED
from tasks.store.ids import night_of
from tasks.store.paths import LONG_TERM, Night, Store, entries


def retain_nights(store: Store, settings: RetentionSettings, tonight: date) -> list[str]:
    """Remove the working files of all but the newest nights and tonight's, and return the dates of those that had some.

    The caller holds the store, and no night is running in it. A night keeps its record, its comparison and the
    decision; exports and history are not in its folder, and reports and Data Docs have their own number. Whatever else
    is in there was put there by somebody, and stays.
    """
    nights = store.all_nights()
    if settings.reports is not None:
        _remove_pages(store, {night.run_date for night in nights[: -settings.reports]})
    old = [] if settings.nights is None else nights[: -settings.nights]
    dates = [str(night.run_date) for night in old if night.run_date != tonight and _remove(night)]
    if dates:
        text = f"the working files of {len(dates)} old nights were removed: {dates[0]} to {dates[-1]}"
        log_event("nights", "note", text)
    return dates


def retain_feedback(store: Store, keep_days: int, tonight: date) -> list[date]:
    """Remove what was learned from the lists of nights that are older than some days, and return their dates.

    Files that somebody has put beside it stay.
    """
    old = {day: folder for day, folder in store.feedbacks().items() if day < tonight - timedelta(days=keep_days)}
    for folder in old.values():
        with suppress(OSError):
            for name in LEARNED:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
    return list(old)


def _remove_pages(store: Store, nights: set[date]) -> None:
    """Remove the reports about nights, and their Data Docs."""
    for entry in entries(store.root / "reports"):
        path = Path(entry.path)
        if path.suffix in (".html", ".json") and night_of(path.stem.removesuffix(LONG_TERM)) in nights:
            with suppress(OSError):
                path.unlink()
    for entry in entries(store.root / "quality"):
        if night_of(entry.name) in nights and entry.is_dir(follow_symlinks=False):
            with suppress(OSError):
                shutil.rmtree(entry.path)


def _remove(night: Night) -> list[str]:
    """Remove a night's working files: of each folder the manifest first, so that no half of one passes for whole."""
    gone: list[str] = []
    there = {entry.name for entry in entries(night.folder) if entry.is_dir(follow_symlinks=False)}
    if not there - {night.evaluation.name}:  # of most nights of a store: their turn was long ago
        return gone
    for folder in night.working_folders:
        if folder.name in there:
            with suppress(OSError):  # what cannot be removed tonight may be tomorrow
                (folder / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(folder)
                gone.append(folder.name)
    return gone
