"""Content: items whose text, tags and categories resemble what the user has."""

from dataclasses import dataclass

import numpy as np

from recmodels.base import SCORE_BYTES, Recommender, positive_evidence
from recmodels.dataset import Csr, Dataset, Floats, Ints
from recmodels.errors import DataRefused


@dataclass
class Content(Recommender):
    """Score of item i for user u = cosine between i's TF-IDF terms t_i and u's profile, the sum of w_uj t_j over j.

    It reaches items that nobody has had yet; items that share no term with the profile are not recommended.
    """

    def _fit(self, data: Dataset) -> None:
        if data.terms.nnz == 0:
            raise DataRefused("The items have no terms to compare; give an item table with text, tags or categories.")
        self.terms_: Csr = data.terms.copy()  # [n_items, n_terms]

    def _score(self, data: Dataset, users: Ints) -> Floats:
        profiles: Csr = data.matrix[users] @ self.terms_  # [b, n_terms]
        norms = np.sqrt(profiles.multiply(profiles).sum(axis=1))
        profiles.data /= np.repeat(np.maximum(norms, np.finfo(np.float32).tiny), np.diff(profiles.indptr))
        return positive_evidence(profiles @ self.terms_.T.tocsr())

    def _similar(self, items: Ints) -> Floats:
        return positive_evidence(self.terms_[items] @ self.terms_.T.tocsr())  # rows have length one: the cosine

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.terms_[sources].multiply(self.terms_[targets]).sum(axis=1), dtype=np.float32)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 6 * SCORE_BYTES + 16 * n_interactions
