"""The two-layer perceptron on points of the plane, trained or with weights given by hand."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

INPUTS = 2  # x and y


def step(net_inputs: Tensor) -> Tensor:
    """1 where the net input is 0 or more, else 0."""
    return (net_inputs >= 0).to(net_inputs.dtype)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "step": step,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


class GridMLP(nn.Module):
    """One hidden layer and one output unit over the plane; the output is a sigmoid, or a step where the others are.

    Args:
        hidden_size: number of hidden units.
        activation: of the hidden units.
        init_std: standard deviation of the normal distribution that weights and biases are drawn from.
        weights: given weights, with which the network is not trained: ``hidden`` has a row of two numbers for each
            hidden unit; ``hidden_bias`` and ``output``, one number for each; ``output_bias`` is one number.
        scale: what all weights and biases are multiplied by at the start.

    Raises:
        ValueError: a number out of range, or given weights of the wrong shape.
    """

    def __init__(
        self,
        hidden_size: int = 5,
        activation: Literal["sigmoid", "step", "tanh", "relu"] = "sigmoid",
        init_std: float = 0.15,
        weights: Mapping[str, Any] | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ValueError(f"hidden_size: expected at least 1, got {hidden_size}")
        if init_std < 0:
            raise ValueError(f"init_std: expected a standard deviation, 0 or more, got {init_std}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation}")
        if activation == "step" and weights is None:
            raise ValueError("activation: a step has no gradient to be trained by; choose another, or give weights")
        self.activation = activation
        self.hidden = nn.Linear(INPUTS, hidden_size)
        self.output = nn.Linear(hidden_size, 1)
        if weights is None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=init_std)
        else:
            self._give(weights)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(scale)

    def forward(self, points: Tensor) -> Tensor:
        """Log-odds that the label is 1, [batch], of points [batch, 2]; ±infinity where the output is a step."""
        hidden = ACTIVATIONS[self.activation](self.hidden(points))  # [batch, hidden]
        log_odds = self.output(hidden).squeeze(-1)  # [batch]
        if self.activation == "step":
            return torch.where(log_odds >= 0, torch.inf, -torch.inf)
        return log_odds

    def activations(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Activations of the hidden units, [batch, hidden], and of the output, [batch], at points [batch, 2]."""
        return ACTIVATIONS[self.activation](self.hidden(points)), torch.sigmoid(self(points))

    def _give(self, weights: Mapping[str, Any]) -> None:
        """Take the given weights for good."""
        hidden_size = self.hidden.out_features
        places = {
            "hidden": (self.hidden.weight, (hidden_size, INPUTS), f"{hidden_size} rows of {INPUTS} numbers"),
            "hidden_bias": (self.hidden.bias, (hidden_size,), f"{hidden_size} numbers"),
            "output": (self.output.weight, (hidden_size,), f"{hidden_size} numbers"),
            "output_bias": (self.output.bias, (), "one number"),
        }
        for name in weights:
            if name not in places:
                raise ValueError(f"weights.{name}: there is no such matrix; expected {', '.join(places)}")
        for name, (parameter, shape, expected) in places.items():
            if name not in weights:
                raise ValueError(f"weights: {name} is missing; expected {expected}")
            try:
                given = torch.tensor(weights[name], dtype=torch.float32)
            except (ValueError, TypeError):
                given = torch.empty(0)
            if given.shape != shape or not given.isfinite().all():
                size = f" (model.network.hidden_size is {hidden_size})" if shape else ""
                raise ValueError(f"weights.{name}: expected {expected}{size}, got {weights[name]}")
            parameter.data = given.view(parameter.shape)
            parameter.requires_grad_(False)
