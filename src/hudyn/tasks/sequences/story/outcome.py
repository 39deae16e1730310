"""The outcome of a run on sequences, in a sentence."""

from collections.abc import Mapping, Sequence

from hudyn.dynamics.verdict import Verdict
from hudyn.languages import Countable, Language
from hudyn.metrics.measure import Measure
from hudyn.proof.certificate import Certificate
from hudyn.tasks.sequences.story.wording import language_name
from hudyn.tasks.wording import interval, share_of_networks


def kinds(verdicts: Sequence[Verdict | None], solved: Sequence[float]) -> list[str]:
    """What each member turned out to be: its kind, or if the language has no verdict, whether it solves the task."""
    return [
        str(verdict.kind) if verdict and verdict.kind else "solved" if success else "not solved"
        for verdict, success in zip(verdicts, solved, strict=True)
    ]


def answer(language: Language, results: Mapping[str, Measure], most: int, judged: int | None = None) -> str:
    """The outcome of a run.

    Args:
        language: that the members were trained on.
        results: measures by name: ``test/solved``, ``test/excess`` and, for a counting language, ``test/longest``.
        most: where the search for N* ends.
        judged: largest n on which ``test/solved`` was decided; None for the language's.
    """
    solved = results["test/solved"]
    if isinstance(language, Countable):
        done = f"every determined symbol of {language_name(language)} up to n = {judged or language.max_n}"
        return f"{_share(solved, 'predict', done)}; {_how_far(results['test/longest'], most)}."
    done = "every legal symbol a higher probability than every illegal one"
    whose = "its" if len(solved) == 1 else "the median network's"
    excess = (
        f"{results['test/excess'].median:.3f} nats per symbol above the language's entropy of {language.entropy:.3f}"
    )
    sentence = f"{_share(solved, 'give', done)}; {whose} cross-entropy is {excess}"
    recalled = results.get("test/long_range_accuracy")
    if recalled is not None:
        share = f"{100 * recalled.median:.0f} %"
        sentence += f", and it recalls the symbol from the beginning of a word in {share} of cases"
    return f"{sentence}."


def proved(language: Language, certificates: Sequence[Certificate]) -> str:
    """How many networks are proved right in every text."""
    number, members = [one.status for one in certificates].count("proved"), len(certificates)
    texts = f"every text of words up to n = {language.max_n}" if isinstance(language, Countable) else "every text"
    if members == 1:
        return f"It is {'' if number else 'not '}proved right in {texts}."
    return f"{number or 'None'} of {members} {'is' if number == 1 else 'are'} proved right in {texts}."


def _share(solved: Measure, verb: str, what: str) -> str:
    """How many networks do something: ``42 of 64 networks (66 %, 95 % interval 53–76 %) predict every symbol``."""
    number, members = int(solved.known.sum()), len(solved)
    if members == 1:
        return f"The network {verb}s {what}" if number else f"The network does not {verb} {what}"
    if number == members:
        return f"All {members} networks ({interval(solved)}) {verb} {what}"
    if number == 0:
        return f"None of {members} networks ({interval(solved)}) {verb}s {what}"
    return f"{share_of_networks(solved)} {verb}{'s' * (number == 1)} {what}"


def _how_far(longest: Measure, most: int) -> str:
    """How far the networks are right."""

    def reached(value: float) -> str:
        return f"right up to n = {value:,g}{', where the search ends' if value >= most else ''}"

    median, largest = longest.median, longest.max
    if len(longest) == 1:
        return f"it is {reached(largest)}" if largest else "it does not predict even the word of n = 1"
    if not largest:
        return "no network predicts even the word of n = 1"
    if median == largest:
        return f"the median network and the best are {reached(largest)}"
    if not median:
        return f"the median network does not predict even the word of n = 1, the best is {reached(largest)}"
    return f"the median network is {reached(median)}, the best {reached(largest).removeprefix('right ')}"
