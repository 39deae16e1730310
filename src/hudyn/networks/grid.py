"""Two-layer perceptron on points of the plane, trained or with given weights."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from hudyn.arguments import ArgumentError, NonNegativeFloat, Positive, checked

INPUTS = 2  # x, y


def step(net_inputs: Tensor) -> Tensor:
    """1 for net inputs of at least 0, else 0."""
    return (net_inputs >= 0).to(net_inputs.dtype)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "step": step,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


class GridMLP(nn.Module):
    """One hidden layer and one output unit: a sigmoid, or a step if the hidden units are steps.

    Args:
        hidden_size: number of hidden units.
        activation: activation of the hidden units.
        init_std: standard deviation of the normal distribution that weights and biases are drawn from.
        weights: fixed weights, which are not trained: ``hidden`` has a row of two numbers for each hidden unit,
            ``hidden_bias`` and ``output`` one number for each, ``output_bias`` is one number.
        scale: factor of all initial weights and biases.

    Raises:
        ArgumentError: a number out of range, or given weights of the wrong shape.
    """

    inputs = "points"

    @checked
    def __init__(
        self,
        hidden_size: Positive = 5,
        activation: Literal["sigmoid", "step", "tanh", "relu"] = "sigmoid",
        init_std: NonNegativeFloat = 0.15,
        weights: Mapping[str, object] | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ArgumentError("activation", f"expected one of {', '.join(ACTIVATIONS)}, got {activation}")
        if activation == "step" and weights is None:
            raise ArgumentError("activation", "a step has no gradient to train by; choose another, or give weights")
        self.activation = activation
        self.hidden = nn.Linear(INPUTS, hidden_size)
        self.output = nn.Linear(hidden_size, 1)
        if weights is None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=init_std)
        else:
            self._fix(weights)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(scale)

    def forward(self, points: Tensor) -> Tensor:
        """Log-odds [batch] that the label of points [batch, 2] is 1; ±infinity if the output is a step."""
        hidden = ACTIVATIONS[self.activation](self.hidden(points))  # [batch, hidden]
        log_odds = self.output(hidden).squeeze(-1)  # [batch]
        if self.activation == "step":
            return torch.where(log_odds >= 0, torch.inf, -torch.inf)
        return log_odds

    def activations(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Activations of the hidden units [batch, hidden] and of the output [batch] at points [batch, 2]."""
        return ACTIVATIONS[self.activation](self.hidden(points)), torch.sigmoid(self(points))

    def _fix(self, weights: Mapping[str, object]) -> None:
        """Set the parameters to `weights` and exclude them from training."""
        hidden_size = self.hidden.out_features
        expected_weights = {
            "hidden": (self.hidden.weight, (hidden_size, INPUTS), f"{hidden_size} rows of {INPUTS} numbers"),
            "hidden_bias": (self.hidden.bias, (hidden_size,), f"{hidden_size} numbers"),
            "output": (self.output.weight, (hidden_size,), f"{hidden_size} numbers"),
            "output_bias": (self.output.bias, (), "one number"),
        }
        for name in weights:
            if name not in expected_weights:
                raise ArgumentError(f"weights.{name}", f"unknown name; expected {', '.join(expected_weights)}")
        for name, (parameter, shape, expected) in expected_weights.items():
            if name not in weights:
                raise ArgumentError("weights", f"{name} is missing; expected {expected}")
            try:
                given = torch.tensor(weights[name], dtype=torch.float32)
            except (ValueError, TypeError):
                given = torch.empty(0)
            if given.shape != shape or not given.isfinite().all():
                size = f" (model.network.hidden_size is {hidden_size})" if shape else ""
                raise ArgumentError(f"weights.{name}", f"expected {expected}{size}, got {weights[name]}")
            parameter.data = given.view(parameter.shape)
            parameter.requires_grad_(False)
