"""Mistakes in a configuration, collected so that all are reported together."""

from collections.abc import Iterable
from dataclasses import dataclass

from hudyn.errors import UsageError

PATH_WIDTH = 40  # columns; a longer path pushes its own message to the right


@dataclass(frozen=True)
class Problem:
    """One mistake: where in the config, and what is wrong with it."""

    path: str
    message: str


class ConfigurationError(UsageError):
    """A configuration has mistakes; nothing was run.

    Args:
        problems: the mistakes.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        width = min(PATH_WIDTH, max((len(problem.path) for problem in self.problems), default=0))
        number = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        indent = "\n" + " " * (width + 4)
        lines = [f"  {problem.path:<{width}}  " + problem.message.replace("\n", indent) for problem in self.problems]
        super().__init__("\n".join([f"{number} in the configuration; nothing was run.", *lines]))
