"""The network: its states see the past alone, and its parts follow their formulas."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recmodels.testing import small_site
from recmodels.transformer.network import (
    Dropout,
    FrequencyFilter,
    InputDropout,
    ItemEmbedding,
    Network,
    UserCrossNetwork,
    last_states,
)
from tests.recmodels.sequences import BLOCKS, network_config, two_domains
from tests.recmodels.tensors import assert_close


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("users", [False, True])
def test_a_state_sees_nothing_of_what_comes_after_it(block: str, users: bool) -> None:
    network = Network(network_config(block, user_embedding=users, cross=users), 3).eval()
    x = torch.randn(2, 10, 8)
    changed = torch.cat((x[:, :6], torch.randn(2, 4, 8)), dim=1)
    who = torch.tensor([0, 2])
    assert_close(network(x, who)[:, :6], network(changed, who)[:, :6], rtol=0, atol=1e-6)
    assert not torch.allclose(network(x, who)[:, 6:], network(changed, who)[:, 6:])


@pytest.mark.parametrize("block", BLOCKS)
def test_each_state_is_that_of_its_prefix_alone_and_padding_changes_nothing(block: str) -> None:
    network, items = Network(network_config(block)), ItemEmbedding(small_site(), network_config(block))
    data = small_site()
    start, n = int(data.indptr[5]), 7
    ends = start + np.arange(1, n + 1)
    alone = last_states(network, items(), data.item_index, np.full(n, start), ends, np.zeros(n, np.int32))
    inputs = items()[torch.from_numpy(data.item_index[start : start + n]).long()]
    assert_close(network(inputs[None], torch.tensor([0]))[0], torch.from_numpy(alone))


@pytest.mark.parametrize(
    ("padding", "mode"), [("zeros", "constant"), ("cyclic", "wrap"), ("mirrored", "symmetric")]
)  # fmt: skip
@pytest.mark.parametrize(("places", "cutoff"), [(12, 5), (12, 99), (4, 5), (3, 5), (1, 5), (5, 1)])
def test_the_filter_is_the_low_pass_of_each_padded_prefix(padding: str, mode: str, places: int, cutoff: int) -> None:
    """Against the definition of the paper: the spectrum of the last places, cut off after the frequency cutoff // 2.

    Where so many places have no higher frequency, all pass.
    """
    layer = FrequencyFilter(network_config(max_length=places, cutoff=cutoff, filter_padding=padding))
    x = torch.randn(1, places, 8)
    filtered = layer(x).detach()
    for t in range(places):
        padded = np.pad(x[0, : t + 1].numpy(), ((places - t - 1, 0), (0, 0)), mode)  # type: ignore[call-overload]
        spectrum = np.fft.rfft(padded, axis=0)
        spectrum[cutoff // 2 + 1 :] = 0
        low = np.fft.irfft(spectrum, n=places, axis=0)[-1].astype(np.float32)
        expected = low + layer.sqrt_beta.detach().numpy() ** 2 * (x[0, t].numpy() - low)
        assert_close(filtered[0, t], torch.from_numpy(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(501, 401, requires_grad=True)  # not a multiple of eight
    out = Dropout(p)(x)
    dropped, share = out == 0, min(round(256 * p), 255) / 256  # never all
    assert float(dropped.float().mean()) == pytest.approx(share, abs=0.003)  # below 1 / 256
    assert float(out.detach().mean()) == pytest.approx(1, abs=0.05)
    along = dropped[:, :-1] & dropped[:, 1:]  # neighbours know nothing of each other
    assert float(along.float().mean()) == pytest.approx(share**2, abs=0.005)
    out.sum().backward()
    assert_close(x.grad, out.detach())
    assert_close(Dropout(p).eval()(x), x)


def test_the_cross_network_follows_its_formula() -> None:
    cross = UserCrossNetwork(network_config(user_embedding=True, cross=True, user_dim=5), 4).eval()
    x, users = torch.randn(2, 3, 8), torch.tensor([1, 3])
    out = cross(x, users)
    for row in range(2):
        for place in range(3):
            start = torch.cat((cross.user_embedding.weight[users[row]], x[row, place]))  # [5 + 8]
            crossed = start
            for layer in cross.cross_layers:
                crossed = start * (layer.weight @ crossed + layer.bias) + crossed
            expected = x[row, place] + cross.proj.weight @ crossed + cross.proj.bias
            assert_close(out[row, place], expected)


def test_dropout_of_an_item_leaves_some_of_its_numbers() -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, 2)
    dropped = InputDropout(network_config(dim=2, heads=1, dropout=0.5))(x)
    rows = {tuple(row) for row in dropped.tolist()}
    assert rows == {(2.0, 0.0), (0.0, 2.0), (2.0, 2.0), (1.0, 1.0)}  # the last ones would have lost both
    assert (dropped == 1).all(dim=1).float().mean().item() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
@pytest.mark.parametrize("content", [False, True])
def test_a_vector_is_0_in_the_parts_of_other_domains(temperature: float, content: bool) -> None:
    """Of eight numbers four are shared, and two are of each of two domains; the others follow as without parts."""
    data, config = two_domains(), network_config(temperature=temperature, content=content)
    torch.manual_seed(0)
    whole = ItemEmbedding(data, replace(config, temperature=0.0))()
    torch.manual_seed(0)
    items = ItemEmbedding(data, replace(config, domain_share=0.5))
    assert data.domains is not None
    second = torch.from_numpy(data.domains.codes == 1)
    expected = whole.clone()
    expected[second, 4:6] = 0
    expected[~second, 6:8] = 0
    if temperature:
        expected /= expected.norm(dim=1, keepdim=True)
    assert_close(items(), expected)
    if not content:
        rows = torch.tensor([2, 3, 20])
        assert_close(items(rows), expected[rows])
