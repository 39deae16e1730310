"""One step of an SRN with tanh or relu units, and its derivatives."""

import triton
import triton.language as tl

from hudyn.kernels.triton.cell import block_of, tanh


@triton.jit
def srn_step(cell: tl.constexpr, nets):
    """The hidden state."""
    if cell == "srn_tanh":
        hidden = tanh(block_of(nets, 0))
    else:
        hidden = block_of(nets, 0)
        hidden = tl.where(hidden < 0, 0.0, hidden)
    return hidden


@triton.jit
def srn_step_back(cell: tl.constexpr, d_hidden, after):
    """Derivatives by the net inputs, given those by the hidden state `after` the step."""
    if cell == "srn_tanh":
        delta = (d_hidden * (1 - after * after))[None, :]
    else:
        delta = tl.where(after > 0, d_hidden, 0.0)[None, :]
    return delta
