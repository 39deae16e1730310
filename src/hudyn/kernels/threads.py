"""How many threads kernels share their members out over; torch's operations have a number of their own."""

_number = 1


def use_threads(number: int) -> None:
    """Let kernels use `number` threads from now on."""
    global _number
    _number = number


def threads() -> int:
    """The number of threads that kernels use."""
    return _number
