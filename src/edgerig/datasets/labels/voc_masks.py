"""Pascal VOC's masks: pictures whose pixels are numbers of classes or objects, and the list of classes and colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.labels.checks import check_name
from edgerig.datasets.labels.classes import pixel_classes
from edgerig.datasets.labels.shapes import IGNORE_NUMBER
from edgerig.datasets.mask_files import read_mask
from edgerig.errors import DatasetError, storing

Color = tuple[int, int, int]
#: The list of classes, as CVAT writes it: ``name:red,green,blue::``, in the order of their numbers.
LABELMAP = "labelmap.txt"
#: The colour of pixels that are not judged.
VOID: Color = (224, 224, 192)
#: Modes of pictures with 16 bits a pixel.
_WIDE = ("I", "I;16", "I;16B", "I;16L")


def usual_color(number: int) -> Color:
    """The colour of a class in the VOC development kit: its number's bits, spread over the high bits of three channels.

    >>> usual_color(1), usual_color(15)
    ((128, 0, 0), (192, 128, 128))
    """
    red = green = blue = 0
    for bit in range(8):
        shift = 7 - bit
        red |= (number & 1) << shift
        green |= (number >> 1 & 1) << shift
        blue |= (number >> 2 & 1) << shift
        number >>= 3
    return red, green, blue


class Legend:
    """Which class a pixel of a mask is of.

    Args:
        names: Of the classes by number, with the background.
        colors: The number of each colour; where it is empty, pixels are numbers.
    """

    def __init__(self, names: Sequence[str], colors: Mapping[Color, int]) -> None:
        self.names, self.colors = tuple(names), dict(colors)


def read_legend(root: Path, names: Sequence[str]) -> Legend | None:
    """The classes of ``labelmap.txt``, else those named, with a background in front where they have none; None where
    there are neither.

    Raises:
        DatasetError: A line of the list has another form.
    """
    path = root / LABELMAP
    if not path.is_file():
        return Legend(pixel_classes(names), {}) if names else None
    own: list[str] = []
    colors = {VOID: IGNORE_NUMBER}
    for number, line in enumerate(path.read_text("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        parts = rest.partition(":")[0].split(",")
        if len(parts) != 3 or not all(part.strip().isdigit() and int(part) < 256 for part in parts):
            raise DatasetError(f"{path}:{number} is no class: {line[:60]!r}.", "As in: car:128,0,0::")
        check_name(name, f"{path}:{number}")
        red, green, blue = (int(part) for part in parts)
        colors[red, green, blue] = len(own)
        own.append(name)
    return Legend(own, colors)


def read_numbers(path: Path, legend: Legend | None) -> NDArray[np.int64]:
    """The numbers of a mask's pixels, shape (H, W): as they are, or by their colours where ``legend`` has some.

    Raises:
        DatasetError: It cannot be read, or has a colour of no class.
    """
    from PIL import Image

    with Image.open(path) as image:
        mode, kind = image.mode, image.format
        if kind != "JPEG" and mode in _WIDE:
            return np.asarray(image).astype(np.int64)
        if kind != "JPEG" and legend is not None and legend.colors and mode in ("P", "RGB", "RGBA"):
            return _by_color(np.asarray(image.convert("RGB"), np.int64), legend, path)
    return read_mask(path).astype(np.int64)


def write_numbers(numbers: NDArray[Any], colors: Sequence[Color], path: Path) -> None:
    """Write a mask of numbers below 256 as a PNG with a palette."""
    from PIL import Image

    palette = [*colors, *([(0, 0, 0)] * (256 - len(colors)))][:256]
    palette[IGNORE_NUMBER] = VOID
    image = Image.fromarray(numbers.astype(np.uint8)).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([value for color in palette for value in color])
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)


def _by_color(pixels: NDArray[np.int64], legend: Legend, path: Path) -> NDArray[np.int64]:
    codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    known = {red << 16 | green << 8 | blue: number for (red, green, blue), number in legend.colors.items()}
    values, inverse = np.unique(codes, return_inverse=True)
    strange = [value for value in values.tolist() if value not in known]
    if strange:
        color = ", ".join(map(str, (strange[0] >> 16, strange[0] >> 8 & 255, strange[0] & 255)))
        raise DatasetError(f"{path} has pixels of the colour {color}, which is of no class.", f"Add it to {LABELMAP}.")
    numbers = np.array([known[value] for value in values.tolist()], np.int64)
    return numbers[inverse].reshape(codes.shape)
