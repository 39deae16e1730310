"""How a network counts, or why it does not, in words."""

from collections.abc import Sequence

import numpy as np

from hudyn.dynamics.analysis import Analysis
from hudyn.dynamics.counters import COUNTS, SATURATED, number_text, phases, word_pairs
from hudyn.dynamics.counting_cells import VISIBLE_SLOPE, Cell, counting_cells
from hudyn.dynamics.maps import in_double, unit_bounds
from hudyn.dynamics.verdict import Kind, Verdict
from hudyn.languages import Countable
from hudyn.languages.moore import EXPONENTS
from hudyn.networks import RecurrentNetwork
from hudyn.tasks.sequences.story.readings import Reading, course, first_failure, nearest, read_words
from hudyn.tasks.sequences.story.wording import (
    STILL,
    Aside,
    always_the_same,
    at_least,
    capital,
    language_name,
    ordinal,
    percent,
    rounded_up,
    size,
    unit_text,
)
from hudyn.tasks.wording import listed

BACK = 0.25  # distance from the state before the word, as a share of the word's extent, of a state that is back
SHRUNK = 0.9  # of the second step in a block, below which the last step limits the count
MINOR = 0.1  # change of a context unit per symbol, as a share of its largest one, that is not told
GATES = "forget", "input", "candidate", "output"


def counting_paragraphs(analysis: Analysis, language: Countable, verdict: Verdict, who: str) -> list[list[str]]:
    """How a network counts: what it does in each phase, how it knows the end, and what limits it.

    The values are those of the second of two words of the longest n in training; shares and distances are over all
    words after all words.
    """
    network = analysis.network
    readings = read_words(network, language, word_pairs(language).tolist())
    longest = _longest(readings)
    cells: tuple[Cell, ...] = ()
    if network.has_context:
        copied = in_double(network)
        cells = counting_cells(copied, language, phases(copied, language))
    return [
        _opening(analysis, language, verdict, who, longest, cells),
        *(_cell_sentences(analysis, language, cells) if cells else _unit_sentences(analysis, language, longest)),
        [_stop(readings), _return(readings)],
        _limit(analysis, language, verdict, cells, readings),
    ]


def unsolved_paragraphs(analysis: Analysis, language: Countable, verdict: Verdict, who: str) -> list[list[str]]:
    """What a network has learnt that does not predict the words of training, and where it errs."""
    readings = read_words(analysis.network, language, word_pairs(language).tolist())
    learnt = [f"{who} has not learnt to count {language_name(language)}."]
    if same := always_the_same(np.concatenate([reading.probabilities for reading in readings]), language.alphabet):
        learnt.append(same)
    else:
        learnt += [_share_right(readings, place) for place in range(1, len(language.alphabet))]
    errs = []
    if failing := first_failure(analysis.network, language, verdict.longest + 1):
        errs.append(_mistake(failing))
    longest = _longest(readings)
    block, last = longest.block(-2 + len(longest.bounds)), language.alphabet[-1]
    if len(block) > 1 and (moved := float(np.linalg.norm(block[-1] - block[-2]))) < STILL:
        errs.append(f"At the end of {longest.word}, the last {last} hardly moves the state: by {size(moved)}.")
    return [learnt, errs]


def _longest(readings: Sequence[Reading]) -> Reading:
    """The longest word after itself."""
    return max(readings, key=lambda reading: (reading.n, reading.before))


def _share_right(readings: Sequence[Reading], place: int) -> str:
    """How often the predictions in a block, and at its end, are right."""
    alphabet = readings[0].alphabet
    following = (place + 1) % len(alphabet)
    inside = np.concatenate([reading.inside(place) for reading in readings]).argmax(axis=1) == place
    end = np.stack([reading.end(place) for reading in readings]).argmax(axis=1) == following
    one, other = alphabet[place], alphabet[following]
    held = f"While {one}'s are to come, it predicts {one} in {percent(inside.mean())} of cases; " if len(inside) else ""
    return capital(f"{held}after the last {one}, it predicts {other} in {percent(end.mean())}.")


