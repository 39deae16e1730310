"""Formal languages: texts with the exact distribution of the next symbol."""

from hudyn.languages.capabilities import Countable, HasAutomaton, HasStateNames, HasVocabulary
from hudyn.languages.counting import Counting, CountingSum
from hudyn.languages.dyck import Dyck
from hudyn.languages.finite_state import FiniteState
from hudyn.languages.moore import MooreMachine
from hudyn.languages.palindrome import Palindrome
from hudyn.languages.probabilistic import ProbabilisticAutomaton
from hudyn.languages.text import Language, Text

__all__ = [
    "Countable",
    "Counting",
    "CountingSum",
    "Dyck",
    "FiniteState",
    "HasAutomaton",
    "HasStateNames",
    "HasVocabulary",
    "Language",
    "MooreMachine",
    "Palindrome",
    "ProbabilisticAutomaton",
    "Text",
]
