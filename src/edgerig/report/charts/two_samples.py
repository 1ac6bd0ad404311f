"""Histograms of two samples beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from edgerig.report.charts.svg import Drawing, element, text

#: Bins of a histogram of reals.
BINS = 24
_HEIGHT, _FLOOR, _TOP = 120.0, 96.0, 8.0


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
        ticks: Texts below, spread over the whole width.
    """
    drawing = Drawing(width, _HEIGHT, label)
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
    apart = (width - 16) / max(1, len(ticks) - 1) if len(ticks) != len(first) else step
    offset = 8.0 if len(ticks) != len(first) else 8 + step / 2
    anchors = ["start", *["middle"] * (len(ticks) - 2), "end"] if len(ticks) != len(first) else ["middle"] * len(ticks)
    texts = [
        text(tick, offset + apart * index, _FLOOR + 16, text_anchor=anchor)
        for index, (tick, anchor) in enumerate(zip(ticks, anchors, strict=False))
    ]
    drawing.add("g", *texts, class_="ticks")
    return drawing.render()
