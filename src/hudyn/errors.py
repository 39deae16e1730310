"""Errors meant for the person at the keyboard: shown as a message, without a traceback."""

import signal


class HudynError(Exception):
    """Something a person can mend; the message says what was expected, what was found, and what to do."""


class UsageError(HudynError):
    """A mistake in what a command or function was given; nothing was run."""


class Pruned(BaseException):
    """A search ends the training of a job early; the message says why."""


class Interrupted(BaseException):
    """A signal asked the run to stop; like KeyboardInterrupt, no `except Exception` on the way holds it up.

    Args:
        signal_number: the signal, 2 for Ctrl-C, 15 for SIGTERM.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
