"""One step of a GRU, and its derivatives.

Blocks are reset gate, update gate, and the candidate's parts from the input and from the hidden state.
"""

import triton
import triton.language as tl

from hudyn.kernels.triton.cell import block_of, four_blocks, load_gates, sigmoid, store_gates, tanh


@triton.jit
def gru_step(nets, hidden, gate, size: tl.constexpr, inside):
    """The hidden state, given the previous one."""
    reset, update, recurrent = sigmoid(block_of(nets, 0)), sigmoid(block_of(nets, 1)), block_of(nets, 3)
    candidate = tanh(block_of(nets, 2) + reset * recurrent)
    hidden = (1 - update) * candidate + update * hidden
    store_gates(gate, reset, update, candidate, recurrent, size, inside)
    return hidden


@triton.jit
def gru_step_back(d_hidden, before, gate, size: tl.constexpr, inside):
    """Derivatives by the net inputs, and by the hidden state `before` the step except through the net inputs."""
    reset, update, candidate, recurrent = load_gates(gate, size, inside)
    to_candidate = d_hidden * (1 - update) * (1 - candidate * candidate)
    to_reset = to_candidate * recurrent * reset * (1 - reset)
    to_update = d_hidden * (before - candidate) * update * (1 - update)
    delta = four_blocks(to_reset, to_update, to_candidate, to_candidate * reset)
    return delta, d_hidden * update
