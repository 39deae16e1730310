"""Writing animations."""

from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import Image

FRAME_MS, LAST_FRAME_MS = 80, 2000  # the last frame stays long enough to be studied
NEARLY_WHITE = 248  # of 255: Pillow does not tell colours apart that are closer
PALETTE = 128  # colours: half of what GIF allows, for smaller files


def write_gif(frames: Sequence[np.ndarray], file: IO[bytes]) -> None:
    """Write images, uint8 [height, width, 3], into an open file as an animation that repeats for ever."""
    both = Image.fromarray(np.concatenate([frames[0], frames[-1]]))
    palette = both.quantize(PALETTE, Image.Quantize.MAXCOVERAGE, kmeans=1)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours >= NEARLY_WHITE).all(axis=1)] = 255  # or the background may get a tint
    palette.putpalette(colours.ravel().tolist())
    first, *others = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    first.save(file, format="gif", save_all=True, append_images=others, duration=durations, loop=0)
