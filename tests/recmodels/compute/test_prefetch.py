"""Kernels that ask memory ahead."""

import numba
import numpy as np
import pytest

from recmodels.compute.prefetch import prefetch


@pytest.mark.slow
def test_a_kernel_asks_memory_and_computes_the_same() -> None:
    @numba.njit
    def total(values, places):  # type: ignore[no-untyped-def]
        found = 0.0
        for place in places:
            prefetch(values, place)
            found += values[place]
        return found

    assert total(np.array([1, 2, 4], np.float32), np.array([2, 0], np.uint32)) == 5
    [code] = total.inspect_asm().values()
    assert "prefetcht0" in code or "prfm" in code  # of x86-64 or ARM
