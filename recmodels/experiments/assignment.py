"""Which arm a user is in: by a keyed hash of the id, the same in every night and on every machine."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from recmodels.errors import ConfigError

MAIN = "main"
STEPS = 1 << 53  # of the hash, so that a share is a float exactly


def positions(user_ids: Iterable[int | str], salt: str) -> NDArray[np.float64]:
    """Where each user stands in [0, 1): uniform over users, and independent between salts, `[n_users]`."""
    keyed = blake2b(key=blake2b(salt.encode(), digest_size=32).digest(), digest_size=8)
    digests = bytearray()
    for user_id in user_ids:
        one = keyed.copy()
        one.update(str(user_id).encode())
        digests += one.digest()
    return (np.frombuffer(digests, ">u8") >> np.uint64(11)).astype(np.float64) / STEPS


def arms_of(user_ids: Iterable[int | str], shares: Mapping[str, float], salt: str) -> NDArray[np.str_]:
    """The arm of each user, `[n_users]`; what the shares leave is `main`.

    Arms take their parts of [0, 1) in the order given. An arm that is added at the end, or whose share grows as the
    last one's, takes its users from `main` and leaves those of other arms where they are.

    Raises:
        ConfigError: where a share is not in (0, 1), or all together are more than 1.
    """
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ConfigError(f"The share of arm {name} is {share:g}; it must be between 0 and 1.")
    ends = np.cumsum(list(shares.values()))
    if len(ends) and ends[-1] > 1 + 1e-9:
        raise ConfigError(f"The shares of the arms add up to {ends[-1]:g}; at most 1 is there.")
    names = np.array([*shares, MAIN])
    return names[np.searchsorted(ends, positions(user_ids, salt), side="right")]
