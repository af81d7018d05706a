"""Which matrix product is used is measured once a process."""

import pytest

from recmodels.compute import matmul


def test_the_product_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: F401  # where it is loaded anyway, both are timed

    matmul.timed_product.cache_clear()
    assert matmul.faster_product(1.0) in (matmul.numpy_product, matmul.torch_product)
    monkeypatch.setattr(matmul, "torch_product", None)  # would fail if it were timed again
    matmul.faster_product(1.0)
    assert matmul.timed_product.cache_info().misses == 1
