"""A drawn digit out of a file, as a network of MNIST takes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import DatasetError, MissingExtraError

SIDE = 28
#: What of a picture is the digit: the dark on light paper, or, as in MNIST, the light on black.
Ink = Literal["auto", "dark", "light"]
#: No text of 784 numbers is larger.
_MOST_BYTES = 1 << 20
_NUMBERS = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")


def read_digit(path: Path, ink: Ink = "auto") -> NDArray[np.float32]:
    """The picture in ``path``, 0 for paper to 1 for ink.

    Args:
        path: An image of any size, or 784 numbers from 0 to 1: ``.txt``, ``.npy``, or the C header ``.h`` that the
            drawing page exports.
        ink: Of an image only. ``auto`` goes by its edge, which is paper.

    Returns:
        Shape (28, 28), float32.

    Raises:
        DatasetError: The file cannot be read, or is no such picture. MissingExtraError: Pillow is not installed.
    """
    readers = {".txt": _text_numbers, ".h": _header_numbers, ".npy": _array_numbers}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return _image(path, ink)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DatasetError(f"{path} is larger than any file of {SIDE * SIDE} numbers.")
        digit = reader(path)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path} cannot be read as a digit: {error}.", _kinds()) from error
    if digit.size != SIDE * SIDE:
        raise DatasetError(f"{path} holds {digit.size} numbers, not {SIDE * SIDE}.", _kinds())
    if not (np.isfinite(digit).all() and digit.min() >= 0 and digit.max() <= 1):
        raise DatasetError(f"{path} holds numbers that are not from 0 to 1.", "0 is paper, 1 is ink.")
    return digit.astype(np.float32).reshape(SIDE, SIDE)


def _kinds() -> str:
    return f"Give a PNG or another image, or {SIDE * SIDE} numbers from 0 to 1 as .txt, .npy or .h."


def _text_numbers(path: Path) -> NDArray[np.float64]:
    return np.array(path.read_text().replace(",", " ").split(), np.float64)


def _header_numbers(path: Path) -> NDArray[np.float64]:
    """What stands between the braces."""
    body = path.read_text().partition("{")[2].partition("}")[0]
    return np.array(_NUMBERS.findall(body), np.float64)


def _array_numbers(path: Path) -> NDArray[np.float64]:
    return np.asarray(np.load(path, allow_pickle=False), np.float64)


def _image(path: Path, ink: Ink) -> NDArray[np.float32]:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("A digit from an image", "images", "PIL") from error
    from edgerig.datasets.images import read_image

    pixels = read_image(path, 1)[:, :, 0]
    if pixels.shape != (SIDE, SIDE):
        pixels = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if ink == "dark" or (ink == "auto" and np.median(edge) > 127):
        pixels = 255 - pixels
    return pixels.astype(np.float32) / np.float32(255)
