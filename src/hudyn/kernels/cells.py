"""Parameters of the recurrent cells by name, in the order in which fused kernels take them as one vector a member."""

from typing import NamedTuple

import numpy as np


class SRNParameters(NamedTuple):
    """Parameters of an SRN, or their gradients."""

    input_weight: np.ndarray  # [hidden, alphabet]
    hidden_weight: np.ndarray  # [hidden, hidden]
    bias: np.ndarray  # [hidden]
    output_weight: np.ndarray  # [alphabet, hidden]
    output_bias: np.ndarray  # [alphabet]
    initial_hidden: np.ndarray  # [hidden]; [0] where the kernel takes the state that sequences begin in


class LSTMParameters(NamedTuple):
    """Parameters of an LSTM, or their gradients; blocks are input gate, forget gate, candidate, output gate."""

    input_weight: np.ndarray  # [4 · hidden, alphabet]
    hidden_weight: np.ndarray  # [4 · hidden, hidden]
    bias: np.ndarray  # [4 · hidden]
    peepholes: np.ndarray  # [3, hidden]: input, forget, output gate; [0, hidden] without peepholes
    output_weight: np.ndarray  # [alphabet, hidden]
    output_bias: np.ndarray  # [alphabet]


class GRUParameters(NamedTuple):
    """Parameters of a GRU, or their gradients; blocks are reset gate, update gate, candidate."""

    input_weight: np.ndarray  # [3 · hidden, alphabet]
    hidden_weight: np.ndarray  # [3 · hidden, hidden]
    bias: np.ndarray  # [3 · hidden]
    candidate_bias: np.ndarray  # [hidden], of the part of the candidate that the reset gate scales
    output_weight: np.ndarray  # [alphabet, hidden]
    output_bias: np.ndarray  # [alphabet]
