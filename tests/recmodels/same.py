"""Whether what was read twice is the same."""

from typing import Any

import numpy as np
from scipy import sparse


def assert_same(found: Any, expected: Any) -> None:
    """Arrays, sparse matrices or tuples of them of the same values, types and order; or equal objects."""
    if isinstance(expected, sparse.csr_array):
        assert found.shape == expected.shape
        for name in ("indptr", "indices", "data"):
            assert_same(getattr(found, name), getattr(expected, name))
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected
