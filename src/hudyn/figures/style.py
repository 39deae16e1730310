"""The one style of all figures."""

import logging
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import IO, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

P = ParamSpec("P")

logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # kana fonts often lack a bold face

STYLE = Path(__file__).with_name("hudyn.mplstyle")
# Okabe & Ito (2008): told apart by colour-blind readers.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"]
DIVERGING = "RdBu_r"
GREYS = "gray"
KANA_FONTS = ["Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic"]


def in_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let `draw` make its figure in the house style, and draw it; without pyplot, so that nothing stays open."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(), style.context(STYLE):
            mpl.rcParams["font.family"] = ["DejaVu Sans", *kana_fonts()]
            figure = draw(*args, **kwargs)
            FigureCanvasAgg(figure).draw()
            return figure

    return drawn


def pixels(figure: Figure) -> np.ndarray:
    """A drawn figure as an image, uint8 [height, width, 3]."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    return np.asarray(canvas.buffer_rgba())[..., :3]


def write_png(figure: Figure, file: IO[bytes]) -> None:
    """Write a drawn figure into an open file."""
    Image.fromarray(pixels(figure)).save(file, format="png")


def write_svg(figure: Figure, file: IO[bytes]) -> None:
    """Write a drawn figure into an open file as SVG, with its text as text."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hudyn"}):
        figure.savefig(file, format="svg", metadata={"Date": None})


@cache
def kana_fonts() -> list[str]:
    """Installed fonts that have kana."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in KANA_FONTS if name in installed]


def printable(labels: list[str]) -> list[str]:
    """Class labels as the installed fonts can show them: without their kana where no font has it.

    >>> printable(["shirt"])
    ['shirt']
    """
    if kana_fonts():
        return labels
    return ["".join(c for c in label if ord(c) < 0x3000).strip() for label in labels]
