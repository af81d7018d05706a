"""What an examination looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.settings.site import NightConfig
from tasks.store.paths import Store
from tasks.store.working_copy import address_of

Fix = Callable[[], str]
"""Puts something right, and says what was done in a few words.

Raises `NightrecError` or `OSError` where it cannot.
"""


@dataclass(frozen=True)
class Site:
    """What is examined. `problem`: why its settings cannot be read; they are the defaults then.

    `deep`: whether every hash is compared, which takes as long as all files take to be read.
    """

    store: Store
    config: NightConfig = field(default_factory=NightConfig)
    file: Path | None = None
    problem: str | None = None
    deep: bool = False

    @property
    def copy_at(self) -> str | None:
        """Where the copy of its exports is."""
        return self.config.mirror.to or address_of(self.store.root)


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: what it is, as the beginning of a sentence.
        where: the path or address.
        todo: what a person does about it ("move it away"), or what `fix` does ("makes it again").
        fix: puts it right, where that is safe; it deletes nothing that a person may have put there.
        wrong: False for what is only worth knowing.
    """

    what: str
    where: str
    todo: str
    fix: Fix | None = None
    wrong: bool = True

    def json_ready(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "what": self.what,
            "where": self.where,
            "todo": self.todo,
            "fixable": self.fix is not None,
            "wrong": self.wrong,
        }


@dataclass(frozen=True)
class Check:
    """An examination.

    Attributes:
        subject: what it looks at, in a word or two.
        in_store: whether its fixes change the store.
        elsewhere: whether it asks for the site's data elsewhere, with secrets that only nights need.
    """

    subject: str
    look: Callable[[Site], Iterator[Finding]]
    in_store: bool = True
    elsewhere: bool = False


def note(what: str, where: str | Path, todo: str) -> Finding:
    """Something that is worth knowing, and nothing is wrong with."""
    return Finding(what, str(where), todo, wrong=False)
