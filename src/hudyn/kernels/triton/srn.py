"""One step of an SRN with tanh or relu units, and its derivatives."""

import triton
import triton.language as tl

from hudyn.kernels.triton.cell import block_of, tanh


@triton.jit
def srn_step(cell: tl.constexpr, nets):
    """The hidden state."""
    net = block_of(nets, 0)
    return tanh(net) if cell == "srn" else tl.where(net < 0, 0.0, net)


@triton.jit
def srn_step_back(cell: tl.constexpr, d_hidden, after):
    """Derivatives by the net inputs, given those by the hidden state `after` the step."""
    delta = d_hidden * (1 - after * after) if cell == "srn" else tl.where(after > 0, d_hidden, 0.0)
    return delta[None, :]
