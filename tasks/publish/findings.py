"""Something that is wrong in a store, what would mend it, and what became of that."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What a finding is about."""

    DAMAGED = "damaged"
    MISSING = "missing"
    LEFTOVER = "leftover"
    OPEN = "open"
    FOREIGN = "foreign"


class Remedy(StrEnum):
    """How a finding is mended."""

    REMOVE = "remove it"
    POINT = "point readers again"
    FETCH = "fetch it from the copy"
    COPY = "copy it from its night"
    PIN_ALL = "pin every export that is there"
    CLOSE = "close it to other users"
    NIGHT = "run the night again"
    NONE = "leave it alone"


@dataclass(frozen=True)
class Finding:
    """Something in a store that is not as it should be, and what mends it."""

    path: Path
    kind: Kind
    says: str
    remedy: Remedy

    @property
    def sentence(self) -> str:
        return f"{self.path} {self.says}: {self.remedy.value}."


@dataclass(frozen=True)
class Mended:
    """What became of a finding: whether it is mended now, and a sentence."""

    finding: Finding
    done: bool
    says: str
