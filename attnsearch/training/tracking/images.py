"""Maps as grey pictures: white where nothing is, black at the largest value. Needs no matplotlib."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt

from attnsearch.base import Bools, Floats, Integers

Image = npt.NDArray[np.uint8]
"""`u8[height, width]`: 0 is black."""

_GREY = 160
_SIDE = 256
_MOST_ENLARGED = 16


def shaded(values: Floats | Integers | Bools) -> Image:
    """Non-negative values of any shape as shades; what is not finite counts as zero."""
    finite = np.nan_to_num(np.asarray(values, np.float64), posinf=0.0)
    top = finite.max(initial=0.0)
    return np.rint(255 * (1 - finite / top if top > 0 else np.ones_like(finite))).astype(np.uint8)


def enlarged(image: Image) -> Image:
    """The same picture with larger squares, about `_SIDE` pixels long."""
    factor = min(max(1, _SIDE // max(image.shape)), _MOST_ENLARGED)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def tiled(images: Image) -> Image:
    """`u8[A, height, width]` as one picture, row by row, with grey lines between."""
    count, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), _GREY, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet


def png(image: Image) -> bytes:
    """`image` as a file. Needs pillow, which each extra of a tracker brings."""
    from PIL import Image as pillow

    file = io.BytesIO()
    pillow.fromarray(image).save(file, "png")
    return file.getvalue()
