"""The working files of old nights: they go, since a night that is run again makes them anew; what was found stays."""

import shutil

from tasks.publish.settings import RetentionSettings
from tasks.store.events import log_event
from tasks.store.paths import Night, Store


def retain_nights(store: Store, settings: RetentionSettings) -> list[str]:
    """Remove the working files of all but the newest nights, and return the dates of those that had some.

    A night keeps its record, its comparison and the decision; exports, history and reports are not in its folder.
    Whatever else is in there was put there by somebody, and stays.
    """
    if settings.nights is None:
        return []
    old = [night for night in store.all_nights()[: -settings.nights] if any(_remove(night))]
    dates = [str(night.run_date) for night in old]
    if dates:
        log_event(
            "nights", "note", f"the working files of {len(dates)} old nights were removed: {', '.join(dates[:3])}"
        )
    return dates


def _remove(night: Night) -> list[str]:
    """Remove a night's working files: of each folder the manifest first, so that no half of one passes for whole."""
    gone = []
    for folder in night.working_folders:
        if folder.is_dir() and not folder.is_symlink():
            (folder / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return gone
