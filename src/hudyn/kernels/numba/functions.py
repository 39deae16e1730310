"""Exponential function, logarithm and activations of vectors.

Their errors are below 2 units in the last place in float32, and below 2.5 in float64 (tests/test_functions.py).

Each is a polynomial after a reduction of its argument (Muller 2016, Elementary Functions, chapters 5 and 11), without
branches, so that all lanes do the same. The coefficients are those of the Taylor series: the reduced arguments are so
small that the best polynomials would save one term.
"""

import math
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic, overload, register_jitable

from hudyn.kernels.numba.lanes import as_bits, from_bits, llvm, multiply_add, where

LOG2E = 1 / math.log(2)


class Format(NamedTuple):
    """A floating-point format, and how many terms of the series it needs."""

    mantissa_bits: int
    bias: int  # of the exponent
    rounder: float  # adding it rounds to an integer, which is then in the last bits
    rounder_bits: int
    ln2_high: float  # with so few bits that its products with integers are exact
    ln2_low: float
    half_root_bits: int  # the bits of √½
    exponential_terms: int
    logarithm_terms: int
    largest: float  # beyond, exp is infinite or 0
    saturated: float  # beyond, tanh rounds to 1


def _format(dtype: Any, integer: Any, mantissa_bits: int, **others: Any) -> Format:
    rounder = 1.5 * 2**mantissa_bits
    high = math.ldexp(math.floor(math.ldexp(math.log(2), mantissa_bits - 12)), 12 - mantissa_bits)
    low = float(Decimal(2).ln() - Decimal(high))
    return Format(
        mantissa_bits=mantissa_bits,
        bias=1 - int(np.log2(float(np.finfo(dtype).smallest_normal))),
        rounder=rounder,
        rounder_bits=int(dtype(rounder).view(integer)),
        ln2_high=high,
        ln2_low=low,
        half_root_bits=int(dtype(math.sqrt(0.5)).view(integer)),
        **others,
    )


FORMATS = {
    32: _format(np.float32, np.int32, 23, exponential_terms=7, logarithm_terms=5, largest=105.0, saturated=9.5),
    64: _format(np.float64, np.int64, 52, exponential_terms=13, logarithm_terms=11, largest=746.0, saturated=19.5),
}


def _series(coefficients: list[float]) -> Any:
    """A function of vectors: the sum of ``coefficients[k] · x^k``, by Horner's rule."""

    @intrinsic
    def evaluate(context: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            constants = [ir.Constant(values[0].type, [coefficient] * x.lanes) for coefficient in coefficients]
            total = constants.pop()
            while constants:
                total = llvm(builder, "fmuladd", x, [total, values[0], constants.pop()])
            return total

        return x(x), emit

    return evaluate


class Functions(NamedTuple):
    """The functions of one floating-point format."""

    exp: Any
    log: Any
    tanh: Any
    sigmoid: Any


def _functions(f: Format) -> Functions:
    rounder, rounder_bits, mantissa_bits, bias = f.rounder, f.rounder_bits, f.mantissa_bits, f.bias
    ln2_high, ln2_low, half_root_bits = -f.ln2_high, -f.ln2_low, f.half_root_bits
    largest, saturated = f.largest, f.saturated
    # exp(r) = 1 + r + r² exponential(r); log(m) = 2 s + s³ logarithm(s²) with s = (m - 1) / (m + 1)
    exponential = _series([1 / math.factorial(k + 2) for k in range(f.exponential_terms - 1)])
    logarithm = _series([2 / (2 * k + 3) for k in range(f.logarithm_terms - 1)])

    @register_jitable(forceinline=True)
    def reduced(x):
        """The integer n for which x = n ln 2 + r, and exp(r) - 1."""
        shifted = multiply_add(x, LOG2E, rounder)
        n = shifted - rounder
        r = multiply_add(n, ln2_low, multiply_add(n, ln2_high, x))
        return as_bits(shifted) - rounder_bits, multiply_add(r * r, exponential(r), r)

    @register_jitable(forceinline=True)
    def power_of_two(n):
        return from_bits((n + bias) << mantissa_bits)

    @register_jitable(forceinline=True)
    def exp(x):
        x = where(x > largest, largest, where(x < -largest, -largest, x))
        n, above_one = reduced(x)
        half = n >> 1
        return (above_one + 1.0) * power_of_two(half) * power_of_two(n - half)

    @register_jitable(forceinline=True)
    def log(x):
        n = (as_bits(x) - half_root_bits) >> mantissa_bits
        m = from_bits(as_bits(x) - (n << mantissa_bits))  # between √½ and √2
        s = (m - 1.0) / (m + 1.0)
        square = s * s
        small = multiply_add(s * square, logarithm(square), s + s)
        exponent = from_bits(n + rounder_bits) - rounder
        value = multiply_add(exponent, -ln2_high, multiply_add(exponent, -ln2_low, small))
        return where(x < math.inf, value, x)  # infinity and what is not a number stay so

    @register_jitable(forceinline=True)
    def tanh(x):
        positive = where(x < 0.0, 0.0 - x, x)
        n, above_one = reduced(2.0 * where(positive > saturated, saturated, positive))
        scale = power_of_two(n)
        t = multiply_add(scale, above_one, scale - 1.0)  # exp(2 |x|) - 1
        divisor = t + 2.0
        rounded = where(t > 2.0, (t - divisor) + 2.0, (2.0 - divisor) + t)  # what the sum lost
        value = t / divisor
        value = multiply_add(value * (value - 1.0), 0.5 * rounded, value)  # for 1 / divisor = (1 - value) / 2
        return where(x < 0.0, 0.0 - value, value)

    @register_jitable(forceinline=True)
    def sigmoid(x):
        decay = exp(where(x < 0.0, x, 0.0 - x))
        divisor = 1.0 + decay
        rounded = (divisor - 1.0) - decay  # what the sum gained
        value = where(x < 0.0, decay, 1.0) / divisor
        return multiply_add(value * where(x < 0.0, 1.0 - value, value), rounded, value)

    return Functions(exp, log, tanh, sigmoid)


FUNCTIONS = {bits: _functions(form) for bits, form in FORMATS.items()}


def exp(x):
    """Exponential function of a vector."""
    raise NotImplementedError


def log(x):
    """Natural logarithm of a vector of positive normal numbers."""
    raise NotImplementedError


def tanh(x):
    """Hyperbolic tangent of a vector."""
    raise NotImplementedError


def sigmoid(x):
    """Logistic function of a vector."""
    raise NotImplementedError


for _function in (exp, log, tanh, sigmoid):

    def _choose(x: Any, _name: str = _function.__name__) -> Any:
        return getattr(FUNCTIONS[x.dtype.bitwidth], _name)

    overload(_function, jit_options={"forceinline": True}, strict=False)(_choose)
