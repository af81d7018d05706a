"""Which exports are kept: the newest, the young, the pinned, the current one, and whatever may still be being read."""

import shutil
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from recmodels.errors import ConfigError, NightrecError
from tasks.publish.settings import RetentionSettings
from tasks.store.events import log_event
from tasks.store.exports import manifest_of, named_export, pointer_of, switches, switching, whole_exports
from tasks.store.files import TEMPORARY, Json, now_text, sync, write_json
from tasks.store.ids import age_order
from tasks.store.paths import Store
from tasks.store.records import SEAL, ExportId, read

Pins = dict[ExportId, str]


def retain(store: Store, settings: RetentionSettings, now: datetime | None = None) -> list[str]:
    """Remove the exports that need not be kept, and return their ids.

    The manifest goes first (into `manifests/removed/`, so that its id is not used again), then the folder: what is
    left of a removal that was cut short is swept away by the next night. Where it cannot be read which export is the
    current one, or which are pinned, nothing is removed.
    """
    now = now or datetime.now(UTC)
    with switching(store):
        if unsure := _unsure(store):
            log_event("export", "note", f"No old export is removed: {unsure}")
            return []
        gone = _expendable(store, settings, now)
        for export_id in gone:
            _remove(store, export_id)
    if gone:
        log_event("export", "note", f"{len(gone)} old exports were removed: {gone[0]} to {gone[-1]}")
    return gone


def _unsure(store: Store) -> str | None:
    """Why it cannot be told which exports may go."""
    if pointer_of(store) is None:
        return f"{store.pointer} is not there or damaged, and the next night makes it again."
    if store.pins.exists() and read(store.pins, Pins) is None:
        return f"{store.pins} is damaged: remove it, and `nightrec pin` again what is to be kept."
    return None


def _expendable(store: Store, settings: RetentionSettings, now: datetime) -> list[str]:
    """The exports that may go, oldest night first."""
    manifests = {name: manifest for name in whole_exports(store) if (manifest := manifest_of(store, name))}
    ids = list(manifests)  # an export whose manifest is damaged stays for whoever mends it
    created = {name: _instant(manifests[name].get("created_at", now.isoformat())) for name in ids}
    own = [name for name in ids if "refilter" not in manifests[name]]
    newest = set(own if settings.exports is None else own[-settings.exports :])
    newest |= _last_refiltered(manifests, newest)
    shown = pointer_of(store)
    keep = {*pinned(store), *([shown["export_id"]] if shown else [])}
    replaced = {line["instead_of"]: _instant(line["at"]) for line in switches(store)}
    following = dict(zip(ids, [created[name] for name in ids[1:]], strict=False))  # where its switch is not recorded
    gone = []
    for name in ids:
        young = settings.days is None or now - created[name] <= timedelta(days=settings.days)
        unread = now - max(replaced.get(name, following.get(name, created[name])), created[name])
        free = unread >= timedelta(hours=settings.longest_read_hours)
        if name not in keep and not (name in newest and young) and free:
            gone.append(name)
    return gone


def _last_refiltered(manifests: Mapping[str, Json], own: Collection[str]) -> set[str]:
    """The last export that `refilter` has made of each of some; those before it are an hour's, and no night's."""
    last = {manifest["refilter"]["of"]: name for name, manifest in manifests.items() if "refilter" in manifest}
    return {name for of, name in last.items() if of in own}


def _remove(store: Store, export_id: str) -> None:
    manifest = store.export_manifest(export_id)
    aside = manifest.parent / "removed" / manifest.name
    about = manifest_of(store, export_id) or {}
    limits = ("min_user", "max_user")  # nobody's id stays for the record
    files = [{name: file[name] for name in file if name not in limits} for file in about.get("files", [])]
    write_json(aside, {name: about[name] for name in about if name != SEAL} | {"files": files})
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


def _pins(store: Store) -> dict[ExportId, str]:
    if (found := read(store.pins, Pins)) is None and store.pins.exists():
        raise NightrecError(f"{store.pins} is damaged: remove it, and `nightrec pin` again what is to be kept.")
    return found or {}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
