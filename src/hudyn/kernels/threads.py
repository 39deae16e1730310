"""The number of threads that kernels spread members over; torch's operations have their own setting."""

_threads = 1


def use_threads(number: int) -> None:
    """Let kernels use `number` threads from now on."""
    global _threads
    _threads = number


def threads() -> int:
    """The number of threads that kernels use."""
    return _threads
