"""What the page needs to let sequence predictors run in it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hudyn.languages import Countable, HasAutomaton, Language, MooreMachine, ProbabilisticAutomaton
from hudyn.tasks.sequences.module import SequenceStudy
from hudyn.tasks.views import networks

MOST_STATES = 400  # of an automaton that the page reads texts with: more take seconds to find and to send
DRAWN_STATES = 40  # more cannot be told apart
BEYOND = 3  # times the largest n in the texts, up to which the page reads the words of a counting language,
MOST_SYMBOLS = 1000  # but no farther than the words have this many symbols in all: minimising them takes 50 ms


def sequence_view(study: SequenceStudy, text: str) -> dict[str, Any]:
    """The networks, the language, and a text to read.

    Args:
        study: a trained population.
        text: of the language; the page shows the states that it leads to, and reads it first.

    Returns:
        ``counting``: ``ratios``, ``max_n`` and ``longest``, the largest n that ``states`` know; None for other
        languages. ``states``: see `states`. ``automaton``: the language's minimal automaton, ``targets`` (-1 for none)
        and ``names``; None where there is none, or it is too large to be drawn.
    """
    language = study.data.language
    counting: dict[str, Any] | None = None
    if isinstance(language, Countable):
        counting = {"ratios": list(language.ratios), "max_n": language.max_n, "longest": longest_read(language)}
    known = states(language, counting["longest"] if counting else None)
    return {
        "kind": "sequences",
        "networks": networks(study, study.module.snapshots),
        "alphabet": list(language.alphabet),
        "text": text,
        "joined": study.data.joined,
        "counting": counting,
        "states": known,
        "automaton": drawn(language, study.data.joined) if known else None,
    }


def longest_read(language: Countable) -> int | None:
    """The largest n whose words the page can read; None if not even those of the texts are few enough."""
    for times in range(BEYOND, 0, -1):
        n = times * language.max_n
        if sum(language.ratios) * n * (n + 1) // 2 <= MOST_SYMBOLS:
            return n
    return None


def states(language: Language, longest: int | None = None) -> Mapping[str, np.ndarray] | None:
    """The states of a language that tell what may follow.

    Args:
        language: any.
        longest: of a counting language, the largest n whose words have states.

    Returns:
        ``targets``, the state that each symbol leads to, int [states, alphabet], -1 where it cannot follow, and
        ``probabilities`` of the symbols, [states, alphabet]; None where there is no automaton, or it is too large.
        Beyond max_n, a symbol can have a target and the probability 0.
    """
    if isinstance(language, ProbabilisticAutomaton):
        targets, probabilities = language.targets, language.probabilities
        return {"targets": targets, "probabilities": probabilities} if len(targets) <= MOST_STATES else None
    if isinstance(language, Countable) and longest is None:
        return None
    extended = language.up_to(longest) if isinstance(language, Countable) and longest else language
    machine = extended.automaton() if isinstance(extended, HasAutomaton) else None
    if machine is None or len(machine) > MOST_STATES:
        return None
    return {
        "targets": _targets(machine),
        "probabilities": np.array([language.read(word).probabilities[-1] for word in words_to(machine)]),
    }


def drawn(language: Language, joined: bool) -> Mapping[str, object] | None:
    """The minimal automaton of a language as the page draws it."""
    machine = language.automaton(joined) if isinstance(language, HasAutomaton) else None
    if machine is None or len(machine) > DRAWN_STATES:
        return None
    return {"targets": _targets(machine), "names": list(machine.names)}


def words_to(machine: MooreMachine) -> list[str]:
    """A shortest word, not the empty one, that leads to each state, [states]; each state must have one."""
    words: dict[int, str] = {}
    ends = [(0, "")]
    for state, word in ends:  # the list grows while it is traversed
        for symbol, target in zip(machine.alphabet, machine.targets[state], strict=True):
            if target is not None and target not in words:
                words[target] = word + symbol
                ends.append((target, word + symbol))
    return [words[state] for state in range(len(machine))]


def _targets(machine: MooreMachine) -> np.ndarray:
    return np.array([[-1 if target is None else target for target in row] for row in machine.targets])
