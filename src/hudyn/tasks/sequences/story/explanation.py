"""How a network predicts its language, in words."""

from collections.abc import Sequence

from hudyn.dynamics.analysis import Analysis
from hudyn.dynamics.verdict import Kind
from hudyn.languages import Countable
from hudyn.tasks.sequences.story.automata import automaton_paragraphs
from hudyn.tasks.sequences.story.counting import counting_paragraphs, unsolved_paragraphs
from hudyn.tasks.sequences.story.wording import Aside, number_of_words

MOST_WORDS = 200  # of an explanation


def how(analysis: Analysis, who: str = "The network") -> list[str]:
    """How a network predicts its language, in paragraphs of together at most 200 words.

    Args:
        analysis: of the network.
        who: begins the first sentence.
    """
    language, verdict = analysis.language, analysis.verdict
    if verdict is None or not isinstance(language, Countable):
        paragraphs = automaton_paragraphs(analysis, who)
    elif verdict.kind is Kind.UNSOLVED and verdict.longest < language.max_n:
        paragraphs = unsolved_paragraphs(analysis, language, verdict, who)
    else:
        paragraphs = counting_paragraphs(analysis, language, verdict, who)
    return [" ".join(sentences) for sentences in _shortened(paragraphs) if sentences]


def _shortened(paragraphs: Sequence[Sequence[str]]) -> list[list[str]]:
    """The paragraphs without asides, the last ones first, and if need be without other last sentences, if too long."""
    kept = [list(sentences) for sentences in paragraphs]
    while number_of_words(" ".join(sentence for sentences in kept for sentence in sentences)) > MOST_WORDS:
        asides = [
            (sentences, place)
            for sentences in kept
            for place, sentence in enumerate(sentences)
            if isinstance(sentence, Aside)
        ]
        if asides:
            sentences, place = asides[-1]
            del sentences[place]
        else:
            max(kept, key=lambda sentences: len(" ".join(sentences))).pop()
    return kept
