"""The optimizer of networks: PyTorch's own AdamW loads its compiler first, which takes two seconds and 100 MB."""

from collections.abc import Iterable
from typing import TypeAlias

import torch
from torch import Tensor

Tensors: TypeAlias = list[Tensor]
MEAN, SQUARES, STEP = "exp_avg", "exp_avg_sq", "step"  # as `torch.optim` calls them, and checkpoints do


class AdamW:
    """AdamW (Loshchilov & Hutter 2019); without weight decay, Adam.

    Args:
        parameters: What it moves; those without a gradient stay as they are.
        learning_rate: Of all of them. It may be set between steps.
        weight_decay: By which share of the learning rate a step shrinks each parameter.
        betas: How much of the mean gradient, and of the mean squared gradient, a step keeps.
        eps: Added to the root of the mean squared gradient.
        fused: All in one kernel of PyTorch: faster where the parameters are large.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        fused: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate, self.weight_decay, self.betas = learning_rate, weight_decay, betas
        self.eps, self.fused = eps, fused
        self.state: dict[int, dict[str, Tensor]] = {}
        """Moments and steps of each parameter that has had a gradient, by its place."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        moved = {place: parameter for place, parameter in enumerate(self.parameters) if parameter.grad is not None}
        if not moved:
            return
        for place, parameter in moved.items():
            if place not in self.state:
                self.state[place] = {name: torch.zeros_like(parameter) for name in (MEAN, SQUARES)}
                self.state[place][STEP] = torch.zeros((), device=parameter.device if self.fused else "cpu")
        states = [self.state[place] for place in moved]
        parameters, gradients = list(moved.values()), [one.grad for one in moved.values() if one.grad is not None]
        steps, means, squares = ([state[name] for state in states] for name in (STEP, MEAN, SQUARES))
        torch._foreach_add_(steps, 1)
        if self.fused:
            self._move_at_once(parameters, gradients, means, squares, steps)
        else:
            self._move(parameters, gradients, means, squares, [float(step) for step in steps])

    def _move_at_once(
        self, parameters: Tensors, gradients: Tensors, means: Tensors, squares: Tensors, steps: Tensors
    ) -> None:
        torch._fused_adamw_(
            parameters, gradients, means, squares, [], steps,
            lr=self.learning_rate, beta1=self.betas[0], beta2=self.betas[1], weight_decay=self.weight_decay,
            eps=self.eps, amsgrad=False, maximize=False,
        )  # fmt: skip

    def _move(
        self, parameters: Tensors, gradients: Tensors, means: Tensors, squares: Tensors, steps: list[float]
    ) -> None:
        of_mean, of_squares = self.betas
        if self.weight_decay:
            torch._foreach_mul_(parameters, 1 - self.learning_rate * self.weight_decay)
        torch._foreach_lerp_(means, gradients, 1 - of_mean)
        torch._foreach_mul_(squares, of_squares)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - of_squares)
        root = torch._foreach_sqrt(squares)
        torch._foreach_div_(root, [(1 - of_squares**step) ** 0.5 for step in steps])
        torch._foreach_add_(root, self.eps)
        torch._foreach_addcdiv_(parameters, means, root, [-self.learning_rate / (1 - of_mean**step) for step in steps])
