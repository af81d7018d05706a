"""What a training on pairs ends with: the vectors that a model scores with, and what a later training starts from."""

from typing import NamedTuple

from recmodels.data.arrays import Floats


class Vectors(NamedTuple):
    """Fitted vectors, float32 [., width]; None for what is no feature of the model."""

    items: Floats
    """Sums of the items' features; zeros without evidence."""
    history: Floats | None
    """What an item adds to the users with it in their history; zeros without evidence."""
    users: Floats | None
    """The users' own; zeros without interactions."""
    user_terms: Floats | None
    """Those of the terms of the user table."""


class TrainingTables(NamedTuple):
    """The state of a training on pairs, from which a warm start takes the rows it knows."""

    values: dict[str, Floats]
    """The embedding tables by name: float32 [., width]."""
    accumulators: dict[str, Floats]
    """Adagrad's accumulators of their rows: float32 [.]."""
    network: dict[str, Floats]
    """Parameters of the network that scores along, by name; empty without one."""
