"""Feature fusion: vectors of users and items are sums over what is known of them (Kula, "LightFM", 2015)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.pairwise.model import PairModel
from recmodels.parameters import Search
from recmodels.scoring.dot_product import DotProduct

if TYPE_CHECKING:
    from recmodels.pairwise.training import PairTrainer


@dataclass
class Hybrid(PairModel, DotProduct):
    r"""Score x_ui = (p_u + Σ_s a_us z_s + Σ_j w_uj c_j / √(Σ_j w_uj)) · (q_i + Σ_t a_it v_t) + b_i + Σ_t a_it β_t.

    An item is its own vector and those of its TF-IDF terms t (`content`); a user is their own vector (`user_ids`),
    those of what the user table says of them, s (`user_content`), and of the items j that they have (`history`), each
    c_j again with vectors of j's terms. So an item without interactions has a vector, and so have users who came after
    the training and users who have done nothing yet. Own vectors are dropped at random in training (`id_dropout`), as
    is half of every history (`dropout`), so that what remains learns to stand in.

    Losses are of pairs against items that all users of a step share (`pairwise.losses`): `softmax`, `bpr`, `warp`
    or `bce`.
    """

    content: Annotated[bool, Search()] = True

    def _trainer(self, data: Dataset, device: str) -> "PairTrainer":
        from recmodels.pairwise.training import PairTrainer

        return PairTrainer(self, data, device)

    def _tastes(self) -> Floats:
        return self.item_vectors[:, :-1]  # without what everybody likes it for


@dataclass
class Embedding(Hybrid):
    """Vectors of users and items alone, by softmax cross-entropy: a `Hybrid` that knows no other features."""

    history: bool = False
    content: bool = False
    user_content: bool = False
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    id_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
