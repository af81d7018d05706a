"""What the rows of a dataset must be, wherever they come from."""

import numpy as np

from recmodels.data.arrays import Floats, Ints
from recmodels.errors import DataRefused


def check_rows(where: str, n_users: int, n_items: int, user_index: Ints, item_index: Ints, weight: Floats) -> None:
    """Raise DataRefused unless indices are in their ranges, users ascend, and weights are finite and not negative."""
    for column, index, n in (("user_index", user_index, n_users), ("item_index", item_index, n_items)):
        if len(index) and (index.min() < 0 or index.max() >= n):
            bad = index.min() if index.min() < 0 else index.max()
            raise DataRefused(f"{where}: {column} {bad} is outside 0..{n - 1}; encode the ids densely.")
    if np.any(user_index[1:] < user_index[:-1]):
        raise DataRefused(f"{where}: the rows are not sorted by user_index; prepare the features again.")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise DataRefused(f"{where}: a weight is negative or not finite; look at the rules that give weights.")


def rated_rows(where: str, user_index: Ints, item_index: Ints, rating: Floats) -> tuple[Ints, Ints, Floats] | None:
    """User, item and rating of the rows that have one, None where none has; raises DataRefused for an infinite one."""
    given = ~np.isnan(rating)
    if not given.any():
        return None
    if not np.isfinite(rating[given]).all():
        raise DataRefused(f"{where}: a rating is infinite; give a number, or nothing where there is none.")
    return (user_index, item_index, rating) if given.all() else (user_index[given], item_index[given], rating[given])