def _opening(
    analysis: Analysis, language: Countable, verdict: Verdict, who: str, longest: Reading, cells: Sequence[Cell]
) -> list[str]:
    """What the network can do, and by what mechanism."""
    up_to = f"up to n = {verdict.longest:,}"
    counts, is_right = f"{who} counts {up_to}", f"{who} is right {up_to}"
    match verdict.kind:
        case Kind.LINEAR:
            equal = all(_factor(analysis, cell) is None for cell in cells)
            return [f"{counts} in its context units{', in nearly equal steps' if equal else ''}."]
        case Kind.MONOTONE | Kind.OSCILLATING:
            return _by_distances(language, verdict, counts)
        case Kind.MEMORISER:
            sentence = f"{is_right}, as far as its training words go."
        case Kind.OTHER:
            sentence = f"{is_right}, beyond its training words, which end at n = {language.max_n}."
        case _:
            chance, run = percent(longest.end(0)[1]), longest.beginning(longest.bounds[1])
            other = language.alphabet[1]
            sentence = f"{is_right}, but errs after {run}: {other} must follow, and gets {chance}."
    if not analysis.equivalent:
        return [sentence]
    states = len(analysis.automaton.machine)
    return [
        sentence,
        Aside(f"Its states fall into groups that form exactly the automaton of these words ({states} states)."),
    ]


def _by_distances(language: Countable, verdict: Verdict, counts: str) -> list[str]:
    """How a network counts that approaches one fixed point and leaves another."""
    one, other = verdict.directions
    factors = [number_text(abs(direction.eigenvalue)) for direction in verdict.directions]
    powers = [str(ratio).translate(EXPONENTS) if ratio > 1 else "" for ratio in language.ratios]
    product = " × ".join(factor + power for factor, power in zip(factors, powers, strict=True))
    sides = ", and the state changes sides each time" if verdict.kind is Kind.OSCILLATING else ""
    return [
        f"{counts} by distances: each {one.symbol} multiplies the distance from one fixed point by {factors[0]}, each "
        f"{other.symbol} multiplies the distance from another by {factors[1]}{sides}.",
        f"So the {other.symbol}'s undo what the {one.symbol}'s did: {product} = {verdict.product:.2f}.",
    ]


def _unit_sentences(analysis: Analysis, language: Countable, longest: Reading) -> list[list[str]]:
    """What the hidden units do in each phase: both of two, or else the one from which the count is best decoded."""
    network, found = analysis.network, analysis.counters
    assert found is not None
    is_planar = network.hidden_size == 2 and not network.has_context
    paragraphs = []
    for place, symbol in enumerate(language.alphabet):
        values = longest.block(place)
        chosen = [0, 1] if is_planar else [int(found.read_back[:, place].argmax())]
        courses = " and ".join(f"unit {unit + 1} {course(values[:, unit], symbol)}" for unit in chosen)
        where = f" (second word of {longest.word}{longest.word})" if place == 0 else ""
        sentences = [f"While {symbol}'s are read{where}, hidden {courses}."]
        if is_planar and (point := _point_sentence(analysis, symbol, values)):
            sentences.append(point)
        if place == 0:
            sentences.append(_open_prediction(language, longest))
        paragraphs.append(sentences)
    if not is_planar and network.hidden_size > 1:
        paragraphs.append([Aside(_stage(network, language))])
    return paragraphs


def _open_prediction(language: Countable, longest: Reading) -> str:
    """How probable the end of the first block is, after its first symbol and at its longest."""
    one, other = language.alphabet[:2]
    last = longest.bounds[1]
    true = language.annotate([longest.n]).probabilities[:, 1]
    first, end = (f"{percent(longest.probabilities[at, 1])} (exact: {percent(true[at])})" for at in (0, last - 1))
    return f"The probability of {other} goes from {first} after one {one} to {end} after {last}."


def _point_sentence(analysis: Analysis, symbol: str, values: np.ndarray) -> str | None:
    """How the states of a phase, [steps, 2], lie to the nearest fixed point; None if there is nothing to say."""
    points = analysis.fixed_points[symbol]
    if not points or len(values) < 3:
        return None
    point = min(points, key=lambda point: float(np.linalg.norm(values - point.state, axis=1).mean()))
    away = np.linalg.norm(values - point.state, axis=1)
    where = f"the fixed point of {symbol} at ({', '.join(map(number_text, point.state.tolist()))})"
    distances = f"from {size(away[0])} to {size(away[-1])} away"
    if (np.diff(away) < 0).all() and away[-1] < away[0] / 2:
        return Aside(f"The state approaches {where}, {distances}.")
    if (np.diff(away) > 0).all() and away[0] < away[-1] / 2:
        return Aside(f"The state leaves {where}, {distances}.")
    sides, factor = (values - point.state)[-3:], float(point.eigenvalues.real.min())
    if point.flip and factor < -1 and sides[0] @ sides[1] < 0 and sides[1] @ sides[2] < 0:
        return (
            f"At the end the state jumps from side to side of {where}, near which each {symbol} reverses the distance "
            f"and multiplies it by {number_text(-factor)}."
        )
    return None


