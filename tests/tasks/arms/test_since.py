"""An arm begins with the first export that parted the users as it does now."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.arms.settings import ArmsSettings
from tasks.arms.since import beginnings, nights_of_main
from tasks.store.files import append_line, read_json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import at, publish
from tests.tasks.site import CUTOFF, RUN_DATE

ARM = {"share": 0.1, "policy": "popularity"}


def settings(salt: str = "1", **groups: dict[str, Any]) -> ArmsSettings:
    return ArmsSettings.model_validate({"salt": salt, "groups": groups})


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def began(night: Night, then: ArmsSettings | None, now: ArmsSettings) -> dict[str, datetime | None]:
    """The beginnings, where exports of 3 days ago were otherwise, and of 2 days and 1 day ago as now."""
    publish(night, 3, settings=then)
    for days in (2, 1):
        publish(night, days, settings=now)
    return beginnings(night.store, now, CUTOFF)


@pytest.mark.parametrize(
    ("then", "days"),
    [
        (settings(a=ARM), 3),
        (None, 2),
        (settings(salt="2", a=ARM), 2),
        (settings(a={**ARM, "policy": "last_champion"}), 2),
        (settings(a={**ARM, "share": 0.2}), 2),
        (settings(b=ARM), 2),
        (settings(b=ARM, a=ARM), 2),  # its users were in b
        (settings(a=ARM, b=ARM), 2),  # some who are in main now were in b
    ],
)
def test_an_arm_begins_when_its_users_and_mains_were_last_elsewhere(
    night: Night, then: ArmsSettings | None, days: int
) -> None:
    assert began(night, then, settings(a=ARM)) == {"a": at(days)}


def test_an_arm_that_is_added_leaves_the_others_as_they_are(night: Night) -> None:
    assert began(night, settings(a=ARM), settings(a=ARM, b=ARM)) == {"a": at(3), "b": at(2)}


def test_another_model_of_a_challenger_is_another_arm_and_the_best_of_a_night_is_not(night: Night) -> None:
    als, ease = ({"share": 0.1, "policy": "challenger", "model": name} for name in ("als", "ease"))
    best = {"share": 0.1, "policy": "challenger"}
    now = settings(a=als, b=best)
    assert began(night, settings(a=ease, b=als), now) == {"a": at(2), "b": at(3)}


def test_exports_in_which_an_arm_had_the_lists_of_main_are_counted_since_it_began(night: Night) -> None:
    now = settings(a=ARM)
    for days in (4, 3, 2, 1):
        path = night.store.exports / "manifests" / "removed" / f"{publish(night, days, settings=now)}.json"
        if days != 2:
            manifest = read_json(path) or {}
            manifest["arms"]["groups"]["a"]["as_main"] = "no other model was published before."
            write_json(path, manifest)
    assert nights_of_main(night.store, "a", at(3), CUTOFF) == (2, 3)


def test_an_arm_of_the_last_champion_begins_when_there_is_one(night: Night) -> None:
    now = settings(a={"share": 0.1, "policy": "last_champion"})
    for days, as_main in ((3, "no other model was published before."), (2, None), (1, "the winner is it.")):
        path = night.store.exports / "manifests" / "removed" / f"{publish(night, days, settings=now)}.json"
        about = read_json(path) or {}
        about["arms"]["groups"]["a"] |= {"as_main": as_main, "fault": days == 1}
        write_json(path, about)
    assert beginnings(night.store, now, CUTOFF) == {"a": at(2)}


def test_a_rollback_is_no_beginning_and_what_is_not_published_has_none(night: Night) -> None:
    now = settings(a=ARM)
    assert beginnings(night.store, now, CUTOFF) == {"a": None}
    first = publish(night, 4, settings=now)
    publish(night, 3, settings=now)
    line = {"at": at(2.5).isoformat(), "export_id": first, "instead_of": None, "by": "rollback"}
    append_line(night.store.root / "published.jsonl", line)
    assert beginnings(night.store, now, CUTOFF) == {"a": at(4)}
    publish(night, 1, settings=None)
    assert beginnings(night.store, now, CUTOFF) == {"a": None}
