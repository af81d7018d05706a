"""What is given to one run of `fit`, and is no property of the model: its time, its files, where it starts from."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from recmodels.data.arrays import Floats, Ints
from recmodels.data.contexts import Contexts
from recmodels.data.events import EventLog
from recmodels.data.site_tables import SiteTables

WarmStarts: TypeAlias = Literal["no", "refit", "always"]
"""Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
Device: TypeAlias = Literal["auto", "cpu", "gpu"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class WarmStart:
    """A fitted model that a training starts from.

    Attributes:
        model: The fitted recommender.
        rows: For `users`, `items`, `terms` and `user_terms` the row that each of today's had in it, -1 for new ones;
            for `vectors` (where items have any) the same of the numbers of a vector.
    """

    model: object
    rows: dict[str, Ints]

    def known_rows(self, part: str, values: Floats) -> Floats:
        """Today's rows of an array that the earlier model learned for `users` or `items`; zeros for new ones."""
        then = self.rows[part]
        now = np.flatnonzero(then >= 0)
        taken = np.zeros((len(then), *values.shape[1:]), values.dtype)
        taken[now] = values[then[now]]
        return taken


@dataclass(frozen=True, eq=False)
class FitOptions:
    """Options of a training; a model that has no use for one ignores it.

    They are not saved with the model: two models of the same hyper-parameters are the same recommender.

    Attributes:
        minutes: A training in epochs or iterations ends after so many minutes, with the best weights so far; None: no
            limit.
        checkpoint: File that the state of a training in epochs is written to, and that one which was killed resumes
            from. It is removed at the end.
        checkpoint_minutes: How often that file is written.
        members: Folders of models that an ensemble takes as they are, by the names of its members; they were fitted on
            the same data. The other members are trained.
        without: Members that an ensemble leaves out.
        warm_start: A fitted model that the training starts from.
        listed: How many users' lists the model is to make after the training.
        list_minutes: The time for these lists, after `minutes`. A training that sees that they will take longer ends
            so much earlier.
        parts: Folder in which a model that can be trained in parts is, by the engine that is asked for; what is in it
            is not made again by a training that was killed. None: it is trained in one piece.
        device: What the machines of a cluster compute on, if they train it together: `cpu`, `gpu`, or with `auto` GPUs
            where there are any.
        gpus: How many GPUs of a cluster it takes; None: all.
        site: The site's own tables, for a model that looks at their columns.
        events: The single events, for a model that counts them; None: each pair is one.
        contexts: In which context pairs had their last event, for a model that looks at a column of the site's.
    """

    minutes: float | None = None
    checkpoint: Path | None = None
    checkpoint_minutes: float = 10.0
    members: Mapping[str, Path] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    warm_start: WarmStart | None = None
    listed: int = 0
    list_minutes: float | None = None
    parts: Path | None = None
    device: Device = "auto"
    gpus: int | None = None
    site: SiteTables | None = None
    events: EventLog | None = None
    contexts: Contexts | None = None

    def rounds(self, n: int) -> Iterator[tuple[int, float]]:
        """The rounds of a training from 0 to n - 1, while there is time for another one as long as the last.

        There is always a first one. With each comes the share of the training that is behind it, i / n. Where the time
        will not suffice for all n, it is the share of the time that is over, if that is more: what falls with the share
        has fallen nearly as far by the end.
        """
        began = then = time.monotonic()
        for i in range(n):
            now = time.monotonic()
            spent, last, then = now - began, now - then, now
            share = i / n
            if self.minutes is not None and i > 0:
                given = 60 * self.minutes
                if spent + last > given:
                    log.info("The %g minutes have no room for more than %d rounds of %d.", self.minutes, i, n)
                    return
                if spent + last * (n - i) > given:
                    share = max(share, spent / given)
            yield i, share

    def over(self, began: float) -> bool:
        """Whether a training that began at that monotonic time has had its minutes."""
        return self.minutes is not None and time.monotonic() - began > 60 * self.minutes


DEFAULTS = FitOptions()
"""No limit, no files, and from the beginning."""