def _cell_sentences(analysis: Analysis, language: Countable, cells: Sequence[Cell]) -> list[list[str]]:
    """Which context unit counts what, what its gates do meanwhile, and what the hidden units show."""
    found, hidden_size = analysis.counters, analysis.network.hidden_size
    assert found is not None
    paragraphs = []
    for cell in cells:
        place = language.alphabet.index(cell.symbol)
        unit = found.units.index(cell.unit) % hidden_size
        counts = "counts" if cell.linear >= COUNTS else "comes closest to counting"
        slopes = dict(zip(language.alphabet, cell.slopes[: place + 1], strict=False))
        least = max(VISIBLE_SLOPE, MINOR * max(map(abs, slopes.values())))
        moves = [
            f"{'rises' if slope > 0 else 'falls'} by {number_text(abs(slope))} with each {symbol}"
            for symbol, slope in slopes.items()
            if abs(slope) >= least
        ]
        if factor := _factor(analysis, cell):
            moves[-1] += f" on average, in steps that {'grow' if factor > 1 else 'shrink'} by a factor of {factor:.2f}"
        sentences = [f"{capital(unit_text(cell.unit))} {counts} the {cell.symbol}'s: it {listed(moves)}."]
        if set(GATES) <= set(found.gate_mean):
            forget, gate, candidate, out = (number_text(found.gate_mean[name][unit, place]) for name in GATES)
            if cell is cells[0]:
                gates = (
                    f"Each {cell.symbol} keeps {forget} of it (forget gate) and adds {gate} × {candidate} (input gate "
                    f"× candidate); output gate {out}."
                )
            else:
                gates = f"Each {cell.symbol} keeps {forget} of it and adds {gate} × {candidate}."
            sentences.append(Aside(gates))
        paragraphs.append(sentences)
    return [*paragraphs, [_stage(analysis.network, language)]]


def _factor(analysis: Analysis, cell: Cell) -> float | None:
    """The factor from each step of a cell to the next while it counts; None if the steps are equal, or not regular."""
    found = analysis.counters
    assert found is not None
    unit, phase = found.units.index(cell.unit), found.symbols.index(cell.symbol)
    if found.read_back[unit, phase] < COUNTS or found.form(unit, phase) != "monotone":
        return None
    return float(found.ratio[unit, phase])


def _stage(network: RecurrentNetwork, language: Countable) -> str:
    """Which hidden unit tells each phase from the one before."""
    read = phases(in_double(network), language)
    means = np.stack([phase.states[:, : network.hidden_size].mean(axis=0) for phase in read])  # [phases, hidden]
    parts: list[str] = []
    for place in range(1, len(means)):
        unit = int(np.abs(means[place] - means[place - 1]).argmax())
        before, after = (number_text(means[at, unit]) for at in (place - 1, place))
        one, other = language.alphabet[place - 1 : place + 1]
        parts.append(f"unit {unit + 1} {'' if parts else 'goes '}from {before} ({one}'s) to {after} ({other}'s)")
    return f"The hidden units show the stage: on average, {listed(parts)}."


def _stop(readings: Sequence[Reading]) -> str:
    """Why the network knows when a block is over, and by what margin."""
    alphabet = readings[0].alphabet
    parts: list[str] = []
    for place in range(1, len(alphabet)):
        following = (place + 1) % len(alphabet)
        inside = min(float(reading.inside(place)[:, place].min(initial=1.0)) for reading in readings)
        after = min(float(reading.end(place)[following]) for reading in readings)
        one, other = alphabet[place], alphabet[following]
        if place == 1:
            parts.append(
                f"only the last {one} takes the state across the border from predicting {one} (until then at least "
                f"{at_least(inside)}) to {other} (then at least {at_least(after)})"
            )
        else:
            parts.append(
                f"only the last {one} across that from {one} ({at_least(inside)}) to {other} ({at_least(after)})"
            )
    return f"It knows when to stop because {listed(parts)}."


def _return(readings: Sequence[Reading]) -> str:
    """How near the state comes to where it was before the word."""
    off = max(float(np.linalg.norm(reading.states[-1] - reading.states[0])) for reading in readings)
    states = _longest(readings).states
    extent = max(float(np.linalg.norm(states - state, axis=1).max()) for state in states)
    spans = f"a word spans {size(extent)}"
    if off <= BACK * extent:
        return f"After the word, the state is back within {rounded_up(off)} of where it was before ({spans})."
    return f"After the word, the state is up to {size(off)} from where it was before ({spans}): words leave a trace."


