"""What forgetting has done, where, and what it could not do: printed and kept, and never with the user's id."""

from dataclasses import dataclass, field
from enum import StrEnum

from recmodels.messages import counted
from tasks.store.files import Json

SHOWN = 3  # reasons of a place that are printed


class Outcome(StrEnum):
    """How it went in one place."""

    REMOVED = "removed"
    NOTHING = "nothing"
    """The user is not there."""
    FAILED = "failed"
    """Something there could not be read, changed or reached: the user may be there still."""


@dataclass
class Place:
    """One place where users can be."""

    name: str
    searched: int = 0
    """Files, or what else there is to look into."""
    rows: int = 0
    """Rows that were removed."""
    texts: int = 0
    """Texts in which the id was replaced."""
    models: int = 0
    """Models, and their lists, that were removed as a whole."""
    removed: list[str] = field(default_factory=list)
    """What was changed or removed: exports by their id, nights by their date."""
    note: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        if self.failures:
            return Outcome.FAILED
        return Outcome.REMOVED if self.rows or self.texts or self.models or self.removed else Outcome.NOTHING

    @property
    def sentence(self) -> str:
        """What was done there, in words."""
        did = [counted(self.rows, "row")] if self.rows else []
        did += [counted(self.texts, "text")] if self.texts else []
        did += [counted(self.models, "model")] if self.models else []
        names = f" of {len(self.removed):,}" if self.removed else ""
        said = (" and ".join(did) + names + " removed") if did else "removed" if self.removed else ""
        parts = [said or ("" if self.failures or self.note else "not there"), self.note, *self.failures[:SHOWN]]
        more = len(self.failures) - SHOWN
        return "; ".join(filter(None, [*parts, f"and {more:,} more" if more > 0 else ""]))

    def json_ready(self) -> Json:
        return {
            "place": self.name,
            "outcome": self.outcome.value,
            "searched": self.searched,
            "rows": self.rows,
            "texts": self.texts,
            "models": self.models,
            "removed": self.removed,
            "note": self.note,
            "failures": self.failures,
        }


@dataclass
class Receipt:
    """A forgetting as a whole."""

    reference: str
    at: str
    resumed: bool
    """Whether it goes on with one that was cut short, or that failed in some place."""
    places: list[Place] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return not self.failures

    @property
    def found(self) -> bool:
        """Whether the user was anywhere."""
        return any(place.rows or place.texts or place.models or place.removed for place in self.places)

    @property
    def failures(self) -> list[str]:
        return [why for place in self.places for why in place.failures]

    def json_ready(self) -> Json:
        return {
            "reference": self.reference,
            "at": self.at,
            "complete": self.complete,
            "resumed": self.resumed,
            "seconds": self.seconds,
            "places": [place.json_ready() for place in self.places],
        }
