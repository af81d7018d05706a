"""Starting a training from a network that was trained before, for the items, users and terms that both know."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import nn

from recmodels.data.arrays import Floats, Ints
from recmodels.transformer.config import NetworkConfig
from recmodels.transformer.network import ItemEmbedding, Network

EMBEDDING, PROJECTION = "embedding", "term_projection"
USER_EMBEDDING = "user_cross.user_embedding.weight"  # a row a user, and the last one for unknown users


@dataclass(frozen=True)
class Start:
    """Arrays of one network, and where today's rows stand in them.

    Attributes:
        parameters: of the network, by name.
        tables: the items' embeddings, and the projection of terms, where there is one.
        rows: for `users`, `items` and `terms` the row that each of today's had, -1 for new ones.
        known_until: the time of the latest interaction that was learned from, in microseconds, where that is known.
        teachers: networks whose scores are learned from there on, see `distillation.Teachers`; none otherwise.
    """

    parameters: Mapping[str, Floats]
    tables: Mapping[str, Floats]
    rows: Mapping[str, Ints]
    known_until: int | None = None
    teachers: Mapping[str, Floats] = field(default_factory=dict)


def same_network(one: NetworkConfig, other: NetworkConfig) -> bool:
    """Whether the parameters of one network are those of the other."""
    return all(getattr(one, field.name) == getattr(other, field.name) for field in fields(NetworkConfig))


@torch.no_grad()
def take_over(start: Start, network: Network, items: ItemEmbedding, known: Ints) -> None:
    """Set what the earlier network knows; what is new stays as it was drawn.

    `known` [n]: the item of each row of `items`. The projection is of terms that are matched one by one.
    """
    own = dict(network.named_parameters())
    for name, values in start.parameters.items():
        if name == USER_EMBEDDING:
            _copy_rows(own[name][:-1], values[:-1], start.rows["users"])
            own[name][-1] = torch.from_numpy(values[-1])
        elif name in own:
            own[name].copy_(torch.from_numpy(values))
    _copy_rows(items.embedding, start.tables[EMBEDDING], start.rows["items"][known])
    if items.term_projection is not None and PROJECTION in start.tables:
        _copy_rows(items.term_projection, start.tables[PROJECTION], start.rows["terms"])


@torch.no_grad()
def forget_drawn(start: Start | None, network: Network, items: ItemEmbedding, known: Ints) -> None:
    """Set to 0 what was drawn for items, terms and users that no earlier network knew, where no step was taken.

    Nothing is known of them: drawn items would be listed for whoever they happen to be near. The rest as in
    `take_over`.
    """
    users = None if network.user_cross is None else network.user_cross.user_embedding.weight
    for table in (items.embedding, items.term_projection, users):
        if table is not None:
            table.zero_()
    if start is not None:
        take_over(start, network, items, known)


def tables_of(catalogue: ItemEmbedding) -> dict[str, Floats]:
    """What a later training starts from, of all items."""
    tables: dict[str, nn.Parameter | None] = {EMBEDDING: catalogue.embedding, PROJECTION: catalogue.term_projection}
    return {name: table.detach().cpu().numpy() for name, table in tables.items() if table is not None}


def _copy_rows(own: torch.Tensor, values: Floats, rows: Ints) -> None:
    """Copy values[rows_i] to row i, where there is such a row and it was ever trained."""
    there = np.flatnonzero(rows >= 0)
    there = there[values[rows[there]].any(axis=1)]
    own[torch.from_numpy(there)] = torch.from_numpy(values[rows[there]]).to(own.device)
