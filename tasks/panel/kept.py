"""What nights keep of the panel: a folder each, with the figures of the night and of the users who are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from tasks.store.manifests import Manifest, whole
from tasks.store.paths import Store

USERS = "users.parquet"
"""`user_id`, and a column for each figure that users have."""
PAIRS = "pairs.parquet"
"""`user_id`, `other_id`, whether they are the `nearest` or a random pair, and the `overlap` of their lists."""
ITEMS = "items.parquet"
"""`item_id` of what was shown that night."""
WINDOWS = (7, 28, 90)
"""The days that slopes are over."""


class SlopeFigures(TypedDict):
    """A slope a day, over the nights of a window; without an interval where users have no figure of their own."""

    value: float
    low: float | None
    high: float | None
    nights: int


class PanelSummary(TypedDict):
    """The panel of a night.

    `figures`: by name; None where a night has none. `slopes`: by name and window. `assumed`: the lists stand for
    exposures, as there are none. `users`: how many are followed. `explored`: the share of users whose lists were
    explored; `arms`: the names of the arms.
    """

    message: str
    notes: list[str]
    run_date: str
    export_id: str
    champion: str
    assumed: bool
    users: int
    of_users: int
    explored: float
    arms: list[str]
    figures: dict[str, float | None]
    slopes: dict[str, dict[str, SlopeFigures]]
    skipped: NotRequired[bool]


@dataclass(frozen=True)
class Kept:
    """What a night has kept."""

    run_date: date
    folder: Path
    manifest: Manifest[PanelSummary]

    @property
    def summary(self) -> PanelSummary:
        return self.manifest["summary"]


def kept_nights(store: Store, until: date, days: int) -> list[Kept]:
    """The nights of the last `days` days up to and with one that have kept their panel whole, oldest first."""
    found = []
    for run_date, folder in store.panels().items():
        if until - timedelta(days=days) < run_date <= until and (manifest := whole(folder)):
            found.append(Kept(run_date, folder, manifest))
    return found


def covered(nights: Sequence[Kept], tonight: date, days: int) -> list[Kept] | None:
    """Those of the last days before tonight; None where they do not reach back so far."""
    first = tonight - timedelta(days=days - 1)
    there = [one for one in nights if one.run_date >= first]
    return there if nights and min(one.run_date for one in nights) <= first else None
