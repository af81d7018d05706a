"""Since when arms run as they do, by what the exports say that were published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from tasks.arms.settings import ArmsSettings
from tasks.store.files import digest
from tasks.store.ids import age_order
from tasks.store.paths import Store
from tasks.store.publications import first_published, last_manifest_of


class Cut(NamedTuple):
    """How an export parts the users: the places of an arm and of `main` in [0, 1), and what the arm's lists are."""

    salt: str
    begin: float
    end: float
    main: float
    policy: str
    model: str | None


def beginnings(store: Store, settings: ArmsSettings, before: datetime) -> dict[str, datetime | None]:
    """When each arm was first published as it is now; None where it has not been.

    That is after the last export of which any user now in the arm was not in it, or got other lists there, or any user
    now in `main` was not in `main`: who was elsewhere before would be neither here nor there.
    """
    exports = sorted(first_published(store, before).items(), key=lambda one: one[1])
    found: dict[str, datetime | None] = dict.fromkeys(settings.groups)
    groups = {name: arm.model_dump() for name, arm in settings.groups.items()}
    said = cache(lambda export_id: arms_in(last_manifest_of(store, export_id)))
    for name in settings.groups:
        now = _cut(name, {"salt": salt_digest(settings.salt), "groups": groups})
        for export_id, since in reversed(exports):
            if not _same(_cut(name, said(export_id)), now):
                break
            found[name] = since
    return found


def salt_digest(salt: str) -> str:
    return digest(salt)


def arms_in(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the manifest of an export says of arms."""
    found = manifest.get("arms")
    return found if isinstance(found, dict) else {}


def mixed_in(store: Store, before: datetime) -> dict[tuple[str, str], tuple[str, str]]:
    """The champion and the challenger of the exports that had mixed lists, by export and arm.

    A night may have had none to mix with.
    """
    found = {}
    for export_id in first_published(store, before):
        manifest = last_manifest_of(store, export_id)
        for name, arm in arms_in(manifest).get("groups", {}).items():
            if arm["policy"] == "interleave" and not arm.get("as_main"):
                found[export_id, name] = str(manifest.get("champion")), str(arm.get("model"))
    return found


def nights_of_main(store: Store, name: str, since: datetime, before: datetime) -> tuple[int, int]:
    """The nights of an arm since it began on which its users had the lists of `main`, and how many there are."""
    exports = sorted((first, one) for one, first in first_published(store, before).items() if first >= since)
    of_main = {}
    for _, export_id in exports:
        arm = arms_in(last_manifest_of(store, export_id)).get("groups", {}).get(name, {})
        of_main[age_order(export_id)[0]] = bool(arm.get("as_main"))
    return sum(of_main.values()), len(of_main)


def _cut(name: str, arms: Mapping[str, Any]) -> Cut | None:
    groups = arms.get("groups") or {}
    if name not in groups or _has_no_champion_yet(groups[name]):
        return None
    shares = {one: group["share"] for one, group in groups.items()}
    begin = sum(share for one, share in list(shares.items())[: list(shares).index(name)])
    arm = groups[name]
    return Cut(arms["salt"], begin, begin + arm["share"], sum(shares.values()), arm["policy"], arm.get("model"))


def _has_no_champion_yet(arm: Mapping[str, Any]) -> bool:
    """Whether an arm of the last champion had the lists of `main` for want of an earlier one."""
    return arm["policy"] == "last_champion" and bool(arm.get("as_main")) and not arm.get("fault")


def _same(then: Cut | None, now: Cut | None) -> bool:
    if then is None or now is None:
        return False
    near = abs(then.begin - now.begin) < 1e-9 and abs(then.end - now.end) < 1e-9
    made = (then.salt, then.policy) == (now.salt, now.policy) and now.model in (None, then.model)
    return near and made and then.main <= now.main + 1e-9
