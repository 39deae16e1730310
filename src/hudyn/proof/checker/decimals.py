"""Arithmetic of decimal numbers that is rounded outward, with as many digits as are asked for."""

import decimal
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

Decimals = tuple[Decimal, Decimal]  # bounds


class InDecimals:
    """Real arithmetic of numbers between two bounds.

    Args:
        digits: of the bounds.
    """

    number = Decimal  # of a double, exactly

    def __init__(self, digits: int) -> None:
        self.down = decimal.Context(digits, ROUND_FLOOR, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
        self.up = decimal.Context(digits, ROUND_CEILING, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)

    def known(self, number: Decimal) -> Decimals:
        """A number that is known exactly."""
        return number, number

    def linear(self, weights: Sequence[Decimal], values: Sequence[Decimals], *terms: Decimal) -> Decimals:
        """The weighted sum, plus terms."""
        low = high = Decimal(0)
        for w, (a, b) in zip(weights, values, strict=True):
            a, b = (a, b) if w >= 0 else (b, a)
            low, high = self.down.fma(w, a, low), self.up.fma(w, b, high)
        for term in terms:
            low, high = self.down.add(low, term), self.up.add(high, term)
        return low, high

    def product(self, one: Decimals, other: Decimals) -> Decimals:
        """The product."""
        pairs = [(a, b) for a in one for b in other]
        return min(self.down.multiply(*pair) for pair in pairs), max(self.up.multiply(*pair) for pair in pairs)

    def logistic(self, one: Decimals) -> Decimals:
        """The value of 1 - 1 / (1 + exp x)."""
        (down, up), (low, high) = (self.down, self.up), one
        low, high = down.next_minus(down.exp(low)), up.next_plus(up.exp(high))  # exp is rounded to the nearest
        low = down.subtract(Decimal(1), up.divide(Decimal(1), down.add(low, Decimal(1))))
        return low, up.subtract(Decimal(1), down.divide(Decimal(1), up.add(high, Decimal(1))))

    def tanh(self, one: Decimals) -> Decimals:
        """The value of 2 / (1 + exp(-2x)) - 1."""
        two = Decimal(2)
        return self.linear([two], [self.logistic(self.linear([two], [one]))], Decimal(-1))

    def relu(self, one: Decimals) -> Decimals:
        """The value of max(x, 0)."""
        return max(one[0], Decimal(0)), max(one[1], Decimal(0))