def _limit(
    analysis: Analysis, language: Countable, verdict: Verdict, cells: Sequence[Cell], readings: Sequence[Reading]
) -> list[str]:
    """Where the network errs first beyond N*, and what limits it."""
    drifts = [
        f"{unit_text(cell.unit)} ends the {cell.symbol}'s {number_text(abs(cell.drift))} "
        f"{'higher' if cell.drift > 0 else 'lower'} with each n"
        for cell in cells
        if cell.linear >= COUNTS and abs(cell.drift) >= VISIBLE_SLOPE
    ]
    if verdict.longest >= analysis.most:
        steady = f", although {listed(drifts)}" if drifts else ""
        return [f"It makes no mistake up to n = {verdict.longest:,}, where the search ends{steady}."]
    failing = first_failure(analysis.network, language, verdict.longest + 1)
    if failing is None:
        return [f"It first errs at n = {verdict.longest + 1:,}."]
    if shrinking := _shrinking_steps(analysis.network, cells, failing):
        return [_mistake(failing), shrinking]
    if drifts:
        return [_mistake(failing), f"What limits it is drift: {listed(drifts)}."]
    room = _room(analysis, failing)
    return [_mistake(failing), *([room] if room else []), _mistaken_for(failing, readings)]


def _mistake(failing: Reading) -> str:
    """Where a reading goes wrong first."""
    read = failing.mistakes[0]
    probabilities, right = failing.probabilities[read - 1], failing.symbols[read]
    wrong = int(probabilities.argmax())
    after = f", after a word of n = {failing.before[-1]}" if failing.before else ""
    one, other = (f"{failing.alphabet[place]} ({percent(probabilities[place])})" for place in (wrong, right))
    where = f"at n = {failing.n:,}{after}: after {failing.beginning(read)}"
    return f"It first errs {where} it predicts {one} instead of {other}."


def _mistaken_for(failing: Reading, readings: Sequence[Reading]) -> str:
    """Which state of the training words is nearest to that of the first mistake."""
    read = failing.mistakes[0]
    known, at = nearest(failing.states[read], readings)
    distance = float(np.linalg.norm(failing.states[read] - known.states[at]))
    if known.symbols[at] == int(failing.probabilities[read - 1].argmax()):
        return f"It mistakes the state there for the one after {known.beginning(at)}, {size(distance)} away."
    return f"The nearest state of the training words, after {known.beginning(at)}, is {size(distance)} away."


def _shrinking_steps(network: RecurrentNetwork, cells: Sequence[Cell], failing: Reading) -> str | None:
    """How much less than the second symbol the last one changes the cell that counts there; None if not."""
    block = next(place for place, end in enumerate(failing.bounds[1:]) if failing.mistakes[0] <= end)
    cell = next((cell for cell in cells if cell.symbol == failing.alphabet[block] and cell.linear >= COUNTS), None)
    if cell is None:
        return None
    loading = int(np.abs(cell.slopes[:block]).argmax())
    steps = np.abs(np.diff(failing.block(loading)[:, network.unit_names.index(cell.unit)]))
    if len(steps) < 2 or steps[-1] > SHRUNK * steps[0]:
        return None
    one, unit = failing.alphabet[loading], unit_text(cell.unit)
    return (
        f"What limits it is that steps shrink: the 2nd {one} moves {unit} by {size(steps[0])}, the "
        f"{ordinal(len(steps) + 1)} by {size(steps[-1])}."
    )


def _room(analysis: Analysis, failing: Reading) -> str | None:
    """How much less the last a moves the state, or the unit that counts, than the second; None if not much less."""
    network, found = analysis.network, analysis.counters
    last, first = failing.bounds[1], failing.alphabet[0]
    steps = np.diff(failing.block(0), axis=0)
    if last < 3 or found is None:
        return None
    what, moved = "the state", np.linalg.norm(steps, axis=1)
    if len(found.units) > 2:
        unit = int(found.read_back[:, 0].argmax())
        what, moved = unit_text(found.units[unit]), np.abs(steps[:, unit])
    if moved[-1] > moved[0] / 2:
        return None
    state, (lower, upper) = failing.states[last], unit_bounds(network)
    room = np.minimum(state - lower, upper - state)
    nearest_bound = int(room.argmin())
    is_near = len(found.units) == 2 and room[nearest_bound] < SATURATED
    bound = f"; {unit_text(found.units[nearest_bound])} is near its bound, at {number_text(state[nearest_bound])}"
    return (
        f"What limits it is that steps shrink: the 2nd {first} moves {what} by {size(moved[0])}, the {ordinal(last)} "
        f"by {size(moved[-1])}{bound if is_near else ''}."
    )
