"""Which export readers were shown when, by the record of switches: what an exposure must come after, and may be of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tasks.store.exports import manifest_of, switches
from tasks.store.files import read_json
from tasks.store.paths import Store

DAY = timedelta(days=1)


class Publication(NamedTuple):
    """An export that readers were pointed to from an instant on, until the next one."""

    export_id: str
    since: datetime


def publications(store: Store, before: datetime) -> list[Publication]:
    """What readers were pointed to until an instant, in order; an export that has gone since is there, too.

    A night that was run days later, as by a backfill, counts as published at its cutoff: its lists are for that day,
    and so are the exposures of a site that is replayed.
    """
    found = []
    for line in switches(store):
        export_id, at = line["export_id"], datetime.fromisoformat(line["at"])
        cutoff = _cutoff_of(store, export_id) if line["by"] == "night" else None
        late = cutoff is not None and not cutoff <= at < cutoff + DAY
        found.append(Publication(export_id, cutoff if late and cutoff is not None else at))
    return sorted((one for one in found if one.since < before), key=lambda one: one.since)


def first_published(store: Store, before: datetime) -> dict[str, datetime]:
    """When each of the exports that readers were pointed to until an instant was first published."""
    found: dict[str, datetime] = {}
    for one in publications(store, before):
        found.setdefault(one.export_id, one.since)
    return found


def last_manifest_of(store: Store, export_id: str) -> Mapping[str, Any]:
    """The manifest of an export, also of one that was removed since; empty where it is lost."""
    manifest = manifest_of(store, export_id)
    if manifest is None:
        path = store.export_manifest(export_id)
        manifest = read_json(path.parent / "removed" / path.name)
    return manifest or {}


def _cutoff_of(store: Store, export_id: str) -> datetime | None:
    """The cutoff of an export's night."""
    try:
        cutoff = datetime.fromisoformat(str(last_manifest_of(store, export_id).get("cutoff")))
    except ValueError:
        return None
    return cutoff if cutoff.tzinfo else None
