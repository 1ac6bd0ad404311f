"""A chain of layers computed band by band of rows, so that what lies between two of them is never there as a whole.

Each layer makes the rows that the next one needs for its band, and keeps those that the following band needs again:
they move to the front of a window of rows, and nothing is computed twice. A layer of a band is the same operator on
fewer rows, whose padding at the top and bottom is that of the first and the last band alone.

Patches of Lin, J. et al. (2021), MCUNetV2, compute such rows again; windows of rows are called line buffers elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgerig.micro.ir import (
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Fused,
    MaxPool2D,
    MoveRows,
    Node,
    Padding,
    Program,
    Value,
)

_Windowed = Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D
#: Where rows begin, so that every kernel can read them.
_ALIGNMENT = 8


@dataclass(frozen=True)
class _Rows:
    """Rows of one layer in one band: those of its output that are new, and those of its input that these need."""

    first: int
    end: int
    low: int
    high: int

    @property
    def none(self) -> bool:
        """The band needs no new rows of this layer."""
        return self.first == self.end


@dataclass(frozen=True)
class Stage:
    """A chain of nodes, and the rows of each layer in each band (``rows[layer][band]``)."""

    nodes: tuple[Node, ...]
    rows: tuple[tuple[_Rows, ...], ...]

    @property
    def source(self) -> Value:
        """What the first layer reads."""
        return self.nodes[0].input

    @property
    def output(self) -> Value:
        """What the last layer makes."""
        return self.nodes[-1].output

    @property
    def bands(self) -> int:
        """How many there are."""
        return len(self.rows[0])

    @property
    def calls(self) -> int:
        """Layer functions instead of one for each node."""
        return sum(not band.none for layer in self.rows for band in layer)

    @property
    def note(self) -> str:
        """What a user is told."""
        return (
            f"{len(self.nodes)} layers from operator {self.nodes[0].position} on go in {self.bands} bands of rows, "
            f"{self.calls} layer functions; nothing is computed twice."
        )

    def starts(self, layer: int) -> list[int]:
        """Row with which the window behind ``layer`` begins in each band."""
        starts, start, end = [], 0, 0
        for own, following in zip(self.rows[layer], self.rows[layer + 1], strict=True):
            start = start if following.none else max(start, min(following.low, end))
            starts.append(start)
            end = own.end
        return starts

    def window_rows(self, layer: int) -> int:
        """Rows of the window behind ``layer``."""
        return max(own.end - start for own, start in zip(self.rows[layer], self.starts(layer), strict=True))

    @property
    def windows(self) -> list[int]:
        """Bytes of each window."""
        last = len(self.nodes) - 1
        return [self.window_rows(layer) * row_bytes(self.nodes[layer].output) for layer in range(last)]

    @property
    def reads(self) -> list[int]:
        """Offset of the lowest byte of the source that each band reads."""
        lows = [band.low * row_bytes(self.source) for band in self.rows[0]]
        return [self.source.nbytes if band.none else low for band, low in zip(self.rows[0], lows, strict=True)]

    @property
    def writes(self) -> list[int]:
        """Offset behind the last byte of the output that is written in each band."""
        return [band.end * row_bytes(self.output) for band in self.rows[-1]]


def row_bytes(value: Value) -> int:
    """Bytes of a row of an image."""
    return value.nbytes // value.shape[1]


def chains(program: Program) -> list[list[Node]]:
    """Longest chains of layers that can go in bands, of two or more; each the only reader of the one before."""
    users, ends = program.users(), set(program.outputs)
    result: list[list[Node]] = []
    chain: list[Node] = []
    for node in program.nodes:
        follows = bool(chain) and node.inputs[:1] == chain[-1].outputs
        alone = follows and len(users.get(node.input, [])) == 1 and node.input not in ends
        if not _goes_in_bands(node):
            chain = []
        elif alone:
            chain.append(node)
        else:
            chain = [node]
            result.append(chain)
    return [chain for chain in result if len(chain) > 1]


def _goes_in_bands(node: Node) -> bool:
    parts = node.parts if isinstance(node, Fused) else (node,)
    values = (node.input, *node.outputs)
    return (
        all(isinstance(part, _Windowed) and _sees_the_image(part) for part in parts)
        and sum(not value.constant for value in node.inputs) == 1
        and not any(value.variable or value.constant or value.base for value in values)
        and all(
            len(value.shape) == 4 and value.shape[0] == 1 and row_bytes(value) % _ALIGNMENT == 0 for value in values
        )
    )


def _sees_the_image(node: _Windowed) -> bool:
    """Every row of windows; one that lies in the padding alone would need no row of the input."""
    last = (node.output.shape[1] - 1) * node.stride[0] - node.padding.top
    return node.padding.top < _reach(node) and last < node.input.shape[1]


def stage_of(nodes: Sequence[Node], height: int) -> Stage:
    """The stage whose last layer makes ``height`` rows in each band."""
    total = nodes[-1].output.shape[1]
    ends = [min(first + height, total) for first in range(0, total, height)]
    layers: list[tuple[_Rows, ...]] = []
    for node in reversed(nodes):
        bands: list[_Rows] = []
        first, needed = 0, list[int]()
        for end in ends:
            low, high = (0, needed[-1] if needed else 0) if first == end else _needed(node, first, end)
            bands.append(_Rows(first, end, low, high))
            needed.append(max(high, needed[-1] if needed else 0))
            first = end
        layers.insert(0, tuple(bands))
        ends = needed
    return Stage(tuple(nodes), tuple(layers))


def _needed(node: Node, first: int, end: int) -> tuple[int, int]:
    """Rows of the input that the rows of the output from ``first`` to ``end`` depend on."""
    if isinstance(node, Fused):
        for part in reversed(node.parts):
            first, end = _needed(part, first, end)
        return first, end
    assert isinstance(node, _Windowed)
    top, stride = node.padding.top, node.stride[0]
    return max(first * stride - top, 0), min((end - 1) * stride - top + _reach(node), node.input.shape[1])


def _reach(node: _Windowed) -> int:
    if isinstance(node, Conv2D | DepthwiseConv2D):
        return (node.kernel[0] - 1) * node.dilation[0] + 1
    return node.window[0]


def in_bands(program: Program, stage: Stage) -> Program:
    """The program with the layers of each band instead of those of the stage."""
    windows = [_window(stage, layer) for layer in range(len(stage.nodes) - 1)]
    values = [stage.source, *windows, stage.output]
    starts = [[0] * stage.bands, *(stage.starts(layer) for layer in range(len(windows))), [0] * stage.bands]
    nodes: list[Node] = []
    for band in range(stage.bands):
        for layer, node in enumerate(stage.nodes):
            rows, window, begin = stage.rows[layer][band], values[layer + 1], starts[layer + 1]
            if layer < len(windows) and band and begin[band] > begin[band - 1]:
                end = stage.rows[layer][band - 1].end
                if end > begin[band]:
                    nodes.append(_move(node, window, begin[band] - begin[band - 1], end - begin[band]))
            if rows.none:
                continue
            x = _part(values[layer], rows.low - starts[layer][band], rows.high - rows.low)
            y = _part(window, rows.first - begin[band], rows.end - rows.first)
            nodes.append(_band(node, rows.first, rows.end, x, y))
    first, gone = stage.nodes[-1], set(stage.nodes)
    replaced = [part for node in program.nodes for part in (nodes if node is first else [] if node in gone else [node])]
    return replace(program, nodes=replaced)


def _window(stage: Stage, layer: int) -> Value:
    value = stage.nodes[layer].output
    return _rows_of(value, f"rows of {value.name}", stage.window_rows(layer))


def _rows_of(value: Value, name: str, rows: int) -> Value:
    return Value(name, (1, rows, *value.shape[2:]), value.dtype, value.quantization)


def _part(value: Value, first: int, rows: int) -> Value:
    """Some rows of a value, in its memory."""
    part = _rows_of(value, value.name, rows)
    part.base, part.offset = value, first * row_bytes(value)
    return part


def _move(node: Node, window: Value, first: int, rows: int) -> MoveRows:
    return MoveRows(node.name, node.position, [_part(window, first, rows)], [_part(window, 0, rows)])


def _band(node: Node, first: int, end: int, x: Value, y: Value) -> Node:
    """The node for the rows of the output from ``first`` to ``end``, which ``x`` and ``y`` are."""
    if not isinstance(node, Fused):
        assert isinstance(node, _Windowed)
        top, stride = node.padding.top, node.stride[0]
        below = (end - 1) * stride - top + _reach(node) - node.input.shape[1]
        padding = Padding(max(top - first * stride, 0), node.padding.left, max(below, 0), node.padding.right)
        return replace(node, inputs=[x, *node.inputs[1:]], outputs=[y], padding=padding)
    parts: list[Node] = []
    for part in reversed(node.parts):
        low, high = _needed(part, first, end)
        inner = x if part is node.parts[0] else _rows_of(part.input, part.input.name, high - low)
        parts.insert(0, _band(part, first, end, inner, y))
        first, end, y = low, high, inner
    return Fused.of(*parts)
