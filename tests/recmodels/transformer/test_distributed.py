"""One training shared by several devices."""

from functools import partial
from multiprocessing.forkserver import set_forkserver_preload

import numpy as np
import pytest
from torch.multiprocessing.spawn import start_processes

from recmodels.compute import device
from recmodels.errors import NightrecError
from recmodels.testing import small_site
from recmodels.transformer import distributed
from recmodels.transformer.model import Transformer
from tests.recmodels.sequences import TINY


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors of one thread each, whose processes are forked by one that has imported PyTorch."""
    monkeypatch.setattr(device, "names", lambda: ["cpu", "cpu"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    set_forkserver_preload([distributed.__name__])
    monkeypatch.setattr(distributed, "spawn", partial(start_processes, start_method="forkserver"))


@pytest.mark.slow
def test_two_devices_train_to_the_weights_of_one(request: pytest.FixtureRequest) -> None:
    one = Transformer(**TINY, dropout=0.0, warm_start="always").fit(small_site())
    request.getfixturevalue("two_devices")
    two = Transformer(**TINY, dropout=0.0, warm_start="always").fit(small_site())
    np.testing.assert_allclose(two.item_vectors_, one.item_vectors_, atol=1e-5)
    np.testing.assert_allclose(two.tables_["0.embedding"], one.tables_["0.embedding"], atol=1e-5)
    assert [epoch["ndcg"] for epoch in two.epochs_] == [epoch["ndcg"] for epoch in one.epochs_]


@pytest.mark.slow
def test_a_failure_on_one_of_several_devices_is_raised_with_its_message(two_devices: None) -> None:
    with pytest.raises(NightrecError, match=r"^The transformer diverged in epoch 1.*give a learning_rate below 1e"):
        Transformer(**TINY | {"epochs": 5}, learning_rate=1e30).fit(small_site())
