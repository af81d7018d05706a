"""How varied lists are: intra-list diversity (Ziegler et al., WWW 2005) by the content of the items."""

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Csr, Ints

LISTS_AT_A_TIME = 4096  # lists at a time


def intra_list(items: Ints, terms: Csr) -> NDArray[np.float64]:
    """1 - the mean cosine over all pairs of items of a list: [n], NaN for lists of fewer than two items.

    `items` [n, k] is -1 where a list ends; `terms` [n_items, n_terms] has rows of length one (or empty ones, which are
    like nothing else). The sum over pairs is (|sum of the vectors|² - sum of |vector|²) / 2, so no pair is formed.
    """
    parts = [_of_part(items[i : i + LISTS_AT_A_TIME], terms) for i in range(0, len(items), LISTS_AT_A_TIME)]
    return np.concatenate([np.empty(0), *parts])


def _of_part(items: Ints, terms: Csr) -> NDArray[np.float64]:
    from scipy import sparse

    row, place = np.nonzero(items >= 0)
    shown, listed = np.unique(items[row, place], return_inverse=True)
    terms = terms[shown]  # of these lists' items alone, which may be few of a large catalogue
    squares: NDArray[np.float64] = np.asarray(terms.multiply(terms).sum(axis=1)).ravel()
    lists = sparse.csr_array((np.ones(len(row)), (row, listed)), shape=(len(items), len(shown)))
    sums = lists @ terms.astype(np.float64)
    whole: NDArray[np.float64] = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    alone = np.bincount(row, squares[listed], len(items))
    n = np.bincount(row, minlength=len(items)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return 1 - (whole - alone) / np.where(n > 1, n * (n - 1), np.nan)
