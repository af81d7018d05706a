"""The nights: their records, what their stages wrote, the figures of the history, and what was learned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path

from flows.operate.doctor.findings import Finding, Site, note
from recmodels.errors import NightrecError
from tasks.replay.run import is_running
from tasks.report.record import NightRecord
from tasks.store import feedback as learning
from tasks.store.history import is_damaged, mend
from tasks.store.leftovers import remove
from tasks.store.locking import in_use
from tasks.store.manifests import damage, lacking, manifest_of, whole
from tasks.store.paths import Night, Store, entries


def look(site: Site) -> Iterator[Finding]:
    """The newest night must be whole; of older ones, damage is told, and stops nobody."""
    nights = site.store.all_nights()
    for night in nights:
        yield from _night(site, night, newest=night == nights[-1])


def _night(site: Site, night: Night, newest: bool) -> Iterator[Finding]:
    again = f"`nightrec run --date {night.run_date}` makes it again"
    if night.summary.exists() and (why := _unreadable(night)):
        yield Finding(why, str(night.summary), again, wrong=newest)
    elif newest and _interrupted(night):
        yield note(f"the night {night.run_date} was interrupted", night.folder, f"{again}, from where it was")
    for path in sorted(night.folder.rglob("manifest.json")):
        if path.parent.name.startswith(".") or path.is_symlink():
            continue
        manifest = manifest_of(path.parent)
        if manifest is None:
            yield Finding("it is damaged, and so the stage counts as not done", str(path), again, wrong=newest)
        elif wrong := (damage if site.deep else lacking)(path.parent, manifest["files"]):
            yield Finding(wrong.removeprefix(f"{path.parent}/"), str(path.parent), again, wrong=newest)


def _unreadable(night: Night) -> str:
    try:
        record = NightRecord.of_night(night)
    except NightrecError:
        return "it is of another form than this version reads"
    return "it is damaged, so nobody knows how the night went" if record is None else ""


def _interrupted(night: Night) -> bool:
    record = NightRecord.of_night(night)
    return record is not None and record.unfinished and not in_use(night.store)


def history(site: Site) -> Iterator[Finding]:
    """The figures of past nights, which later nights compare with."""
    for run_date, path in site.store.histories().items():
        if is_damaged(path):
            what = "it is damaged, and later nights go on without its figures"
            todo = "makes it again from the night's folder, or puts it aside under another name"
            yield Finding(what, str(path), todo, partial(_mended, site.store, run_date, path))


def feedback(site: Site) -> Iterator[Finding]:
    """What was learned from the lists of past nights."""
    for run_date, folder in site.store.feedbacks().items():
        for path in (folder / name for name in learning.LEARNED):
            if path.exists() and learning.is_damaged(path):
                what = f"it is damaged, and what is made of it goes on without the night {run_date}"
                yield Finding(what, str(path), "removes it, as nobody can read it", partial(_removed, path))


def panel(site: Site) -> Iterator[Finding]:
    """What past nights have measured of the long run."""
    for run_date, folder in site.store.panels().items():
        if whole(folder) is None:
            what = f"it is damaged, and slopes go on without the night {run_date}"
            yield Finding(what, str(folder), "removes it; its night makes it again", partial(_removed, folder))


def replays(site: Site) -> Iterator[Finding]:
    """What replays keep of their nights."""
    for name, store in site.store.replays().items():
        running = is_running(store)
        for night in () if running else store.all_nights():
            for entry in entries(night.folder / "measured"):
                if not entry.name.startswith(".") and whole(Path(entry.path)) is None:
                    what = f"it is damaged, and the replay {name} would measure it again"
                    yield Finding(what, entry.path, "removes it", partial(_removed, Path(entry.path)))
        if not running and (store.root / "data").exists():
            todo = "the same `nightrec replay` goes on where it was; or remove the folder"
            yield note(f"the replay {name} was cut short, and holds a copy of the site's tables", store.root, todo)


def _removed(path: Path) -> str:
    remove(path)
    return "is gone"


def _mended(store: Store, run_date: date, path: Path) -> str:
    if mend(store, run_date):
        return "is made again"
    aside = path.with_name(f"{path.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)
    return f"is put aside as {aside.name}, for the night's own folder has no better"
