"""Automata as text that other programs draw: Graphviz's DOT and Mermaid."""

import string

from hudyn.languages.moore import MooreMachine


def dot(machine: MooreMachine) -> str:
    """The automaton in the DOT language of Graphviz."""
    lines = ["digraph {", "  rankdir=LR;", '  begin [shape=point, label=""];', "  begin -> 0;"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  {state} [shape=circle, label="{_quoted(name)}\\n{_quoted(expected_symbols(expected))}"];')
    for (source, target), symbols in machine.edges.items():
        lines.append(f'  {source} -> {target} [label="{_quoted(", ".join(symbols))}"];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(machine: MooreMachine) -> str:
    """The automaton as a state diagram of Mermaid."""
    lines = ["stateDiagram-v2", "  direction LR"]
    for state, (name, expected) in enumerate(zip(machine.names, machine.outputs, strict=True)):
        lines.append(f'  state "{_entities(name)}<br>{_entities(expected_symbols(expected))}" as s{state}')
    lines.append("  [*] --> s0")
    for (source, target), symbols in machine.edges.items():
        lines.append(f"  s{source} --> s{target} : {_entities(', '.join(symbols))}")
    return "\n".join(lines) + "\n"


def expected_symbols(output: frozenset[str] | None) -> str:
    """The symbols that a state expects: ``?`` if they are unknown, ``∅`` if there are none."""
    if output is None:
        return "?"
    return ", ".join(sorted(output)) or "∅"


def _quoted(text: str) -> str:
    """Text between quotes in DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _entities(text: str) -> str:
    """Text in Mermaid, where punctuation has a meaning."""
    plain = {*string.ascii_letters, *string.digits, " ", ",", "_"}
    return "".join(c if c in plain or ord(c) > 127 else f"#{ord(c)};" for c in text)
