"""From strokes of a pen to the 28x28 picture that a network of MNIST sees.

The same arithmetic stands in ``pages/digits/drawing.js``, for the page and the notebook widget; a test holds both to
equal pictures. So all that is rounded is rounded from sums, products, quotients and square roots of doubles, which are
the same in every language, and pixels are averaged in integers, whose sums have no order.

What MNIST looks like (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits"): a digit is scaled
into a box of 20x20 pixels, its proportions as they were, its edges grey, and moved so that its centre of mass lies in
the middle of 28x28 pixels. Of the bundled 2,000 test digits each has a box of 20 pixels, and centres of mass lie
between 14.0 and 15.0 with a mean of 14.5. With this pen ten drawn digits have as much ink as the median digit of
their class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import UsageError

#: Pixels of a side of the paper, and of the picture.
CANVAS, SIDE = 250, 28
#: Width of the pen in pixels of the paper.
PEN = 24.0
#: Side of MNIST's box, and where it has the centre of mass, in pixels of the picture from its edge.
BOX, CENTRE = 20, 14.5
#: A dot is not blown up to the size of a digit.
LARGEST_SCALE = 8.0
#: Bounds on what comes from outside.
MOST_POINTS = 100_000
FARTHEST = 1e6
THINNEST, THICKEST = 1.0, 100.0

Point = tuple[float, float]
Stroke = Sequence[Point]
Picture = NDArray[np.uint8]


def check_strokes(strokes: Any) -> list[list[Point]]:
    """``strokes``, which may come from outside, as lists of pairs of floats; empty strokes are left out.

    Raises:
        UsageError: Not pairs of finite numbers, too far from the paper, or too many.
    """
    if isinstance(strokes, str | bytes) or not isinstance(strokes, Sequence):
        raise UsageError("Strokes are a list of lists of points (x, y), in pixels of the paper, 250x250.")
    if not all(isinstance(stroke, Sequence) for stroke in strokes):
        raise UsageError("Each stroke is a list of points (x, y).")
    if sum(len(stroke) for stroke in strokes) > MOST_POINTS:
        raise UsageError(f"A drawing has at most {MOST_POINTS:,} points.")
    checked = []
    for stroke in strokes:
        points = []
        for point in stroke:
            try:
                x, y = (float(number) for number in point)
            except (TypeError, ValueError):
                raise UsageError(f"{point!r} is no point: a point is a pair of numbers (x, y).") from None
            if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST):
                raise UsageError(f"{point!r} is no point of a drawing: its paper is {CANVAS}x{CANVAS} pixels.")
            points.append((x, y))
        if points:
            checked.append(points)
    return checked


def fitted(strokes: Sequence[Stroke], pen: float = PEN) -> list[list[Point]]:
    """``strokes`` moved and scaled so that their ink fills MNIST's box of 20x20 pixels in the middle of the paper.

    The lines are scaled, the pen is not: however small a digit was drawn, its strokes are as wide as MNIST's.
    """
    points = [point for stroke in strokes for point in stroke]
    if not points:
        return []
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    longest = max(right - left, bottom - top)
    room = BOX * CANVAS / SIDE - pen
    scale = LARGEST_SCALE if longest * LARGEST_SCALE <= room else room / longest
    x0, y0, middle = (left + right) / 2, (top + bottom) / 2, CANVAS / 2
    return [[(middle + (x - x0) * scale, middle + (y - y0) * scale) for x, y in stroke] for stroke in strokes]


def ink(strokes: Sequence[Stroke], pen: float = PEN) -> NDArray[np.uint8]:
    """The paper after ``strokes``: shape (250, 250), 0 where it is white, 255 where it is black; edges are smooth.

    The ink of a pixel is that of the nearest line: 1 within the pen's radius of the pixel's middle, less 1 for each
    pixel of distance beyond, less a half at the edge itself.
    """
    paper = np.zeros((CANVAS, CANVAS), np.uint8)
    for stroke in strokes:
        for start, end in zip([stroke[0], *stroke[:-1]], stroke, strict=True):
            _draw_line(paper, start, end, pen)
    return paper


def _draw_line(paper: NDArray[np.uint8], start: Point, end: Point, pen: float) -> None:
    """A straight line with round ends onto ``paper``."""
    (x0, y0), (x1, y1) = start, end
    reach = pen / 2 + 1
    left, right = max(0, math.floor(min(x0, x1) - reach)), min(CANVAS, math.ceil(max(x0, x1) + reach))
    top, bottom = max(0, math.floor(min(y0, y1) - reach)), min(CANVAS, math.ceil(max(y0, y1) + reach))
    if left >= right or top >= bottom:
        return
    px = np.arange(left, right)[None, :] + 0.5 - x0
    py = np.arange(top, bottom)[:, None] + 0.5 - y0
    dx, dy = x1 - x0, y1 - y0
    square = dx * dx + dy * dy
    along = np.clip((px * dx + py * dy) / square, 0.0, 1.0) if square > 0 else np.zeros((1, 1))
    rx, ry = px - along * dx, py - along * dy
    cover = np.clip(pen / 2 + 0.5 - np.sqrt(rx * rx + ry * ry), 0.0, 1.0)
    part = paper[top:bottom, left:right]
    np.maximum(part, np.floor(cover * 255 + 0.5).astype(np.uint8), out=part)


def shrunk(paper: NDArray[np.uint8], shift: tuple[int, int] = (0, 0)) -> Picture:
    """``paper`` averaged over the area of each of 28x28 pixels, after a shift.

    Args:
        paper: Shape (250, 250).
        shift: By how much the paper lies right and down of the picture's frame, in 28ths of a pixel of the paper.

    Returns:
        Shape (28, 28), rounded half up. What lies outside of the paper is white.
    """
    across, down = _overlaps(shift[0]), _overlaps(shift[1])
    sums = down @ paper.astype(np.int64) @ across.T
    area = CANVAS * CANVAS
    return ((2 * sums + area) // (2 * area)).astype(np.uint8)


def _overlaps(shift: int) -> NDArray[np.int64]:
    """How much of each pixel of the paper lies in each of the picture, in 28ths of a pixel of the paper: (28, 250)."""
    starts = np.arange(SIDE)[:, None] * CANVAS
    pixels = np.arange(CANVAS)[None, :] * SIDE + shift
    shares: NDArray[np.int64] = np.minimum(starts + CANVAS, pixels + SIDE) - np.maximum(starts, pixels)
    shares[shares < 0] = 0
    return shares


def mass_shift(paper: NDArray[np.uint8]) -> tuple[int, int]:
    """The shift for `shrunk` that brings the centre of mass to where MNIST has it, and no ink out of the picture."""
    columns, rows = paper.sum(axis=0, dtype=np.int64), paper.sum(axis=1, dtype=np.int64)
    return _shift(columns), _shift(rows)


def _shift(profile: NDArray[np.int64]) -> int:
    inked = np.flatnonzero(profile)
    if not inked.size:
        return 0
    moment = int(profile @ (2 * np.arange(CANVAS) + 1))
    wanted = math.floor(CENTRE * CANVAS - SIDE * moment / (2 * int(profile.sum())) + 0.5)
    return max(-SIDE * int(inked[0]), min(wanted, SIDE * (CANVAS - 1 - int(inked[-1]))))


def picture(strokes: Sequence[Stroke], *, centred: bool = True, pen: float = PEN) -> Picture:
    """What a network of MNIST sees of ``strokes``.

    Args:
        strokes: Points (x, y) in pixels of the paper from its upper left corner.
        centred: Scaled into MNIST's box and moved to its centre of mass; otherwise the whole paper is made smaller, and
            where and how large a digit was drawn matters.
        pen: Its width in pixels of the paper.

    Returns:
        Shape (28, 28): 255 is ink, 0 is paper, as in MNIST; divided by 255 it is what the network was trained on.

    Raises:
        UsageError: ``strokes`` are none, or the pen has an impossible width.

    >>> seven = [[(70, 60), (180, 60), (110, 200)]]
    >>> int(picture(seven).max()), int((picture(seven).max(axis=0) > 0).sum())
    (255, 17)
    """
    if not THINNEST <= pen <= THICKEST:
        raise UsageError(f"A pen is {THINNEST:g} to {THICKEST:g} pixels wide, not {pen:g}.")
    checked = check_strokes(strokes)
    if not centred:
        return shrunk(ink(checked, pen))
    paper = ink(fitted(checked, pen), pen)
    return shrunk(paper, mass_shift(paper))
