"""Where PyTorch is not installed, what needs it says so, and everything else does without."""

import pytest

from recmodels.compute import device, matmul
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.registry import create, kind_of, names


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_torch", lambda: False)
    device.cuda.cache_clear()


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", ["transformer", "hybrid", "embedding", "ncf"])
def test_a_neural_model_asks_for_pytorch(name: str) -> None:
    data = Dataset.from_arrays([0, 0, 1], [0, 1, 1])
    with pytest.raises(ConfigError, match=r"needs PyTorch, which is not installed: pip install 'nightrec\[torch\]'\.$"):
        create(name).fit(data)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.slow
def test_the_other_models_do_without_pytorch() -> None:
    assert {name for name in names() if kind_of(name).needs_torch} == {"transformer", "hybrid", "embedding", "ncf"}
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0])
    assert create("als", {"factors": 4, "iterations": 1}).fit(data).recommend(data, data.user_index[:1], 1).items.size
    assert not device.cuda()
    assert matmul.faster_product(1e15) is matmul.numpy_product
