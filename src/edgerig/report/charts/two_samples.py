"""Histograms of two samples beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from edgerig.report.charts.svg import Drawing, element, text

#: Bins of a histogram of reals.
BINS = 24
_HEIGHT, _FLOOR, _TOP = 120.0, 96.0, 8.0
#: Of names below bars: the height of a row, the width of a letter of 12 px with the gap to the next name, rows at most.
_ROW, _LETTER, _MOST_ROWS = 14.0, 7.6, 4


def shares(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Edges of common bins, n + 1 of them, and the share of each sample in each bin.

    >>> edges, left, right = shares([0, 0, 1, 1], [1, 1])
    >>> left[[0, -1]].tolist(), right[[0, -1]].tolist()
    ([0.5, 0.5], [0.0, 1.0])
    """
    samples = [np.asarray(values, np.float64) for values in (first, second)]
    low, high = min(map(np.min, samples)), max(map(np.max, samples))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [np.histogram(values, edges)[0] / len(values) for values in samples]
    return edges, counts[0], counts[1]


def paired_bars(
    first: Sequence[float], second: Sequence[float], ticks: Sequence[str], label: str, width: float = 420.0
) -> Markup:
    """Pairs of bars on a common scale, the first sample's left of the second's.

    Args:
        ticks: Texts below: one for each pair, in as many rows as keep them apart; or fewer, spread over the width.
    """
    named = len(ticks) == len(first)
    rows = _rows(ticks, (width - 16) / len(first)) if named else 1
    drawing = Drawing(width, _HEIGHT + _ROW * (rows - 1), label)
    largest = max(*first, *second) or 1.0
    step = (width - 16) / len(first)
    drawn = []
    for index, pair in enumerate(zip(first, second, strict=True)):
        for series, value in enumerate(pair):
            height = (_FLOOR - _TOP) * value / largest
            left = 8 + step * index + series * step * 0.45
            tip = f"{value:.1%}"
            size = {"width": max(1.0, step * 0.42), "height": height}
            drawn.append(element("rect", x=left, y=_FLOOR - height, class_=f"s{series}", data_tip=tip, **size))
    drawing.add("g", *drawn, class_="bars")
    if named:
        texts = [_name(tick, index, step, rows, width) for index, tick in enumerate(ticks)]
    else:
        apart, anchors = (width - 16) / max(1, len(ticks) - 1), ["start", *["middle"] * (len(ticks) - 2), "end"]
        texts = [
            text(tick, 8.0 + apart * index, _FLOOR + 16, text_anchor=anchor)
            for index, (tick, anchor) in enumerate(zip(ticks, anchors, strict=True))
        ]
    drawing.add("g", *texts, class_="ticks")
    return drawing.render()


def _rows(names: Sequence[str], step: float) -> int:
    """In how many rows names stand below pairs that are ``step`` apart, so that none runs into the next."""
    return min(_MOST_ROWS, max(1, math.ceil(max(map(len, names)) * _LETTER / step)))


def _name(name: str, index: int, step: float, rows: int, width: float) -> str:
    """The name of a pair, below its middle, or as near as the drawing's sides let it be."""
    half = min(len(name) * _LETTER, width) / 2
    x = min(max(8 + step * (index + 0.5), half), width - half)
    return text(name, x, _FLOOR + 16 + _ROW * (index % rows), text_anchor="middle")
