"""Masks as Label Studio's brush stores them: bytes of a picture in red, green, blue and alpha, packed by rle-pack.

The form is that of https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack: 32 bits with the number of
values, 5 bits with the bits of a value less 1, four times 4 bits with the sizes of lengths less 1. Then, until all
values are there: a bit that says whether one value is repeated, 2 bits that choose the size of the length, the length
less 1 in that many bits, and the value, or as many values.

A pixel is in the mask where its alpha is not 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.datasets.labels import runs
from edgerig.errors import DatasetError

#: Bits of the number of values, of a value's size, of each of the four sizes of lengths.
_COUNT_BITS, _WORD_BITS, _SIZE_BITS, _SIZES = 32, 5, 4, 4
#: Bits of a value, the only ones that pictures have, and channels of a pixel, of which the last is alpha.
_VALUE_BITS, CHANNELS = 8, 4
#: Sizes of lengths that are written, as Label Studio does.
_WRITTEN_SIZES = (3, 4, 8, 16)
_OPAQUE = 255


class _Bits:
    """Numbers out of a row of bits, the highest first."""

    def __init__(self, data: bytes, where: str) -> None:
        self._bits = bin(int.from_bytes(b"\x01" + data, "big"))[3:]
        self._next, self._where = 0, where

    def number(self, size: int) -> int:
        return int(self.text(size), 2)

    def text(self, size: int) -> str:
        text = self._bits[self._next : self._next + size]
        if len(text) < size:
            raise DatasetError(f"{self._where} ends in the middle of its mask.", "It was cut off; write it anew.")
        self._next += size
        return text


def decode(data: bytes, height: int, width: int, where: str) -> runs.Lengths:
    """The runs of a mask.

    Args:
        data: The bytes of ``rle``.
        height, width: Of the image, in pixels.
        where: Names the mask in errors.

    Raises:
        DatasetError: It is cut off, overruns the image or falls short of it, or is packed otherwise.
    """
    bits = _Bits(data, where)
    count, expected = bits.number(_COUNT_BITS), CHANNELS * height * width
    if count != expected:
        fault = "overruns its image" if count > expected else "falls short of its image"
        raise DatasetError(
            f"{where} {fault}: its mask has {count:,} values, {width} x {height} pixels have {expected:,}.",
            "It belongs to an image of another size, or is no brush mask.",
        )
    word = bits.number(_WORD_BITS) + 1
    if word != _VALUE_BITS:
        raise DatasetError(f"{where} has a mask of {word} bits a value; pictures have {_VALUE_BITS}.")
    sizes = [bits.number(_SIZE_BITS) + 1 for _ in range(_SIZES)]
    alpha = _unpack(bits, count, sizes, where).reshape(height, width, CHANNELS)[..., CHANNELS - 1]
    return runs.encode(alpha)


def encode(lengths: ArrayLike, height: int, width: int) -> bytes:
    """The bytes of ``rle`` of a mask, given by its runs; all channels of its pixels are 255, of the others 0."""
    rows = runs.decode(lengths, height, width).ravel()
    # The same runs, row by row.
    across = runs.encode(rows[:, None]) * CHANNELS
    head = [
        f"{CHANNELS * height * width:032b}",
        f"{_VALUE_BITS - 1:05b}",
        *(f"{size - 1:04b}" for size in _WRITTEN_SIZES),
    ]
    longest = 1 << _WRITTEN_SIZES[-1]
    for index, length in enumerate(across.tolist()):
        value = f"{_OPAQUE if index % 2 else 0:08b}"
        while length:
            part = min(length, longest)
            choice = next(n for n, size in enumerate(_WRITTEN_SIZES) if part <= 1 << size)
            head.append(f"1{choice:02b}{part - 1:0{_WRITTEN_SIZES[choice]}b}{value}")
            length -= part
    text = "".join(head)
    size = -(-len(text) // 8)
    return int(text.ljust(8 * size, "0"), 2).to_bytes(size, "big")


def _unpack(bits: _Bits, count: int, sizes: list[int], where: str) -> NDArray[np.uint8]:
    values = np.empty(count, np.uint8)
    filled = 0
    while filled < count:
        repeated = bits.number(1)
        end = filled + 1 + bits.number(sizes[bits.number(2)])
        if end > count:
            raise DatasetError(f"{where} overruns its image by {end - count:,} values.", "Write the mask anew.")
        if repeated:
            values[filled:end] = bits.number(_VALUE_BITS)
        else:
            size = _VALUE_BITS * (end - filled)
            literal = int(bits.text(size), 2).to_bytes(end - filled, "big")
            values[filled:end] = np.frombuffer(literal, np.uint8)
        filled = end
    return values
