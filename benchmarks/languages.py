"""Symbols a second that each language in conf/data/language/ draws and annotates, on one core.

python benchmarks/languages.py [--words 100000] [--repeats 3]
"""

import argparse
import statistics
import time

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from rich.console import Console
from rich.table import Table

from hudyn.config.compose import config_folder
from hudyn.languages import Language

GOAL = 1e6  # symbols a second


def speed(language: Language, words: int, generator: np.random.Generator) -> float:
    """Symbols a second for one text."""
    started = time.perf_counter()
    text = language.text(words, generator)
    return len(text.symbols) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--words", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = Table(
        title=f"texts of {options.words:,} words; medians of {options.repeats}; goal: {GOAL / 1e6:g} million or more"
    )
    for column in ("language", "entropy, nats a symbol", "million symbols a second"):
        table.add_column(column, justify="left" if column == "language" else "right")
    with initialize_config_dir(str(config_folder().absolute()), version_base="1.3"):
        for file in sorted((config_folder() / "data" / "language").glob("*.yaml")):
            language = instantiate(compose(overrides=[f"+data/language={file.stem}"]).data.language)
            generator = np.random.default_rng(0)
            speeds = [speed(language, options.words, generator) for _ in range(options.repeats)]
            table.add_row(file.stem, f"{language.entropy:.4f}", f"{statistics.median(speeds) / 1e6:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
