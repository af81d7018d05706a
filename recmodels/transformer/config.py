"""The hyper-parameters of the transformer: of its network, and of its training."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from recmodels.parameters import Search, Seed


@dataclass
class NetworkConfig:
    """How large the network is, and of which parts."""

    width: Annotated[int, Ge(1), Search(values=(32, 64, 128, 256))] = 128
    """d: numbers in an item's vector and in a state."""
    layers: Annotated[int, Ge(1), Search(1, 4)] = 2
    heads: Annotated[int, Ge(1)] = 2
    length: Annotated[int, Ge(1)] = 50
    """The most items that a state looks back on, itself included."""
    dropout: Annotated[float, Ge(0), Lt(1), Search(0.0, 0.7)] = 0.5
    temperature: Annotated[float, Ge(0), Search(0.02, 0.3, log=True)] = 0.07
    """Scores are cosines over it; 0: products of vectors of any length."""
    block: Annotated[Literal["sasrec", "ligr", "bsarec"], Search()] = "bsarec"
    mix: Annotated[float, Ge(0), Le(1)] = 0.7
    """Share of the filter in a `bsarec` layer; the rest is attention's."""
    cutoff: Annotated[int, Ge(0)] = 5
    """Frequencies up to cutoff // 2 pass the filter of a `bsarec` layer whole."""
    networks: Annotated[int, Ge(1)] = 1
    """Networks that learn one after the other, each from a seed of its own; their scores are added."""
    user_embedding: bool = False
    """Whether the users who are learnt from have vectors of their own, which join each item of their history."""
    user_width: Annotated[int, Ge(1)] = 128
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
    negatives: Annotated[int, Ge(1)] = 1024
    """Items that a step draws, for `sampled` and `gbce`."""
    calibration: Annotated[float, Ge(0), Le(1)] = 0.75
    """t of gBCE."""
    objective: Annotated[Literal["next", "days"], Search()] = "next"
    """What each state is asked for: the next item, or any one of the items of the next `days`, drawn each epoch."""
    days: Annotated[float, Gt(0)] = 30.0
    pause: Annotated[float, Ge(0)] = 0.5
    """Days that lie between a state and what it is asked for among the next `days`: a list is for a later visit."""
    learning_rate: Annotated[float, Gt(0), Search(2e-4, 1e-2, log=True)] = 2e-3
    weight_decay: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.3
    batch: Annotated[int, Ge(1)] = 1024
    """Items of histories in a step."""
    averaging: Annotated[float, Ge(0), Lt(1)] = 0.998
    """How much of the average of the weights a step keeps; the average validates and is kept. 0: the last weights."""
    clip: Annotated[float, Gt(0)] = 5.0
    """The longest gradient that is followed as it is."""
    epochs: Annotated[int, Ge(1)] = 200
    patience: Annotated[int, Ge(1)] = 5
    """Epochs without a better validation after which training ends."""
    validation_days: Annotated[float, Gt(0)] | None = None
    """Validated on what the users did in so many last days, which is then not learnt from; None: on their last item."""
    seed: Seed = 0


@dataclass
class TransformerConfig(TrainingConfig, NetworkConfig):
    """All hyper-parameters of a transformer."""
