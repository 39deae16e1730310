"""What each figure and table of sequence predictors shows, and how to read it, in the order of the story."""

from collections.abc import Iterable, Mapping

FIGURES: Mapping[str, str] = {
    "success": "The share of networks that have solved the task, against updates: at least once, and for good.",
    "longest": "A dot for each network at its N*, the largest n up to which it is right; the curve's height is the "
    "share of networks that are right at least that far.",
    "accuracy_by_n": "The share of determined symbols that the best network predicts right in the word of each n; to "
    "the right of the shaded training words it generalises.",
    "hidden_states": "Each dot is the hidden state after a symbol, coloured by the language's own state; dots of one "
    "colour that lie close together mean that the network has found that state.",
    "hidden_states_3d": "The same hidden states in three dimensions.",
    "context_states": "Each dot is the context state after a symbol, coloured by the language's own state; equal steps "
    "from colour to colour mean that a unit counts.",
    "context_states_3d": "The same context states in three dimensions.",
    "time_course": "Units and gates over a text, from left to right; below, predicted beside true probabilities.",
    "mechanism": "The groups of hidden states, the automaton that they form, and what each symbol does to the state.",
    "phase_portrait": "One panel for each symbol: arrows show where it moves the state, markers are fixed points, and "
    "the thick grey line is the border between two predictions.",
    "counters": "A row for each unit, a column for each symbol, a line for each n: a straight line counts in equal "
    "steps, and lines that end at the same height for every n show that the block is over.",
    "automaton": "The automaton that the states form: each circle is a state, and the grey symbols are those that it "
    "expects next.",
    "automaton_states": "The groups of hidden states that the automaton is made of, named after its states; where a "
    "state has several groups, its arrows join the largest.",
    "principal_components": "The states on the two axes along which they vary most, with the paths of a few words.",
    "eigenvalues": "The eigenvalues of each fixed point during training: the point attracts where all are below 1 in "
    "size, and repels in some direction where one is above.",
}
TABLES: Mapping[str, str] = {
    "members": "A row for each network, with every measure at the end of training.",
    "accuracy_by_n": "For each n, the share of determined symbols that the best network predicts right in its word.",
    "trace": "A text symbol by symbol: the best network's state, and its predicted beside the true probabilities.",
    "mechanisms": "A row for each network: how it counts, and whether its automaton is the language's.",
    "counters": "What each unit of each network does while one symbol is read: its change per symbol (slope), and how "
    "well the count can be decoded from it (linear and geometric, from 0 to 1).",
    "fixed_points": "The states that a symbol leaves unchanged, for each network: a point attracts if all eigenvalues "
    "are below 1 in size.",
    "census": "How many fixed points (period 1) and 2-cycles (period 2) each symbol's map is proved to have; where "
    "boxes are undecided, it may have more.",
    "census_states": "These fixed points and 2-cycles, with bounds of their eigenvalues.",
    "states_by_n": "The number of states that an automaton needs for the words up to each n, beside that of the best "
    "network.",
    "parameters": "The parameters of each layer, with the arithmetic.",
}
EXEMPLAR = "exemplar_"  # begins the names of figures of the best network of another kind


def captions(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """The captions of figures or tables, in the order of `known`; those of exemplars come last.

    >>> captions(["exemplar_memoriser_counters", "counters"], {"automaton": "States.", "counters": "Lines."})
    {'counters': 'Lines.', 'exemplar_memoriser_counters': 'The best of the kind “memoriser”. Lines.'}
    """
    given = list(names)
    found = {name: caption for name, caption in known.items() if name in given}
    for name in given:
        for what, caption in known.items():
            if name.startswith(EXEMPLAR) and name.endswith(f"_{what}"):
                kind = name.removeprefix(EXEMPLAR).removesuffix(f"_{what}").replace("_", " ")
                found[name] = f"The best of the kind “{kind}”. {caption}"
    return found
