"""Feature fusion: vectors of users and items are sums over their features."""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Lt

from recmodels.base import State
from recmodels.compute.work import dense, mean_length
from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.options import FitOptions, WarmStarts
from recmodels.pairwise.model import PairModel
from recmodels.parameters import Search
from recmodels.scoring.dot_product import DotProduct, left_by_bounds

if TYPE_CHECKING:
    from recmodels.pairwise.training import PairTrainer

log = logging.getLogger(__name__)


@dataclass
class Hybrid(PairModel, DotProduct):
    r"""Score x_ui = (p_u + Σ_s a_us z_s + Σ_j w_uj c_j / √(Σ_j w_uj)) · (q_i + Σ_t a_it v_t) + b_i + Σ_t a_it β_t.

    An item is the sum of its own vector and those of its TF-IDF terms t (`content`). A user is the sum of their own
    vector (`user_ids`), those of the terms s of the user table (`user_content`), and those of the items j of their
    history (`history`), each c_j again with vectors of j's terms. So items without interactions have a vector, and so
    have users who came after the training, and users without a history. Own vectors are dropped at random in training
    (`id_dropout`), as is half of every history (`dropout`), so that the other features learn to stand in.

    Of a site with several domains a part of the factors may belong to one domain each (`domain_share`): items of the
    others are 0 there. So a user has one taste that all domains share, learned from whatever they did, and one of each
    domain, learned there alone; whoever is new in a domain is served by the shared one.

    Losses are of pairs against negatives that some users of a step share: `softmax`, `bpr`, `warp` or `bce`.
    Parameters and attributes are those of `PairModel`, and `domains_`: with `domain_share` the names of the domains, in
    the order of their parts. The last column of the vectors is the bias β.

    References:
        Singh and Gordon, "Relational learning via collective matrix factorization", KDD 2008 (shared user vectors).
        Liu et al., "Cross domain recommendation via bi-directional transfer graph collaborative filtering networks",
        CIKM 2020 (features that domains share and those of each).
        Kula, "Metadata embeddings for user and item cold-start recommendations" (LightFM), CBRecSys 2015.
        Weston, Bengio and Usunier, "WSABIE", IJCAI 2011 (`warp`).
        Rendle et al., "BPR", UAI 2009 (`bpr`).
        Covington, Adams and Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016 (`softmax`).
    """

    content: Annotated[bool, Search()] = True
    domain_share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Of a site with several domains, the share of the factors that domains have for themselves, as many each; by the
    others users are the same in all."""
    warm_start: WarmStarts = "always"

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.domains_: list[str] = [] if data.domains is None or not self.domain_share else list(data.domains.names)
        earlier = None if options.warm_start is None else options.warm_start.model
        if isinstance(earlier, Hybrid) and (
            earlier.domains_ != self.domains_ or (self.domains_ and earlier.domain_share != self.domain_share)
        ):
            log.info("The earlier model has parts for other domains; this one starts anew.")
            options = replace(options, warm_start=None)
        super()._fit(data, options)

    def _restore(self, state: State) -> None:
        super()._restore({"domains_": []} | state)

    def _trainer(self, data: Dataset, device: str) -> "PairTrainer":
        from recmodels.pairwise.training import PairTrainer

        return PairTrainer(self, data, device, own_factors(data.domains, self.factors, self.domain_share))

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        summed = n_listed * mean_length(n_users, n_interactions) * self.factors
        return dense(n_listed, self.factors, left_by_bounds(n_items)) + summed

    def _similarity_vectors(self) -> Floats:
        return self.item_vectors[:, :-1]  # without the bias


def own_factors(domains: Domains | None, factors: int, share: float) -> Floats | None:
    """Which numbers of its vector each item has, 1 or 0: float32 [n_items, factors + 1]; None where all have all.

    The shared factors come first, then those of each domain; the bias is the last.
    """
    parts = None if domains is None else domains.parts(factors, share)
    if domains is None or parts is None:
        return None
    found: Floats = np.pad(parts, ((0, 0), (0, 1)), constant_values=1)[domains.codes]
    return found


@dataclass
class Embedding(Hybrid):
    """Vectors of users and items by their ids alone, by sampled softmax: a `Hybrid` without other features.

    Parameters and attributes are those of `PairModel`.

    References:
        Covington, Adams and Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016.
    """

    history: bool = False
    content: bool = False
    user_content: bool = False
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    id_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
