"""What Triton's cells share: activations, and blocks of units.

Net inputs are W x + U h + b, in one block of units (SRN) or in four, [blocks, wide].
"""

import triton
import triton.language as tl


@triton.jit
def block_of(tile, index: tl.constexpr):
    """One block of units out of [blocks, wide]."""
    return tl.sum(tl.where(tl.arange(0, tile.shape[0])[:, None] == index, tile, 0.0), axis=0)


@triton.jit
def four_blocks(first, second, third, fourth):
    """Four blocks of units as [4, wide]."""
    block = tl.arange(0, 4)[:, None]
    earlier = tl.where(block == 0, first[None, :], second[None, :])
    later = tl.where(block == 2, third[None, :], fourth[None, :])
    return tl.where(block < 2, earlier, later)


@triton.jit
def store_gates(gate, first, second, third, fourth, size: tl.constexpr, inside):
    """Store what `load_gates` loads at `gate`."""
    tl.store(gate, first, inside)
    tl.store(gate + size, second, inside)
    tl.store(gate + 2 * size, third, inside)
    tl.store(gate + 3 * size, fourth, inside)


@triton.jit
def load_gates(gate, size: tl.constexpr, inside):
    """The four values that a step has stored for its gradients."""
    first, second = tl.load(gate, inside, other=0.0), tl.load(gate + size, inside, other=0.0)
    third, fourth = tl.load(gate + 2 * size, inside, other=0.0), tl.load(gate + 3 * size, inside, other=0.0)
    return first, second, third, fourth


@triton.jit
def sigmoid(net):
    """1 / (1 + exp(-net)) without overflow."""
    small = tl.exp(-tl.abs(net))
    return tl.where(net < 0, small, 1.0) / (1.0 + small)


@triton.jit
def tanh(net):
    """Lambert's continued fraction to its eighth term near 0, where the exponential form would cancel."""
    far = tl.abs(net)
    near = tl.minimum(far, 0.625)
    x = near * near
    numerator = 2027025.0 + x * (270270.0 + x * (6930.0 + x * 36.0))
    denominator = 2027025.0 + x * (945945.0 + x * (51975.0 + x * (630.0 + x)))
    small = tl.exp(-2.0 * far)
    size = tl.where(far < 0.625, near * numerator / denominator, (1.0 - small) / (1.0 + small))
    return tl.where(net < 0, -size, size)
