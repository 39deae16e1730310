"""One step of an LSTM, and its derivatives; without peepholes the weights of the peepholes are 0.

Blocks are input gate, forget gate, candidate, output gate.
"""

import triton
import triton.language as tl

from hudyn.kernels.triton.cell import block_of, four_blocks, load_gates, sigmoid, store_gates, tanh


@triton.jit
def lstm_step(nets, context, peepholes, gate, size: tl.constexpr, inside):
    """Hidden and context state, given the previous context state."""
    input_gate = sigmoid(block_of(nets, 0) + block_of(peepholes, 0) * context)
    forget_gate = sigmoid(block_of(nets, 1) + block_of(peepholes, 1) * context)
    candidate = tanh(block_of(nets, 2))
    context = forget_gate * context + input_gate * candidate
    output_gate = sigmoid(block_of(nets, 3) + block_of(peepholes, 3) * context)
    hidden = output_gate * tanh(context)
    store_gates(gate, input_gate, forget_gate, candidate, output_gate, size, inside)
    return hidden, context


@triton.jit
def lstm_step_back(d_hidden, d_context, contexts, peepholes, gate, size: tl.constexpr, inside):
    """Derivatives by the net inputs and by the previous context state, which is at `contexts`."""
    input_gate, forget_gate, candidate, output_gate = load_gates(gate, size, inside)
    context = tl.load(contexts, inside, other=0.0)
    squashed = tanh(tl.load(contexts + size, inside, other=0.0))
    to_output = d_hidden * squashed * output_gate * (1 - output_gate)
    d_context += d_hidden * output_gate * (1 - squashed * squashed) + to_output * block_of(peepholes, 3)
    to_input = d_context * candidate * input_gate * (1 - input_gate)
    to_forget = d_context * context * forget_gate * (1 - forget_gate)
    to_candidate = d_context * input_gate * (1 - candidate * candidate)
    delta = four_blocks(to_input, to_forget, to_candidate, to_output)
    d_context = d_context * forget_gate + to_input * block_of(peepholes, 0) + to_forget * block_of(peepholes, 1)
    return delta, d_context
