"""The house style of all figures: colours, headings, colour bars, and how figures become pixels and files."""

import io
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import IO, Any, ParamSpec, TypedDict

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps, font_manager, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import Formatter
from matplotlib.typing import LineStyleType
from PIL import Image

P = ParamSpec("P")

logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # kana fonts often lack a bold face

# matplotlib keeps fonts open, also in the formulas that it keeps. Processes that are forked read such a file at a place
# that they share, and glyphs come out wrong or not at all; so it forgets them before a fork. It has no public way.
if hasattr(os, "register_at_fork"):
    for forget in (MathTextParser._parse_cached, font_manager._get_font):  # type: ignore[attr-defined] # private
        os.register_at_fork(before=forget.cache_clear)

STYLE = Path(__file__).with_name("hudyn.mplstyle")
# Okabe & Ito (2008): colour-blind readers can tell them apart.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"]
LINE_STYLES: list[LineStyleType] = ["-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5))]
MARKERS = "osD^vPX<>"
DIVERGING = "RdBu_r"
GREYS = "gray"
COUNTS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.96, 256)))  # viridis' last yellow is too pale on white
KANA_FONTS = ["Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic"]
PALE = "#707070"
EDGE = 0.1  # inches between the edge of a figure and its heading
# Images with names: inches between them, for the heading, for a line of a name, and for the colour bar; points of a
# name; inches of a letter of that size.
TILE_GAP, TILE_TOP, TILE_LINE, TILE_BAR, TILE_FONT, LETTER = 0.12, 0.35, 0.16, 0.95, 8.5, 0.075
FRAME_MS, LAST_FRAME_MS = 80, 2000  # of an animation; the last frame stays long enough to be studied
NEARLY_WHITE = 248  # of 255: Pillow does not tell colours apart that are closer
PALETTE = 128  # colours of an animation: half of what GIF allows, for smaller files


class LineLook(TypedDict):
    """The look of a line."""

    color: str
    linestyle: LineStyleType
    linewidth: float


def in_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make `draw` use the house style and render its figure; without pyplot, so that no figure stays open."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(), style.context(STYLE):
            mpl.rcParams["font.family"] = ["DejaVu Sans", *kana_fonts()]
            figure = draw(*args, **kwargs)
            FigureCanvasAgg(figure).draw()
            return figure

    return drawn


def heading(figure: Figure, title: str) -> Text:
    """Write the heading of a figure, whose size is final, into its upper left corner."""
    width, height = figure.get_size_inches()
    is_laid_out = figure.get_layout_engine() is not None  # which makes room for the heading, and so chooses y
    top = None if is_laid_out else 1 - EDGE / height
    return figure.suptitle(title, x=EDGE / width, y=top, ha="left", va="top", wrap=True)


def image_tiles(
    images: Sequence[np.ndarray],
    names: Sequence[str],
    columns: int,
    title: str,
    side: float,
    bar: str | None = None,
    bar_format: Formatter | None = None,
    **look: Any,
) -> Figure:
    """Images of one shape, each with its name above, in a single axes: one axes each takes seconds to draw.

    Args:
        images: [height, width] each.
        names: one each, of one or more lines.
        columns: number of columns.
        title: heading.
        side: width of an image in inches.
        bar: label of the colour bar; None for none.
        bar_format: format of its ticks.
        look: options of `Axes.imshow`.
    """
    rows = max(1, math.ceil(len(images) / columns))
    height = side * images[0].shape[0] / images[0].shape[1] if len(images) else side
    above = TILE_LINE * max((1 + name.count("\n") for name in names), default=1) + TILE_GAP
    wide, high = columns * (side + TILE_GAP), rows * (height + above)
    figure = Figure(figsize=(wide + TILE_GAP + TILE_BAR * (bar is not None), TILE_TOP + high + TILE_GAP))
    heading(figure, title)
    axes = panel(figure, TILE_GAP, TILE_GAP, wide, high)
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(place, columns)
        left, top = column * (side + TILE_GAP), row * (height + above) + above
        shown = axes.imshow(image, extent=(left, left + side, top + height, top), aspect="auto", **look)
        size = min(TILE_FONT, TILE_FONT * side / (LETTER * max(map(len, name.split("\n")))))
        axes.text(left + side / 2, top - 0.04, name, ha="center", va="bottom", fontsize=size)
    axes.set(xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
    if bar is not None:
        colours = panel(figure, 2 * TILE_GAP + wide, TILE_GAP + high * 0.1, 0.12, high * 0.8)
        colour_bar(figure, shown, cax=colours, format=bar_format).set_label(bar, fontsize=8)
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a fixed place, in inches, in a figure whose size is final."""
    whole_width, whole_height = figure.get_size_inches()
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def label_outer(axes: Axes, xlabel: str, ylabel: str, is_lowest: bool, is_leftmost: bool) -> None:
    """Label the axes of a panel, and their ticks, below the lowest panels and left of the leftmost ones only."""
    axes.set(xlabel=xlabel if is_lowest else "", ylabel=ylabel if is_leftmost else "")
    axes.tick_params(labelbottom=is_lowest, labelleft=is_leftmost)


def colour_bar(figure: Figure, shown: ScalarMappable, **options: Any) -> Colorbar:
    """A colour bar without a frame, with the options of `Figure.colorbar`."""
    bar = figure.colorbar(shown, **options)
    bar.outline.set_visible(False)
    return bar


def pixels(figure: Figure) -> np.ndarray:
    """A figure as an image, uint8 [height, width, 3]; one that was drawn without `in_style` is rendered first."""
    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def write_png(figure: Figure, file: IO[bytes]) -> None:
    """Write a figure into an open file."""
    Image.fromarray(pixels(figure)).save(file, format="png")


def as_svg(figure: Figure) -> bytes:
    """A rendered figure as SVG, with its text as text."""
    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hudyn"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def as_gif(frames: Sequence[np.ndarray]) -> bytes:
    """Images, uint8 [height, width, 3], as an animation that repeats for ever."""
    both = Image.fromarray(np.concatenate([frames[0], frames[-1]]))
    palette = both.quantize(PALETTE, Image.Quantize.MAXCOVERAGE, kmeans=1)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours >= NEARLY_WHITE).all(axis=1)] = 255  # or the background may get a tint
    palette.putpalette(colours.ravel().tolist())
    first, *others = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    file = io.BytesIO()
    first.save(file, format="gif", save_all=True, append_images=others, duration=durations, loop=0)
    return file.getvalue()


@cache
def kana_fonts() -> list[str]:
    """Installed fonts that have kana."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in KANA_FONTS if name in installed]


def printable(labels: list[str]) -> list[str]:
    """Class labels that the installed fonts can show: without kana if no font has it.

    >>> printable(["shirt"])
    ['shirt']
    """
    if kana_fonts():
        return labels
    return ["".join(c for c in label if ord(c) < 0x3000).strip() for label in labels]


def show_in_notebooks() -> None:
    """Let a notebook show figures as pictures, as after ``%matplotlib inline``, unless it has a way of its own."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell and not any(Figure in formatter for formatter in shell.display_formatter.formatters.values()):
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"})
