import numpy as np
import pytest
import torch

from recmodels.compute.adam import AdamW


@pytest.mark.parametrize("fused", [False, True])
def test_steps_are_those_of_the_paper(fused: bool) -> None:
    """Algorithm 2 of Loshchilov & Hutter 2019 in float64; the second parameter has no gradient at first."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(3, 4)), rng.normal(size=5)]
    parameters = [torch.nn.Parameter(torch.tensor(values, dtype=torch.float32)) for values in weights]
    optimizer = AdamW(parameters, learning_rate=0.1, weight_decay=0.01, fused=fused)
    mean, squares, steps = [0.0, 0.0], [0.0, 0.0], [0, 0]
    for turn in range(4):
        optimizer.zero_grad()
        for place in (0, 1)[: 1 + (turn > 0)]:
            gradient = rng.normal(size=weights[place].shape)
            parameters[place].grad = torch.tensor(gradient, dtype=torch.float32)
            steps[place] += 1
            mean[place] = 0.9 * mean[place] + 0.1 * gradient
            squares[place] = 0.999 * squares[place] + 0.001 * gradient**2
            unbiased = mean[place] / (1 - 0.9 ** steps[place])
            root = np.sqrt(squares[place] / (1 - 0.999 ** steps[place]))
            weights[place] = weights[place] * (1 - 0.1 * 0.01) - 0.1 * unbiased / (root + 1e-8)
        optimizer.step()
        for expected, parameter in zip(weights, parameters, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_without_gradients_nothing_moves() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    AdamW([parameter]).step()
    assert parameter.tolist() == [1, 1]
