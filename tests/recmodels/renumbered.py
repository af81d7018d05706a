"""The small site as a later night has it: the same users and items under other numbers."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.testing import N_ITEMS, N_USERS


def same_rows(data: Dataset) -> dict[str, Ints]:
    sizes = {"users": data.n_users, "items": data.n_items, "terms": data.terms.shape[1], "user_terms": 0}
    return {name: np.arange(n, dtype=np.int32) for name, n in sizes.items()}


def shuffled(data: Dataset) -> tuple[Dataset, dict[str, Ints]]:
    """The same site under other numbers, with three users and two items more; and the old row of each."""
    rng = np.random.default_rng(3)
    user, item = rng.permutation(N_USERS + 3), rng.permutation(N_ITEMS + 2)  # the new number of each old one
    terms = np.zeros((N_ITEMS + 2, data.terms.shape[1]), np.float32)
    terms[item[:N_ITEMS]] = data.terms.toarray()
    other = Dataset.from_arrays(
        user[data.user_index], item[data.item_index], timestamp=data.timestamp, terms=sparse.csr_array(terms),
        n_users=N_USERS + 3, n_items=N_ITEMS + 2,
    )  # fmt: skip
    rows = same_rows(data)
    for name, numbers, n in (("users", user, N_USERS), ("items", item, N_ITEMS)):
        rows[name] = np.full(len(numbers), -1, np.int32)
        rows[name][numbers[:n]] = np.arange(n)
    return other, rows
