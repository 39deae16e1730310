"""Exponential function, logarithm and activations of vectors.

Their errors are below 2 units in the last place in float32, and below 2.5 in float64 (tests/test_functions.py).

Each is a polynomial after a reduction of its argument (Muller 2016, Elementary Functions, chapters 5 and 11), without
branches, so that all lanes do the same. The coefficients are those of the Taylor series: the reduced arguments are so
small that the best polynomials would save one term.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from hudyn.kernels.numba.lanes import Vector, llvm

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


class Number:
    """A vector, or integers in its lanes, while the instructions of a function of it are written out.

    numba would take seconds to compile as many small functions.
    """

    def __init__(self, builder: Any, value: Any, vector: Vector) -> None:
        self.builder, self.value, self.vector = builder, value, vector
        self.format = FORMATS[vector.dtype.bitwidth]

    def new(self, value: Any) -> "Number":
        """The result of an instruction."""
        return Number(self.builder, value, self.vector)

    def constant(self, number: "Number | float") -> Any:
        """The LLVM value of a number in every lane."""
        return (
            number.value if isinstance(number, Number) else ir.Constant(self.value.type, [number] * self.vector.lanes)
        )

    def __add__(self, other: "Number | float") -> "Number":
        return self.new(self.builder.fadd(self.value, self.constant(other)))

    def __sub__(self, other: "Number | float") -> "Number":
        return self.new(self.builder.fsub(self.value, self.constant(other)))

    def __rsub__(self, other: float) -> "Number":
        return self.new(self.builder.fsub(self.constant(other), self.value))

    def __mul__(self, other: "Number | float") -> "Number":
        return self.new(self.builder.fmul(self.value, self.constant(other)))

    def __truediv__(self, other: "Number") -> "Number":
        return self.new(self.builder.fdiv(self.value, other.value))

    def times_plus(self, factor: "Number | float", summand: "Number | float") -> "Number":
        """``self · factor + summand``, with a single rounding where the processor can."""
        values = [self.value, self.constant(factor), self.constant(summand)]
        return self.new(llvm(self.builder, "fmuladd", self.vector, values))

    def series(self, coefficients: list[float]) -> "Number":
        """The sum of ``coefficients[k] · self^k``, by Horner's rule."""
        total = self.new(self.constant(coefficients[-1]))
        for coefficient in reversed(coefficients[:-1]):
            total = total.times_plus(self, coefficient)
        return total

    def where(
        self, comparison: str, bound: "Number | float", one: "Number | float", other: "Number | float"
    ) -> "Number":
        """`one` in the lanes where the comparison with `bound` holds, else `other`."""
        mask = self.builder.fcmp_ordered(comparison, self.value, self.constant(bound))
        return self.new(self.builder.select(mask, self.constant(one), self.constant(other)))

    def bits(self) -> "Number":
        """The bits as integers."""
        kind = ir.VectorType(ir.IntType(self.vector.dtype.bitwidth), self.vector.lanes)
        return self.new(self.builder.bitcast(self.value, kind))

    def from_bits(self) -> "Number":
        """The vector that integers are the bits of."""
        element = ir.FloatType() if self.vector.dtype.bitwidth == 32 else ir.DoubleType()
        return self.new(self.builder.bitcast(self.value, ir.VectorType(element, self.vector.lanes)))

    def integer(self, operation: str, other: "Number | int") -> "Number":
        """An operation of integers: add, sub, shl, ashr."""
        return self.new(getattr(self.builder, operation)(self.value, self.constant(other)))

    def power_of_two(self) -> "Number":
        """2 to the power of integers."""
        exponent = self.integer("add", self.format.bias)
        return exponent.integer("shl", self.format.mantissa_bits).from_bits()

    def reduced(self) -> tuple["Number", "Number"]:
        """The integer n for which self = n ln 2 + r, and exp(r) - 1."""
        form = self.format
        shifted = self.times_plus(LOG2E, form.rounder)
        n = shifted - form.rounder
        r = n.times_plus(-form.ln2_low, n.times_plus(-form.ln2_high, self))
        terms = r.series([1 / math.factorial(k + 2) for k in range(form.exponential_terms - 1)])
        return shifted.bits().integer("sub", form.rounder_bits), (r * r).times_plus(terms, r)


def _function(evaluate: Callable[[Number], Number]) -> Any:
    """Let kernels call a function of a vector."""

    @intrinsic
    def typed(context: Any, x: Any) -> Any:
        return x(x), lambda context, builder, signature, values: evaluate(Number(builder, values[0], x)).value

    return typed


def _exp(x: Number) -> Number:
    largest = x.format.largest
    n, above_one = x.where(">", largest, largest, x.where("<", -largest, -largest, x)).reduced()
    half = n.integer("ashr", 1)  # the whole power may not be a number of the format, where the result is
    return (above_one + 1.0) * half.power_of_two() * n.integer("sub", half).power_of_two()


def _log(x: Number) -> Number:
    form = x.format
    n = x.bits().integer("sub", form.half_root_bits).integer("ashr", form.mantissa_bits)
    m = x.bits().integer("sub", n.integer("shl", form.mantissa_bits)).from_bits()  # between √½ and √2
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    terms = square.series([2 / (2 * k + 3) for k in range(form.logarithm_terms - 1)])
    small = (s * square).times_plus(terms, s + s)
    exponent = n.integer("add", form.rounder_bits).from_bits() - form.rounder
    value = exponent.times_plus(form.ln2_high, exponent.times_plus(form.ln2_low, small))
    return x.where("<", math.inf, value, x)  # infinity and what is not a number stay so


def _tanh(x: Number) -> Number:
    saturated, positive = x.format.saturated, x.where("<", 0.0, 0.0 - x, x)
    n, above_one = (positive.where(">", saturated, saturated, positive) * 2.0).reduced()
    scale = n.power_of_two()
    t = scale.times_plus(above_one, scale - 1.0)  # exp(2 |x|) - 1
    divisor = t + 2.0
    rounded = t.where(">", 2.0, (t - divisor) + 2.0, (2.0 - divisor) + t)  # what the sum lost
    value = t / divisor
    value = (value * (value - 1.0)).times_plus(rounded * 0.5, value)  # for 1 / divisor = (1 - value) / 2
    return x.where("<", 0.0, 0.0 - value, value)


def _sigmoid(x: Number) -> Number:
    decay = _exp(x.where("<", 0.0, x, 0.0 - x))
    divisor = decay + 1.0
    rounded = (divisor - 1.0) - decay  # what the sum gained
    value = x.where("<", 0.0, decay, 1.0) / divisor
    return (value * x.where("<", 0.0, 1.0 - value, value)).times_plus(rounded, value)


exp, log, tanh, sigmoid = map(_function, (_exp, _log, _tanh, _sigmoid))
