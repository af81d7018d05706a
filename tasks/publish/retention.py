"""Which exports are kept: the newest, the young, the pinned, the current one, and whatever may still be being read."""

import shutil
from datetime import UTC, datetime, timedelta

from recmodels.errors import ConfigError
from tasks.publish.settings import RetentionSettings
from tasks.store.events import log_event
from tasks.store.exports import age_order, named_export, switches, switching, whole_exports
from tasks.store.files import TEMPORARY, Json, now_text, read_json, sync, write_json
from tasks.store.paths import Store


def retain(store: Store, settings: RetentionSettings, now: datetime | None = None) -> list[str]:
    """Remove the exports that need not be kept, and return their ids.

    The manifest goes first (into `manifests/removed/`, so that its id is not used again), then the folder: what is
    left of a removal that was cut short is swept away by the next night.
    """
    now = now or datetime.now(UTC)
    with switching(store):
        gone = _expendable(store, settings, now)
        for export_id in gone:
            _remove(store, export_id)
    if gone:
        log_event("export", "note", f"{len(gone)} old exports were removed: {gone[0]} to {gone[-1]}")
    return gone


def _expendable(store: Store, settings: RetentionSettings, now: datetime) -> list[str]:
    """The exports that may go, oldest night first."""
    ids = whole_exports(store)
    manifests = {name: read_json(store.export_manifest(name)) or {} for name in ids}
    created = {name: _instant(manifests[name].get("created_at", now.isoformat())) for name in ids}
    newest = set(ids if settings.exports is None else ids[-settings.exports :])
    keep = {(read_json(store.pointer) or {}).get("export_id"), *pinned(store)}
    replaced = {line["instead_of"]: _instant(line["at"]) for line in switches(store)}
    gone = []
    for name in ids:
        young = settings.days is None or now - created[name] <= timedelta(days=settings.days)
        unread = now - max(replaced.get(name, created[name]), created[name])
        free = unread >= timedelta(hours=settings.longest_read_hours)
        if name not in keep and not (name in newest and young) and free:
            gone.append(name)
    return gone


def _remove(store: Store, export_id: str) -> None:
    manifest = store.export_manifest(export_id)
    aside = manifest.parent / "removed" / manifest.name
    about = read_json(manifest) or {}
    limits = ("min_user", "max_user")  # nobody's id stays for the record
    files = [{name: file[name] for name in file if name not in limits} for file in about.get("files", [])]
    write_json(aside, about | {"files": files})
    manifest.unlink()
    sync(manifest.parent)
    doomed = store.exports / f"{TEMPORARY}removed-{export_id}"
    store.export(export_id).rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def pin(store: Store, name: str) -> str:
    """Keep an export, or a night's newest one, whatever its age, and return its id; ConfigError if there is none."""
    with switching(store):
        export_id: str = named_export(store, name)["export_id"]
        write_json(store.pins, _pins(store) | {export_id: now_text()})
    return export_id


def unpin(store: Store, name: str) -> list[str]:
    """Let a pinned export, or all those of a night, grow old again. Raises ConfigError if none of them is pinned."""
    run_date, _, number = name.partition(".")
    with switching(store):
        before = _pins(store)
        of_night = [export_id for export_id in before if age_order(export_id)[0] == run_date]
        loose = [export_id for export_id in of_night if number in ("", str(age_order(export_id)[1]))]
        if not loose:
            raise ConfigError(f"No export {name} is pinned; pinned are: {', '.join(before) or 'none'}.")
        write_json(store.pins, {export_id: at for export_id, at in before.items() if export_id not in loose})
    return loose


def pinned(store: Store) -> list[str]:
    return list(_pins(store))


def _pins(store: Store) -> Json:
    return read_json(store.pins) or {}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
