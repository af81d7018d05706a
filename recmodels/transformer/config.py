"""The hyper-parameters of the transformer: of its network, and of its training."""

from dataclasses import dataclass
from typing import Literal


@dataclass
class NetworkConfig:
    """How large the network is, and of which parts."""

    width: int = 128
    """d: numbers in an item's vector and in a state."""
    layers: int = 2
    heads: int = 2
    length: int = 50
    """The most items that a state looks back on, itself included."""
    dropout: float = 0.5
    temperature: float = 0.07
    """Scores are cosines over it; 0: products of vectors of any length."""
    block: Literal["sasrec", "ligr", "bsarec"] = "bsarec"
    mix: float = 0.7
    """Share of the filter in a `bsarec` layer; the rest is attention's."""
    cutoff: int = 5
    """Frequencies up to cutoff // 2 pass the filter of a `bsarec` layer whole."""
    networks: int = 1
    """Networks that learn one after the other, each from a seed of its own; their scores are added."""
    user_embedding: bool = False
    """Whether the users who are learnt from have vectors of their own, which join each item of their history."""
    user_width: int = 128
    cross: bool = False
    """Whether a cross network multiplies the vectors of user and item; asks for `user_embedding`."""
    content: bool = False
    """Whether the items' terms are projected and added to their vectors."""


@dataclass
class TrainingConfig:
    """How the network is trained, and for how long."""

    loss: Literal["full", "sampled", "gbce"] = "full"
    """Softmax over the whole catalogue, over sampled items (logQ-corrected), or gBCE."""
    rivals: Literal["all", "unseen"] = "all"
    """What the target competes with; `unseen`: all that the user has not had, as in the lists."""
    negatives: int = 1024
    """Items that a step draws, for `sampled` and `gbce`."""
    calibration: float = 0.75
    """t of gBCE."""
    objective: Literal["next", "days"] = "next"
    """What each state is asked for: the next item, or any one of the items of the next `days`, drawn each epoch."""
    days: float = 30.0
    pause: float = 0.5
    """Days that lie between a state and what it is asked for among the next `days`: a list is for a later visit."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    batch: int = 1024
    """Items of histories in a step."""
    averaging: float = 0.998
    """How much of the average of the weights a step keeps; the average validates and is kept. 0: the last weights."""
    clip: float = 5.0
    """The longest gradient that is followed as it is."""
    epochs: int = 200
    patience: int = 5
    """Epochs without a better validation after which training ends."""
    validation_days: float | None = None
    """Validated on what the users did in so many last days, which is then not learnt from; None: on their last item."""
    seed: int = 0


@dataclass
class TransformerConfig(TrainingConfig, NetworkConfig):
    """All hyper-parameters of a transformer."""
