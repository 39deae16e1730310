"""Writing animations."""

from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import Image

FRAME_MS, LAST_FRAME_MS = 80, 2000  # the last frame stays long enough to be studied
PALETTE = 128  # colours: half of what GIF allows, for smaller files


def write_gif(frames: Sequence[np.ndarray], file: IO[bytes]) -> None:
    """Write images, uint8 [height, width, 3], into an open file as an animation that repeats for ever."""
    both = Image.fromarray(np.concatenate([frames[0], frames[-1]]))
    palette = both.quantize(PALETTE - 1, Image.Quantize.MAXCOVERAGE, kmeans=1)
    palette.putpalette([*(palette.getpalette() or []), 255, 255, 255])  # or the background may get a tint
    first, *others = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    first.save(file, format="gif", save_all=True, append_images=others, duration=durations, loop=0)
