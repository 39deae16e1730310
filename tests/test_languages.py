"""Languages against counting, and against definitions of their own."""

import functools
import itertools
import math
import re
from dataclasses import fields

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from hudyn.config.compose import config_folder
from hudyn.languages import Counting, CountingSum, Dyck, FiniteState, Palindrome
from hudyn.languages.probabilistic import ProbabilisticAutomaton

NAMES = sorted(file.stem for file in (config_folder() / "data" / "language").glob("*.yaml"))
SYMBOLS = 1_000_000
ERRORS = 5  # standard errors that an estimate may be off
DEPTH = 10  # symbols of a word that tell histories apart
REBER = "B(TS*XS|(TS*XX|P)T*V(PXT*V)*(V|PS))E"


@functools.cache
def language(name):
    with initialize_config_dir(str(config_folder().absolute()), version_base="1.3"):
        return instantiate(compose(overrides=[f"+data/language={name}"]).data.language)


@pytest.fixture(scope="module", params=NAMES)
def long_text(request):
    """A language's name and at least a million of its symbols; in the memory one at a time."""
    name = request.param
    first = language(name).text(10_000, np.random.default_rng(1))
    text = language(name).text(math.ceil(1.05 * SYMBOLS / len(first.symbols) * 10_000), np.random.default_rng(0))
    assert len(text.symbols) > SYMBOLS
    return name, text


def written(name, symbols):
    return "".join(language(name).alphabet[symbol] for symbol in symbols)


def words_of(name, text):
    return [written(name, symbols) for symbols in np.split(text.symbols, text.starts[1:])]


def same(one, other):
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def counts(word, *ratios):
    n = word.count("a") // ratios[0]
    return n > 0 and word == "".join(symbol * n * ratio for symbol, ratio in zip("abcd", ratios, strict=False))


def is_sum(word):
    match = re.fullmatch("(a{1,4})(b{1,4})(c+)", word)
    return match is not None and len(match[1]) + len(match[2]) == len(match[3])


def is_prime_dyck(word):
    depths = np.cumsum([1 if symbol in "([" else -1 for symbol in word])
    if not word or depths[-1] != 0 or (depths[:-1] <= 0).any() or depths.max() > 4:
        return False
    while "()" in word or "[]" in word:
        word = word.replace("()", "").replace("[]", "")
    return not word


def is_palindrome(word):
    return re.fullmatch("[ab]{1,4}m[ab]{1,4}", word) is not None and word == word[::-1]


def ended(rule):
    return lambda word: word.endswith("$") and "$" not in word[:-1] and rule(word[:-1])


def no_odd_zeros_after_odd_ones(word):
    runs = [(symbol, len(list(run)) % 2) for symbol, run in itertools.groupby(word)]
    return ("0", 1) not in runs[runs.index(("1", 1)) :] if ("1", 1) in runs else True


def pattern(expression):
    return lambda word: re.fullmatch(expression, word) is not None


RULES = {
    "anbn": lambda word: counts(word, 1, 1),
    "anb2n": lambda word: counts(word, 1, 2),
    "anbncn": lambda word: counts(word, 1, 1, 1),
    "anb2nc3n": lambda word: counts(word, 1, 2, 3),
    "anbmcnm": is_sum,
    "dyck_1": is_prime_dyck,
    "dyck_2": is_prime_dyck,
    "palindrome": is_palindrome,
    "reber": pattern(REBER),
    "reber_loops": pattern(REBER),
    "reber_embedded": pattern(f"BT{REBER}TE|BP{REBER}PE"),
    "reber_embedded_loops": pattern(f"BT{REBER}TE|BP{REBER}PE"),
    "reber_continual": pattern(f"BT{REBER}TE|BP{REBER}PE"),
    "tomita_1": ended(pattern("1*")),
    "tomita_2": ended(pattern("(10)*")),
    "tomita_3": ended(no_odd_zeros_after_odd_ones),
    "tomita_4": ended(lambda word: "000" not in word),
    "tomita_5": ended(lambda word: word.count("0") % 2 == 0 and word.count("1") % 2 == 0),
    "tomita_6": ended(lambda word: (word.count("0") - word.count("1")) % 3 == 0),
    "tomita_7": ended(pattern("0*1*0*1*")),
}


def test_every_language_has_a_rule_here():
    assert set(RULES) == set(NAMES)


