"""Feature fusion: vectors of users and items are sums over their features."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from recmodels.compute.work import dense, mean_length
from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.options import WarmStarts
from recmodels.pairwise.model import PairModel
from recmodels.parameters import Search
from recmodels.scoring.dot_product import DotProduct, left_by_bounds

if TYPE_CHECKING:
    from recmodels.pairwise.training import PairTrainer


@dataclass
class Hybrid(PairModel, DotProduct):
    r"""Score x_ui = (p_u + Σ_s a_us z_s + Σ_j w_uj c_j / √(Σ_j w_uj)) · (q_i + Σ_t a_it v_t) + b_i + Σ_t a_it β_t.

    An item is the sum of its own vector and those of its TF-IDF terms t (`content`). A user is the sum of their own
    vector (`user_ids`), those of the terms s of the user table (`user_content`), and those of the items j of their
    history (`history`), each c_j again with vectors of j's terms. So items without interactions have a vector, and so
    have users who came after the training, and users without a history. Own vectors are dropped at random in training
    (`id_dropout`), as is half of every history (`dropout`), so that the other features learn to stand in.

    Losses are of pairs against negatives that some users of a step share: `softmax`, `bpr`, `warp` or `bce`.
    Parameters and attributes are those of `PairModel`; the last column of the vectors is the bias β.

    References:
        Kula, "Metadata embeddings for user and item cold-start recommendations" (LightFM), CBRecSys 2015.
        Weston, Bengio and Usunier, "WSABIE", IJCAI 2011 (`warp`).
        Rendle et al., "BPR", UAI 2009 (`bpr`).
        Covington, Adams and Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016 (`softmax`).
    """

    content: Annotated[bool, Search()] = True
    warm_start: WarmStarts = "always"

    def _trainer(self, data: Dataset, device: str) -> "PairTrainer":
        from recmodels.pairwise.training import PairTrainer

        return PairTrainer(self, data, device)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        summed = n_listed * mean_length(n_users, n_interactions) * self.factors
        return dense(n_listed, self.factors, left_by_bounds(n_items)) + summed

    def _similarity_vectors(self) -> Floats:
        return self.item_vectors[:, :-1]  # without the bias


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
