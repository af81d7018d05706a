"""The loss of a step, and what computes it on a GPU."""

from functools import partial

import pytest
import torch
from torch import nn

from recmodels.transformer import step_loss
from recmodels.transformer.network import Network
from recmodels.transformer.step_loss import compiled
from tests.recmodels.sequences import BLOCKS, network_config
from tests.recmodels.tensors import assert_close


@pytest.mark.slow
def test_what_a_gpu_compiles_computes_the_same_for_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of all kinds, traced at once as there, and run by torch's own operations: there may be no compiler."""
    graphs: list[torch.fx.GraphModule] = []
    monkeypatch.setattr(step_loss, "find_spec", lambda _: True)
    monkeypatch.setattr(
        torch, "compile", partial(torch.compile, backend=lambda graph, _: graphs.append(graph) or graph)
    )
    network = Network(network_config("ligr")).eval()
    network.blocks = nn.Sequential(*(Network(network_config(block, layers=1)).eval().blocks[0] for block in BLOCKS))
    fused = compiled(network, torch.device("cuda"))
    assert fused is not network and compiled(network, torch.device("cpu")) is network
    for size in ((2, 5, 8), (3, 9, 8)):
        x, users = torch.randn(size), torch.zeros(size[0], dtype=torch.int64)
        assert_close(fused(x, users), network(x, users))
    assert len(graphs) == 1  # whole, and for each length
