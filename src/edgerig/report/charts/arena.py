"""The plan of an arena: which buffer occupies which bytes during which layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from edgerig.measure.firmware import ArenaBuffer
from edgerig.report.charts.frame import Box, axes
from edgerig.report.charts.scales import Linear
from edgerig.report.charts.svg import Drawing, element

WIDTH, HEIGHT = 720.0, 300.0
_BOX = Box(64, 28, 706, 256)
_COLOURS = 6


def arena(buffers: Sequence[ArenaBuffer]) -> Markup | None:
    """A rectangle for each buffer, over the layers that need it and the bytes that it takes; None without buffers.

    The line above is what the buffers of a layer take together: where the rectangles reach higher, there are gaps that
    the plan could not fill.
    """
    if not buffers:
        return None
    layers = max(buffer.last for buffer in buffers) + 1
    top = max(buffer.offset + buffer.bytes for buffer in buffers)
    x = Linear(0, layers, _BOX.left, _BOX.right, 8)
    y = Linear(0, top * 1.04, _BOX.bottom, _BOX.top, 4)
    drawing = Drawing(WIDTH, HEIGHT, f"The plan of the arena: {len(buffers):,} buffers over {layers:,} layers")
    axes(drawing, _BOX, x, y, x_unit="", y_unit="B", x_title="layer, in order of execution", y_title="address")
    drawing.add("g", *(_rectangle(buffer, index, x, y) for index, buffer in enumerate(buffers)), class_="buffers")
    used = in_use(buffers, layers)
    steps = "".join(f"H{x(layer):.1f}V{y(now):.1f}" for layer, (_, now) in enumerate(pairwise(used), start=1))
    path = f"M{x(0):.1f} {y(used[0]):.1f}{steps}H{x(layers):.1f}"
    drawing.add("path", d=path, class_="mark", fill="none", data_tip="in use, all buffers of a layer together")
    return drawing.render()


def in_use(buffers: Sequence[ArenaBuffer], layers: int) -> list[int]:
    """Bytes that some buffer takes in each of ``layers`` layers; where two lie over one another, they count once."""
    alive: list[list[ArenaBuffer]] = [[] for _ in range(layers)]
    for buffer in sorted(buffers, key=lambda buffer: buffer.offset):
        for layer in range(buffer.first, min(buffer.last, layers - 1) + 1):
            alive[layer].append(buffer)
    return [_covered(now) for now in alive]


def _covered(buffers: Sequence[ArenaBuffer]) -> int:
    """Bytes that at least one of them takes; they are in the order of their offsets."""
    covered = end = 0
    for buffer in buffers:
        covered += max(0, buffer.offset + buffer.bytes - max(end, buffer.offset))
        end = max(end, buffer.offset + buffer.bytes)
    return covered


def _rectangle(buffer: ArenaBuffer, index: int, x: Linear, y: Linear) -> str:
    end = buffer.offset + buffer.bytes
    layers = f"layer {buffer.first}" if buffer.first == buffer.last else f"layers {buffer.first} to {buffer.last}"
    return element(
        "rect",
        x=x(buffer.first),
        y=y(end),
        width=x(buffer.last + 1) - x(buffer.first),
        height=y(buffer.offset) - y(end),
        class_=f"s{index % _COLOURS}",
        data_tip=f"{buffer.name}\n{buffer.bytes:,} B from {buffer.offset:,}\n{layers}",
    )