def test_distributions_are_what_is_counted_after_each_history(long_text):
    name, text = long_text
    radix = len(language(name).alphabet) + 1
    since = np.arange(len(text.symbols)) - np.repeat(text.starts, np.diff(text.starts, append=len(text.symbols)))
    history = text.symbols + 1
    for back in range(1, DEPTH):
        before = np.where(since[back:] >= back, text.symbols[:-back] + 1, 0)
        history[back:] += before * radix**back
    known = since[:-1] < DEPTH
    kinds, first, kind = np.unique(history[:-1][known], return_index=True, return_inverse=True)
    given = text.probabilities[:-1][known]
    true = given[first]  # [kinds, alphabet]
    assert (given == true[kind]).all()
    counted = np.zeros_like(true)
    np.add.at(counted, (kind, text.symbols[1:][known]), 1)
    times = counted.sum(axis=1, keepdims=True)
    variance = times * true * (1 - true)
    enough = (variance > 25) | (variance == 0)
    assert enough.mean() > 0.1
    assert (np.abs(counted - times * true) <= ERRORS * np.sqrt(variance))[enough].all()
    assert len(kinds) > 4


def test_entropy_is_the_mean_surprise(long_text):
    name, text = long_text
    before = np.append(-1, np.arange(len(text.symbols) - 1))  # a text begins as it goes on
    chosen = text.probabilities[before, text.symbols]
    assert (chosen > 0).all()
    surprise = np.add.reduceat(-np.log(chosen), text.starts)  # [words]
    lengths = np.diff(text.starts, append=len(text.symbols))
    entropy = surprise.sum() / lengths.sum()
    spread = np.std(surprise - entropy * lengths) / np.sqrt(len(lengths)) / lengths.mean()
    assert entropy == pytest.approx(language(name).entropy, abs=ERRORS * spread + 1e-12)
    assert spread < 2e-3


def test_annotations_hold_together(long_text):
    name, text = long_text
    length, symbols = len(text.symbols), len(language(name).alphabet)
    assert text.symbols.dtype == text.starts.dtype == np.int64
    assert text.states.dtype == text.probabilities.dtype == np.float64
    assert text.determined.dtype == bool
    assert text.probabilities.shape == (length, symbols)
    assert text.states.shape == text.determined.shape == (length,)
    np.testing.assert_allclose(text.probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (text.probabilities >= 0).all()
    np.testing.assert_array_equal(text.determined, text.probabilities.max(axis=1) == 1)
    assert set(np.unique(text.symbols)) == set(range(symbols))


@pytest.mark.parametrize("name", NAMES)
def test_accepts_what_the_rule_accepts(name):
    accepts, rule, alphabet = language(name).accepts, RULES[name], language(name).alphabet
    words = words_of(name, language(name).text(300, np.random.default_rng(2)))
    assert all(rule(word) and accepts(word) for word in words)
    corrupted = set()
    for word in sorted(set(words))[:40]:
        for place in range(len(word)):
            corrupted |= {word[:place], word[:place] + word[place + 1 :], word[:place] + word[place:][::-1]}
            corrupted |= {word[:place] + symbol + word[place + 1 :] for symbol in alphabet}
            corrupted |= {word[:place] + symbol + word[place:] for symbol in alphabet}
        corrupted |= {word + word, word + word[0]}
    for length in range(int(math.log(5000, len(alphabet))) + 1):
        corrupted |= {"".join(symbols) for symbols in itertools.product(alphabet, repeat=length)}
    accepted = {word for word in corrupted if accepts(word)}
    assert accepted == {word for word in corrupted if rule(word)}
    assert 0 < len(accepted) < len(corrupted)


@pytest.mark.parametrize("name", NAMES)
def test_reading_gives_the_same_annotations(name):
    text = language(name).text(200, np.random.default_rng(3))
    joined = written(name, text.symbols)
    assert same(language(name).read(joined), text)
    for length in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]:
        read = language(name).read(joined[:length])
        assert same(read, cut(text, length))


