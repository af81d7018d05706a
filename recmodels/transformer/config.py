"""The hyper-parameters of the transformer: of its network, and of its training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from recmodels.options import WarmStarts
from recmodels.parameters import Renamed, Search, Seed


@dataclass
class NetworkConfig:
    """The size of the network, and its parts."""

    dim: Annotated[int, Ge(1), Search(values=(32, 64, 128, 256))] = 128
    """d: length of the items' vectors and of the states."""
    layers: Annotated[int, Ge(1), Search(1, 4)] = 2
    """Blocks of attention and MLP, one after the other."""
    heads: Annotated[int, Ge(1)] = 2
    """Attention heads of a block; they divide `dim`."""
    max_length: Annotated[int, Ge(1)] = 50
    """The most items of a history that a state sees, its own included."""
    dropout: Annotated[float, Ge(0), Lt(1), Search(0.0, 0.7)] = 0.5
    """Share of the numbers that a step drops, of embeddings, attention and MLPs."""
    temperature: Annotated[float, Ge(0), Search(0.02, 0.3, log=True)] = 0.07
    """Scores are cosines divided by it; 0: plain products of vectors."""
    block: Annotated[Literal["sasrec", "ligr", "bsarec"], Search()] = "bsarec"
    """The kind of block: pre-norm attention; the same with gates; or attention in parallel with a frequency filter."""
    filter_weight: Annotated[float, Ge(0), Le(1)] = 0.7
    """Share of the filter in a `bsarec` block; the rest is attention's."""
    cutoff: Annotated[int, Ge(0)] = 5
    """Frequencies up to cutoff // 2 pass the filter of a `bsarec` block unchanged."""
    filter_padding: Annotated[Literal["zeros", "cyclic", "mirrored"], Search()] = "zeros"
    """What stands before a history of fewer than `max_length` items in the filter: nothing; the history, again and
    again; or the same, each time the other way round."""
    seeds: Annotated[int, Ge(1)] = 1
    """A seed ensemble: so many networks, trained one after the other from `seed`, `seed` + 1, ...; their scores are
    added."""
    distill_epochs: Annotated[int, Ge(0)] = 0
    """Passes over everything in which the first of the `seeds` learns the mean scores of all, after which it makes the
    lists alone; 0: lists are of all of them."""
    user_embedding: bool = False
    """Whether users have vectors of their own, which join each item of their history."""
    user_dim: Annotated[int, Ge(1)] = 128
    """Length of the users' vectors."""
    cross: bool = False
    """Whether a DCN-v2 cross network multiplies the vectors of user and item; needs `user_embedding`."""
    content: bool = False
    """Whether the items' terms are projected and added to their vectors."""
    vectors: Literal["none", "projected", "frozen", "start"] = "none"
    """What the vectors of the items that the site has (item_vectors, or of an encoder) are: `projected` and added to
    the items' own; projected and all there is (`frozen`); or what the items' own `start` from."""
    domain_share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Of a site with several domains, the share of the numbers of a vector that domains have for themselves, as many
    each; the others are shared by all."""


@dataclass
class TrainingConfig:
    """How the network is trained, and for how long."""

    loss: Literal["full", "sampled", "gbce"] = "full"
    """Softmax over the whole catalogue, over sampled negatives (logQ-corrected), or gBCE."""
    mask_history: bool = False
    """Whether items of the user's history are no negatives, as lists leave them out."""
    negatives: Annotated[int, Ge(1)] = 1024
    """Negatives that a step draws, for `sampled` and `gbce`."""
    gbce_t: Annotated[float, Ge(0), Le(1)] = 0.75
    """t of gBCE: how much of the overconfidence of sampling it removes."""
    objective: Annotated[Literal["next", "horizon"], Search()] = "next"
    """The target of each state: the next item, or any item of the next `horizon_days`, drawn anew each epoch."""
    horizon_days: Annotated[float, Gt(0)] = 30.0
    """How far the targets of `horizon` reach."""
    gap_days: Annotated[float, Ge(0)] = 0.5
    """How long after a state the targets of `horizon` begin: a list is for a later visit."""
    learning_rate: Annotated[float, Gt(0), Search(2e-4, 1e-2, log=True)] = 2e-3
    """Of AdamW."""
    weight_decay: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.3
    """Of AdamW."""
    batch: Annotated[int, Ge(1)] = 1024
    """Items of histories in a step."""
    ema_decay: Annotated[float, Ge(0), Lt(1)] = 0.998
    """Of the exponential moving average of the weights, which is validated and kept; 0: the last weights."""
    max_grad_norm: Annotated[float, Gt(0)] = 5.0
    """Longer gradients are clipped to this norm."""
    epochs: Annotated[int, Ge(1)] = 200
    """The most passes over the data."""
    patience: Annotated[int, Ge(1)] = 5
    """Epochs without a better validation after which training ends."""
    final_epochs: Annotated[int, Ge(0)] = 4
    """Passes over everything, what was validated on included, from the best weights on: at most so many, and no more
    than led to those weights; 0: what validates, the latest there is, is never learned from."""
    validation_days: Annotated[float, Gt(0)] | None = None
    """Validation is on the last so many days, which are excluded from training; None: on each user's last item."""
    warm_start: WarmStarts = "always"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_epochs: Annotated[int, Ge(0)] | None = None
    """The most passes over the data then; it ends with the first that makes validation no better. None: a quarter of
    `epochs`, from 1 to 3."""
    warm_time: Annotated[float, Gt(0), Le(1)] = 0.25
    """The share of its minutes that it has then, if there are any."""
    seed: Seed = 0

    def epochs_from(self, *, warm: bool) -> int:
        """The most passes over the data, from an earlier model or from nothing."""
        if not warm:
            return self.epochs
        return max(1, min(3, self.epochs // 4)) if self.warm_epochs is None else self.warm_epochs


@dataclass
class TransformerConfig(TrainingConfig, NetworkConfig):
    """All hyper-parameters of a transformer."""


RENAMED: Mapping[str, Renamed] = {
    "width": "dim",
    "length": "max_length",
    "mix": "filter_weight",
    "networks": "seeds",
    "user_width": "user_dim",
    "calibration": "gbce_t",
    "days": "horizon_days",
    "pause": "gap_days",
    "averaging": "ema_decay",
    "clip": "max_grad_norm",
    "objective": lambda value: {"objective": "horizon" if value == "days" else value},
    "rivals": lambda value: {"mask_history": {"all": False, "unseen": True}.get(value, value)},
}
"""Hyper-parameters of version 0.1, by their names of today."""
