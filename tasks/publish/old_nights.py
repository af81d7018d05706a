"""The working files of old nights: they go, since a night that is run again makes them anew; what was found stays."""

import shutil
from contextlib import suppress
from datetime import date

from tasks.publish.settings import RetentionSettings
from tasks.store.events import log_event
from tasks.store.paths import Night, Store


def retain_nights(store: Store, settings: RetentionSettings, tonight: date) -> list[str]:
    """Remove the working files of all but the newest nights and tonight's, and return the dates of those that had some.

    The caller holds the store, and no night is running in it. A night keeps its record, its comparison and the
    decision; exports and history are not in its folder, and reports and Data Docs have their own number. Whatever else
    is in there was put there by somebody, and stays.
    """
    nights = store.all_nights()
    for night in [] if settings.reports is None else nights[: -settings.reports]:
        _remove_pages(night)
    old = [] if settings.nights is None else nights[: -settings.nights]
    dates = [str(night.run_date) for night in old if night.run_date != tonight and _remove(night)]
    if dates:
        text = f"the working files of {len(dates)} old nights were removed: {dates[0]} to {dates[-1]}"
        log_event("nights", "note", text)
    return dates


def _remove_pages(night: Night) -> None:
    """Remove the report about a night, and its Data Docs."""
    page = night.store.report(night.run_date)
    with suppress(OSError):
        for path in (page, page.with_suffix(".json")):
            path.unlink(missing_ok=True)
        docs = night.store.quality(night.run_date)
        if docs.is_dir() and not docs.is_symlink():
            shutil.rmtree(docs)


def _remove(night: Night) -> list[str]:
    """Remove a night's working files: of each folder the manifest first, so that no half of one passes for whole."""
    gone = []
    for folder in night.working_folders:
        if folder.is_dir() and not folder.is_symlink():
            with suppress(OSError):  # what cannot be removed tonight may be tomorrow
                (folder / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(folder)
                gone.append(folder.name)
    return gone
