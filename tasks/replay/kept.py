"""What a replay keeps of each model and night: its figures, and those of the users who are followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from typing_extensions import TypedDict

from tasks.store.files import Json
from tasks.store.manifests import Manifest, whole
from tasks.store.paths import Night, Store, entries

USERS = "users.parquet"
"""`user_id`, and a column for each figure that users have."""
LISTS = "lists.parquet"
"""`user_id`, `rank`, `item_id` and `score` of the users who are followed, as an export has them."""
HOLDOUT = "holdout.parquet"
"""`user_id` and `ndcg` of the users whom the night's own holdout measures."""


class MeasuredSummary(TypedDict):
    """A model on a night.

    `figures`: by name; None where there is none. `holdout`: what the night's own comparison says, see `ModelSummary`.
    `judged`: the users whose lists were held against what they did; `warm`: those of them with a history; `beyond`: how
    many more came next whom the night did not know. `seconds`: of its two trainings.
    """

    figures: dict[str, float | None]
    holdout: Json
    k: int
    users: int
    judged: int
    warm: int
    beyond: int
    seconds: float


@dataclass(frozen=True)
class Kept:
    """What is kept of a model on a night."""

    run_date: date
    model: str
    folder: Path
    manifest: Manifest[MeasuredSummary]

    @property
    def summary(self) -> MeasuredSummary:
        return self.manifest["summary"]


def folder_of(night: Night, model: str) -> Path:
    return night.folder / "measured" / model


def kept(store: Store) -> list[Kept]:
    """All that a replay has kept whole, by night and model."""
    found = []
    for night in store.all_nights():
        for entry in sorted(entries(night.folder / "measured"), key=lambda entry: entry.name):
            folder = Path(entry.path)
            if not entry.name.startswith(".") and (manifest := whole(folder)):
                found.append(Kept(night.run_date, entry.name, folder, manifest))
    return found
