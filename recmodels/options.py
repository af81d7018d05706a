"""What is given to one run of `fit`, and is no property of the model: its time, its files, where it starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recmodels.data.arrays import Ints


@dataclass(frozen=True, eq=False)
class WarmStart:
    """A fitted model that a training starts from.

    Attributes:
        model: The fitted recommender.
        rows: For `users`, `items`, `terms` and `user_terms` the row that each of today's had in it, -1 for new ones.
    """

    model: object
    rows: dict[str, Ints]


@dataclass(frozen=True, eq=False)
class FitOptions:
    """Options of a training; a model that has no use for one ignores it.

    They are not saved with the model: two models of the same hyper-parameters are the same recommender.

    Attributes:
        minutes: A training in epochs ends after so many minutes, with the best weights so far; None: no limit.
        checkpoint: File that the state of a training in epochs is written to, and that one which was killed resumes
            from. It is removed at the end.
        checkpoint_minutes: How often that file is written.
        members: Folders of models that an ensemble takes as they are, by the names of its members; they were fitted on
            the same data. The other members are trained.
        without: Members that an ensemble leaves out.
        warm_start: A fitted model that the training starts from.
    """

    minutes: float | None = None
    checkpoint: Path | None = None
    checkpoint_minutes: float = 10.0
    members: Mapping[str, Path] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    warm_start: WarmStart | None = None


DEFAULTS = FitOptions()
"""No limit, no files, and from the beginning."""
