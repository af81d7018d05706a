"""Who is followed: a sample of users that stays the same from night to night, as far as its users stay."""

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Ints
from recmodels.experiments.assignment import positions

SALT = "long-term panel"


def followed(user_ids: pa.Array, count: int) -> Ints:
    """The indices of up to `count` users, ascending: those whose ids have the smallest hashes; null is nobody."""
    there = np.flatnonzero(user_ids.is_valid().to_numpy(zero_copy_only=False))
    if len(there) > count:
        places = positions(user_ids.take(pa.array(there)).to_pylist(), SALT)
        there = there[np.argpartition(places, count - 1)[:count]]
    return np.sort(there).astype(np.int32)
