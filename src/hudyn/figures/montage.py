"""Several rendered figures in one, with text."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.transforms import Affine2D

from hudyn.figures.style import heading, pixels

# All lengths are in inches.
HEADING, MARGIN = 0.4, 0.2
TEXT_WIDTH = 4.0  # the narrowest column of text that stands beside pictures
LETTER, LINE = 0.08, 0.2  # mean width of a letter, and height of a line


def montage(rows: Sequence[Sequence[Figure]], title: str, text: str = "") -> Figure:
    """Rows of figures with a heading above; the text stands beside the last row, or below if it has no room there.

    Args:
        rows: figures, rendered as images.
        title: heading.
        text: paragraphs, one a line.
    """
    dpi = Figure().dpi
    images = [[pixels(figure) for figure in row] for row in rows]
    widths = [sum(image.shape[1] for image in row) / dpi for row in images]
    heights = [max(image.shape[0] for image in row) / dpi for row in images]
    width = max(widths)
    is_beside = width - widths[-1] >= TEXT_WIDTH
    column = (width - widths[-1] if is_beside else width) - 2 * MARGIN
    wrapped = "\n\n".join(textwrap.fill(paragraph, int(column / LETTER)) for paragraph in text.splitlines())
    below = MARGIN if is_beside or not text else 2 * MARGIN + LINE * len(wrapped.splitlines())
    height = HEADING + sum(heights) + below
    figure = Figure(figsize=(width, height))
    heading(figure, title).set_fontweight("bold")
    x, y = (widths[-1] + MARGIN, below + heights[-1] - HEADING) if is_beside else (MARGIN, below - MARGIN)
    figure.text(x / width, y / height, wrapped, va="top", linespacing=1.3)
    top = height - HEADING
    for row, row_height in zip(images, heights, strict=True):
        left = 0
        for image in row:
            bottom, dx, dy = round(top * dpi) - image.shape[0], 1 / (dpi * width), 1 / (dpi * height)
            axes = figure.add_axes((left * dx, bottom * dy, image.shape[1] * dx, image.shape[0] * dy))
            axes.set_axis_off()
            picture = _Picture(axes, extent=(0, 1, 0, 1), interpolation="none")
            picture.set_data(image)
            axes.add_image(picture)
            left += image.shape[1]
        top -= row_height
    return figure


class _Picture(AxesImage):
    """An image that is copied as it is where its pixels are the figure's; matplotlib takes 16 times its memory."""

    def make_image(
        self, renderer: RendererBase, magnification: float = 1.0, unsampled: bool = False
    ) -> tuple[np.ndarray, float, float, Affine2D]:
        """The pixels, and where they go."""
        image, place = np.asarray(self.get_array()), self.axes.bbox
        if magnification != 1 or (round(place.height), round(place.width)) != image.shape[:2]:
            return super().make_image(renderer, magnification, unsampled)
        rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        return rgba[::-1], place.x0, place.y0, Affine2D()  # from the lowest row on
