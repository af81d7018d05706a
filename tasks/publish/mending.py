"""A store is mended as far as it can be without a night; what a person put there is neither removed nor moved."""

from collections.abc import Callable
from pathlib import Path

from recmodels.errors import NightrecError
from tasks.publish.findings import Finding, Mended, Remedy
from tasks.publish.restoring import restore
from tasks.store import history
from tasks.store.exports import mend_pointer, whole_exports
from tasks.store.files import now_text, write_json
from tasks.store.leftovers import remove
from tasks.store.paths import Store


def mend(store: Store, findings: list[Finding], mirror: str | None = None) -> list[Mended]:
    """Mend what can be mended without a night. The caller holds the store.

    Args:
        store: its folder.
        findings: what `examine` has found.
        mirror: the URL of the copy of its exports, if there is one.
    """
    return [_mended(store, finding, mirror) for finding in findings]


def _mended(store: Store, finding: Finding, mirror: str | None) -> Mended:
    remedies: dict[Remedy, Callable[[], str | None]] = {
        Remedy.REMOVE: lambda: _removed(finding.path),
        Remedy.POINT: lambda: mend_pointer(store),
        Remedy.FETCH: lambda: _fetched(store, finding.path, mirror),
        Remedy.COPY: lambda: _copied(store, finding.path),
        Remedy.PIN_ALL: lambda: _pin_all(store),
        Remedy.CLOSE: lambda: _closed(finding.path),
    }
    if finding.remedy not in remedies:
        return Mended(finding, False, finding.sentence)
    try:
        done = remedies[finding.remedy]()
    except (NightrecError, OSError) as error:
        return Mended(finding, False, f"{finding.path} {finding.says}, and is not mended: {error}")
    return Mended(finding, done is not None, done or f"{finding.path} {finding.says}, and is not mended")


def _removed(path: Path) -> str | None:
    remove(path)
    return None if path.exists() else f"{path} is removed"


def _fetched(store: Store, path: Path, mirror: str | None) -> str | None:
    if mirror is None:
        return None
    export_id = path.stem if path.suffix == ".json" else path.name
    fetched = restore(store, export_id, mirror)
    return f"{export_id} is whole again, with {', '.join(fetched[:3])} from the copy" if fetched else None


def _copied(store: Store, path: Path) -> str | None:
    run_date = next(day for day, there in store.histories().items() if there == path)
    return f"{path} is made again" if history.mend(store, run_date) else None


def _pin_all(store: Store) -> str:
    """Nobody can tell which exports were pinned: all of them are, so that none is removed that was to be kept."""
    write_json(store.pins, dict.fromkeys(whole_exports(store), now_text()))
    return f"{store.pins} was damaged, and pins every export now: unpin those that need not be kept"


def _closed(folder: Path) -> str:
    folder.chmod(folder.stat().st_mode & 0o7770)
    return f"{folder} is closed to other users"
