"""Item-based nearest neighbours: items that the same users have, sparse from end to end."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from recmodels.base import SCORE_BYTES, Recommender, chunks, positive_evidence
from recmodels.dataset import Csr, Dataset, Floats, Ints
from recmodels.topk import keep_top

PRODUCTS = 2**24
"""How many products of weights are summed up in one block of items: some 500 MB of working memory."""


@dataclass
class ItemKNN(Recommender):
    r"""Score of item i for user u = sum over the items j of u's history of w_uj s_ji, over j's nearest neighbours i.

    With x_i the column of the weights of item i, the similarity is the cosine, optionally shrunk towards zero for
    pairs that few users support: s_ij = x_i·x_j / (|x_i| |x_j| + shrinkage). (Sarwar et al., 2001; the shrinkage
    after Bell & Koren, 2007.)
    """

    neighbors: int = 200
    """How many similar items are kept for each item."""
    shrinkage: float = 0.0
    """Added to the denominator, in units of weight squared: about as many users as it takes to believe a pair."""
    weighting: Literal["cosine"] = "cosine"

    def _fit(self, data: Dataset) -> None:
        columns: Csr = data.matrix.T.tocsr()  # [n_items, n_users]
        norms = np.sqrt(columns.multiply(columns).sum(axis=1)).astype(np.float32)
        histories = np.diff(data.indptr)
        products = np.bincount(data.item_index, histories[data.user_index], data.n_items).astype(np.int64)
        order = np.argsort(products, kind="stable").astype(np.int32)  # rows of a block are about equally long
        blocks = []
        for start, stop in chunks(products[order], PRODUCTS):
            block = order[start:stop]
            blocks.append(keep_top(self._similar(columns, data.matrix, norms, block), self.neighbors))
        similarity: Csr = sparse.vstack(blocks, format="csr")
        self.similarity_: Csr = similarity[np.argsort(order)]  # [n_items, n_items]: row j holds j's neighbours

    def _similar(self, columns: Csr, matrix: Csr, norms: Floats, block: Ints) -> Csr:
        similar: Csr = columns[block] @ matrix  # [b, n_items]: x_i·x_j
        rows = np.repeat(np.arange(len(block)), np.diff(similar.indptr))
        similar.data /= norms[block[rows]] * norms[similar.indices] + np.float32(self.shrinkage)
        similar.data[similar.indices == block[rows]] = 0  # nobody is their own neighbour
        similar.eliminate_zeros()
        return similar

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return positive_evidence(data.matrix[users] @ self.similarity_)

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.similarity_[sources, targets], dtype=np.float32)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        kept = 8 * n_items * min(self.neighbors, n_items)  # twice: the blocks, then the whole
        return 6 * SCORE_BYTES + 32 * PRODUCTS + 16 * n_interactions + 2 * kept