def cut(text, length):
    return type(text)(
        text.symbols[:length],
        text.probabilities[:length],
        text.states[:length],
        text.determined[:length],
        text.starts[text.starts < length],
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_one_text(name):
    texts = [language(name).text(50, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert same(texts[0], texts[1])
    assert not np.array_equal(texts[0].symbols, texts[2].symbols)
    assert all(len(text.starts) == 50 for text in texts)
    assert len(language(name).text(0, np.random.default_rng(0)).symbols) == 0


@pytest.mark.parametrize("name", NAMES)
def test_symbols_alone_are_those_of_the_text(name):
    text = language(name).text(70, np.random.default_rng(9))
    symbols, starts = language(name).symbols(70, np.random.default_rng(9))
    assert np.array_equal(symbols, text.symbols)
    assert np.array_equal(starts, text.starts)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_symbols_are_named(name):
    word = written(name, language(name).text(1, np.random.default_rng(0)).symbols)
    for ask in (language(name).accepts, language(name).read):
        with pytest.raises(ValueError, match=rf"^symbol {len(word) + 1}, after .*, got 'ß'"):
            ask(word + "ß")


def test_anb2n_by_hand():
    text = Counting([1, 2]).annotate([4, 1])
    quarter, third, half = [3 / 4, 1 / 4], [2 / 3, 1 / 3], [1 / 2, 1 / 2]
    a, b = [1, 0], [0, 1]
    np.testing.assert_allclose(
        text.probabilities, [quarter, third, half, b, *[b] * 7, a, quarter, b, a], rtol=0, atol=1e-15
    )
    assert text.states.tolist() == [1, 2, 3, 4, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0, 1, 1, 0]
    assert text.determined.tolist() == [False] * 3 + [True] * 9 + [False] + [True] * 2
    assert text.starts.tolist() == [0, 12]
    assert Counting([1, 2]).entropy == pytest.approx(math.log(4) / 7.5, abs=1e-15)


def test_anb2nc3n_state_labels_by_hand():
    states = Counting([1, 2, 3]).annotate([2]).states
    expected = [1, 2, 2, 1.5, 1, 0, 2, 2 - 1 / 3, 2 - 2 / 3, 1, 1 - 1 / 3, 0]
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-15)


def test_words_beyond_max_n():
    counting = Counting([1, 2], max_n=2)
    assert counting.word(5).tolist() == [0] * 5 + [1] * 10
    assert counting.accepts("a" * 5 + "b" * 10)
    text = counting.annotate([5])
    assert text.probabilities[:6].tolist() == [[0.5, 0.5], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]]
    assert text.determined.tolist() == [False] * 5 + [True] * 10
    assert same(counting.read("a" * 5 + "b" * 10), text)
    unfinished = counting.read("aaa")
    assert unfinished.probabilities.tolist() == [[0.5, 0.5], [1, 0], [0, 1]]
    assert unfinished.determined.tolist() == [False] * 3


@pytest.mark.parametrize("distribution", ["uniform", "geometric", [0.5, 0, 0.5, 0], [0, 0, 1, 0]])
@pytest.mark.parametrize("ratios", [[1, 2], [2, 1, 1], [3, 2]])
def test_counting_of_any_ratios_and_distribution(ratios, distribution):
    counting = Counting(ratios, 4, distribution)
    shares = {"uniform": [1 / 4] * 4, "geometric": [8 / 15, 4 / 15, 2 / 15, 1 / 15]}.get(
        str(distribution), distribution
    )
    text = counting.text(100_000, np.random.default_rng(0))
    lengths = np.diff(text.starts, append=len(text.symbols))
    drawn = np.bincount(lengths // sum(ratios), minlength=5)[1:]
    spread = np.sqrt(100_000 * np.array(shares) * (1 - np.array(shares)))
    assert (np.abs(drawn - 100_000 * np.array(shares)) <= ERRORS * spread).all()
    own = -sum(share * math.log(share) for share in shares if share)
    mean = sum(ratios) * sum(n * share for n, share in enumerate(shares, start=1))
    assert counting.entropy == pytest.approx(own / mean)
    chosen = text.probabilities[np.append(-1, np.arange(len(text.symbols) - 1)), text.symbols]
    word_shares = np.exp(np.add.reduceat(np.log(chosen), text.starts))
    np.testing.assert_allclose(word_shares, np.array(shares)[lengths // sum(ratios) - 1])
    np.testing.assert_array_equal(text.determined, text.probabilities.max(axis=1) == 1)
    joined = "".join(counting.alphabet[symbol] for symbol in text.symbols[:1000])
    assert same(counting.read(joined), cut(text, 1000))


def test_one_word_only_has_no_entropy():
    assert str(Counting([1, 1], 1).entropy) == str(CountingSum(1).entropy) == "0.0"
    assert str(FiniteState({"s": [{"symbol": "x", "to": "e"}]}, "s", "e").entropy) == "0.0"


def test_state_labels_of_sums_palindromes_and_brackets():
    assert CountingSum().read("aabcccaa").states.tolist() == [1, 2, 3, 2, 1, 0, 1, 2]
    assert Palindrome().read("abbmbbaa").states.tolist() == [1, 2, 3, 3, 2, 1, 0, 1]
    assert Dyck(2).read("([()])[").states.tolist() == [1, 2, 3, 2, 1, 0, 1]


def test_distributions_by_hand():
    third = Dyck(2, 4, 0.5).read("(").probabilities[0]
    assert third.tolist() == [0.25, 0.5, 0.25, 0]
    assert Dyck(2, 1).read("[").probabilities[0].tolist() == [0, 0, 0, 1]
    assert Palindrome(2).read("a").probabilities[0].tolist() == [0.25, 0.25, 0.5]
    assert CountingSum(2).read("aab").probabilities.tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]]


@pytest.mark.parametrize("word", ["BTSSXXTVVE", "BPVVE", "BTXXVPSE", "BPVPXVPXVPXVVE", "BTSXXVPSE", "BTXSE"])
def test_reber_words(word):
    assert language("reber").accepts(word)
    assert language("reber_embedded").accepts(f"BT{word}TE")
    assert language("reber_embedded").accepts(f"BP{word}PE")
    assert not language("reber_embedded").accepts(f"BT{word}PE")


@pytest.mark.parametrize("word", ["BTSSPXSE", "BPTVVB", "BTXXVVSE", "BPVVEE", "BTSSXSX", "BE", ""])
def test_reber_rejects(word):
    assert not language("reber").accepts(word)


def test_the_outer_symbol_of_embedded_reber():
    embedded = language("reber_embedded")
    assert embedded.alphabet == tuple("BTPSXVE")
    assert [embedded.state_names[label] for label in embedded.long_range] == ["t_outer", "p_outer"]
    text = embedded.text(1000, np.random.default_rng(0))
    outer = np.flatnonzero(np.isin(text.states, embedded.long_range))
    ends = np.append(text.starts[1:], len(text.symbols))
    np.testing.assert_array_equal(outer, ends - 3)
    assert text.determined[outer].all()
    np.testing.assert_array_equal(text.symbols[outer + 1], text.symbols[text.starts + 1])


def test_states_are_numbered_as_in_the_table():
    reber = language("reber")
    names = [reber.state_names[int(label)] for label in reber.read("BTXSE").states]
    assert names == ["fork", "s_loop", "upper", "exit", "end"]


@pytest.mark.parametrize(
    ("name", "symbols", "message"),
    [
        ("anb2n", "aabbba", "symbol 6, after 'aabbb': expected b, got 'a'"),
        ("anb2n", "abbb", "symbol 4, after 'abb': expected a, got 'b'"),
        ("anb2n", "b", "symbol 1: expected a, got 'b'"),
        ("anb2nc3n", "aac", "symbol 3, after 'aa': expected a or b, got 'c'"),
        ("reber", "BTSSE", "symbol 5, after 'BTSS': expected S or X, got 'E'"),
        ("dyck_2", "([)", "symbol 3, after '([': expected ( or [ or ], got ')'"),
        ("reber", "BTXSE" * 5 + "T", "symbol 26, after …'BTXSEBTXSEBTXSEBTXSE': expected B, got 'T'"),
    ],
)
def test_where_a_text_leaves_the_language(name, symbols, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        language(name).read(symbols)


def finite_state(table, start="s", end="e", **options):
    return FiniteState(table, start, end, **options)


def move(symbol, to, **probability):
    return {"symbol": symbol, "to": to, **probability}


LOOP = [move("x", "s"), move("y", "e")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Counting([]), "ratios: expected 2 to 26 integers of at least 1, got []"),
        (lambda: Counting([1]), "ratios: expected 2 to 26"),
        (lambda: Counting([1, 0]), "ratios: expected 2 to 26 integers of at least 1, got [1, 0]"),
        (lambda: Counting([1, -2]), "ratios: expected 2 to 26"),
        (lambda: Counting([1, 1.5]), "ratios: expected 2 to 26"),
        (lambda: Counting([1, 2], 0), "max_n: expected at least 1, got 0"),
        (lambda: Counting([1, 2]).word(0), "n: expected at least 1, got 0"),
        (lambda: Counting([1, 2]).annotate([1, -3]), "n: expected at least 1, got -3"),
        (lambda: Counting([1, 2], 2, "zipf"), "distribution: expected uniform, geometric or 2 probabilities, got zipf"),
        (lambda: Counting([1, 2], 2, [1.0]), "distribution: expected max_n = 2 probabilities of at least 0, got [1.0]"),
        (lambda: Counting([1, 2], 2, [1.5, -0.5]), "distribution: expected max_n = 2 probabilities of at least 0"),
        (
            lambda: Counting([1, 2], 2, [0.5, 0.6]),
            "distribution: expected probabilities that sum to 1, got a sum of 1.1",
        ),
        (lambda: CountingSum(0), "max_n: expected at least 1, got 0"),
        (lambda: CountingSum(10_000), "the language has more than 200,000 states; choose smaller numbers"),
        (lambda: Dyck(2, 10, 0.9), "words have more than 10,000 symbols on average; let them end sooner"),
        (lambda: Palindrome(0), "max_half: expected at least 1, got 0"),
        (lambda: Dyck(3), "pairs: expected 1 or 2, got 3"),
        (lambda: Dyck(1, 0), "max_depth: expected at least 1, got 0"),
        (lambda: Dyck(push=1), "push: expected a probability above 0 and below 1, got 1"),
        (lambda: finite_state({}), "start: there is no state s in transitions"),
        (lambda: finite_state({"s": LOOP}, "q"), "start: there is no state q in transitions"),
        (lambda: finite_state({"s": LOOP, "t": LOOP}), "transitions.t: it cannot be reached from the start, s"),
        (lambda: finite_state({"s": LOOP[:1]}), "transitions.s: the end, e, cannot be reached from it"),
        (
            lambda: finite_state({"s": [*LOOP, move("z", "t")], "t": [move("x", "t")]}),
            "transitions.t: the end, e, cannot be reached from it",
        ),
        (
            lambda: finite_state({"s": LOOP, "e": LOOP}),
            "transitions.e: expected nothing, since it is the end, where the next word begins",
        ),
        (
            lambda: finite_state({"start": [move("x", "strat"), move("y", "e")]}, "start"),
            "transitions.start: x leads to strat, no state; did you mean start?",
        ),
        (
            lambda: finite_state({"s": [move("x", "s", probability=0.5), move("y", "e", probability=0.4)]}),
            "transitions.s: expected probabilities that sum to 1, got [0.5, 0.4], which sum to 0.9",
        ),
        (
            lambda: finite_state({"s": [move("x", "s", probability=0.0), move("y", "e", probability=1.0)]}),
            "transitions.s: expected probabilities above 0, got [0.0, 1.0]",
        ),
        (
            lambda: finite_state({"s": [move("x", "s", probability=0.5), move("y", "e")]}),
            "transitions.s: expected a probability for each transition or for none, got 1",
        ),
        (
            lambda: finite_state({"s": [move("xy", "e")]}),
            "transitions.s: expected a symbol of one character, digits in quotes, got 'xy'",
        ),
        (lambda: finite_state({"s": [move(0, "e")]}), "transitions.s: expected a symbol of one character"),
        (
            lambda: finite_state({"s": [*LOOP, move("x", "e")]}),
            "transitions.s: ambiguous, x leads to more than one state",
        ),
        (lambda: finite_state({"s": []}), "transitions.s: expected a list of transitions"),
        (lambda: finite_state({"s": "x"}), "transitions.s: expected a list of transitions"),
        (lambda: finite_state({"s": ["x"]}), "transitions.s: expected symbol, to and perhaps probability, got 'x'"),
        (
            lambda: finite_state({"s": [{"symbol": "x", "too": "e"}]}),
            "transitions.s: expected symbol, to and perhaps probability",
        ),
        (lambda: finite_state({"s": LOOP}, long_range=["q"]), "long_range: there is no state q in transitions"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        make()


def test_given_probabilities():
    biased = finite_state({"s": [move("x", "s", probability=0.75), move("y", "e", probability=0.25)]})
    assert biased.read("x").probabilities.tolist() == [[0.75, 0.25]]
    assert biased.entropy == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        (
            {0: [("a", 1, 1.0)], 1: [("b", 0, 0.5), ("b", 1, 0.5)]},
            "state 1: the symbol b occurs 2 times, expected once",
        ),
        ({0: [("a", 1, 1.0)], 1: [("b", 0, 0.5)]}, "state 1: expected probabilities that add up to 1, got 0.5"),
        ({0: [("a", 1, 1.0)], 1: []}, "state 1: expected probabilities that add up to 1, got 0"),
        ({0: [("a", 1, 1.0)], 1: [("d", 0, 1.0)]}, "state 1: symbol 'd' is not in the alphabet 'ab'"),
        ({0: [("a", 1, 1.0)], 1: [("b", 1, 1.0)]}, "no word ends: no move leads back to the start, 0"),
        ({0: [("a", 0, 1e-5), ("b", 1, 1 - 1e-5)], 1: [("a", 1, 1 - 1e-5), ("b", 0, 1e-5)]}, "words have more than"),
    ],
)
def test_moves_that_define_no_language_are_refused(moves, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ProbabilisticAutomaton("ab", 0, moves.get, float)


def test_without_labels_the_states_are_numbered():
    language = ProbabilisticAutomaton("ab", "s", {"s": [("a", "t", 1.0)], "t": [("b", "s", 1.0)]}.get)
    assert language.read("abab").states.tolist() == [1, 0, 1, 0]
