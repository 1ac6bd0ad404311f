"""UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from edgerig.micro.ir.core import Node, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row

#: The gates in the order of TFLite's inputs.
GATES = ("input", "forget", "cell", "output")
#: Positions of TFLite's inputs: weights of the input and of the state, peepholes, biases, projection, states, norms.
_WEIGHTS, _RECURRENT, _PEEPHOLES, _BIASES, _PROJECTION, _STATE, _CELL, _NORMS = 1, 5, 9, 12, 16, 18, 19, 20
#: The gates that may have a peephole, in the order of TFLite's inputs.
_LOOKING = ("input", "forget", "output")
#: Exponents that LiteRT has a tanh of the int16 cell state for.
_CELL_EXPONENTS = range(-15, -8)


@dataclass(frozen=True)
class Gate:
    """Weights (units, features) of the input, (units, outputs) of the last output, and the bias (units).

    ``peephole``: weights (units) of the cell, where it looks at it.
    """

    weights: Value
    recurrent: Value
    bias: Value
    peephole: Value | None = None

    @property
    def values(self) -> tuple[Value, ...]:
        """All that it has."""
        return (self.weights, self.recurrent, self.bias, *([self.peephole] if self.peephole else []))


@dataclass(frozen=True)
class Projection:
    """Weights (outputs, units) and bias (outputs) that make the output of the cells; within ``clip`` of 0, if not 0."""

    weights: Value
    bias: Value | None
    clip: float

    @property
    def values(self) -> tuple[Value, ...]:
        """All that it has."""
        return (self.weights, *([self.bias] if self.bias else []))


@dataclass(eq=False)
class SequenceLstm(Node):
    """A long short-term memory over the steps of one sequence, without normalization.

    Each step: ``cell = forget * cell + input * tanh(...)`` and ``output = output gate * tanh(cell)``, of which a
    projection makes the output; gates are sigmoids of weighted input and last output, and of the cell where they have a
    peephole: input and forget gate of the last one, the output gate of the new. Without the input gate, ``1 - forget``
    takes its place.

    Inputs:
        The sequence (1, steps, features) or (steps, 1, features), what the gates have, and last the states: output
        (1, outputs) and cell (1, units), which it changes.

    Attributes:
        gates: By their names in `GATES`.
        projection: Of floats; None where the output is that of the cells.
        cell_clip: The cell stays within this of 0; 0 for no limit.
        hidden: Scale and zero point of the int8 output as it is computed; None for floats.
        cell_exponent: The int16 cell has the scale ``2**cell_exponent``.
    """

    op: ClassVar[str] = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    gates: dict[str, Gate] = field(default_factory=dict)
    projection: Projection | None = None
    cell_clip: float = 0.0
    hidden: tuple[float, int] | None = None
    cell_exponent: int = 0

    @property
    def state(self) -> Value:
        """The last output."""
        return self.inputs[-2]

    @property
    def cell(self) -> Value:
        """The cell's content."""
        return self.inputs[-1]

    @property
    def units(self) -> int:
        """Cells."""
        return self.gates["forget"].weights.shape[0]

    @property
    def output_size(self) -> int:
        """Numbers of each output."""
        return self.projection.weights.shape[0] if self.projection else self.units

    @property
    def features(self) -> int:
        """Numbers of each input."""
        return self.input.shape[2]

    @property
    def steps(self) -> int:
        """Length of the sequence."""
        return self.input.shape[0] * self.input.shape[1]

    @property
    def macs(self) -> int:
        projected = self.units * self.output_size if self.projection else 0
        return self.steps * (self.units * len(self.gates) * (self.features + self.output_size) + projected)

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((*self.input.shape[:2], self.output_size),)


def lstm(reader: OperatorReader) -> Node:
    """Reads UNIDIRECTIONAL_SEQUENCE_LSTM."""
    value, state, cell = reader.rank(reader.input(), 3), reader.input(_STATE), reader.input(_CELL)
    if 1 not in value.shape[:2] or value.shape[1 if reader.option("time_major", False) else 0] != 1:
        reader.refuse(f"its batch is not 1: {list(value.shape)}; only single sequences are supported")
    for what, positions, floats in (
        ("peephole connections", range(_PEEPHOLES, _BIASES), True),
        ("a projection", range(_PROJECTION, _STATE), True),
        ("layer normalization", range(_NORMS, len(reader.inputs)), False),
    ):
        there = any(reader.optional(position) is not None for position in positions)
        if there and not (floats and value.dtype == "float32"):
            reader.refuse(f"it has {what}" + (f" in {value.dtype}, which is known of float32" if floats else ""))
    if not (state.variable and cell.variable):
        reader.refuse("its states are not kept from one inference to the next")
    if reader.option("fused_activation_function", "NONE") != "TANH":
        reader.refuse("the activation of its cell is not TANH")
    clip = float(reader.option("cell_clip", 0.0))
    if not math.isfinite(clip) or clip < 0:
        reader.wrong(f"limits its cell to {clip}")
    gates, projection = _gates(reader), _projection(reader)
    parts = [part for gate in gates.values() for part in gate.values]
    inputs = [value, *parts, *(projection.values if projection else ()), state, cell]
    node = SequenceLstm(reader.name, reader.position, inputs, [reader.output], gates, projection, clip)
    _check_sizes(reader, node)
    if value.dtype == "int8":
        _quantized(reader, node)
    return node


def _gates(reader: OperatorReader) -> dict[str, Gate]:
    """The gates; the input gate may be left out, as a whole."""
    gates = {}
    for index, name in enumerate(GATES):
        positions = (_WEIGHTS + index, _RECURRENT + index, _BIASES + index)
        if name == "input" and all(reader.optional(position) is None for position in positions):
            continue
        bias = reader.input(positions[2])
        if not bias.constant:
            reader.refuse(f"the bias of its {name} gate is not constant")
        # The cell's own content looks at no cell.
        peephole = reader.optional(_PEEPHOLES + _LOOKING.index(name)) if name in _LOOKING else None
        if peephole is not None and not peephole.constant:
            reader.refuse(f"the peephole of its {name} gate is not constant")
        gates[name] = Gate(reader.weights(positions[0]), reader.weights(positions[1]), bias, peephole)
    looking = {name for name, gate in gates.items() if gate.peephole is not None}
    if looking and looking != {name for name in gates if name != "cell"}:
        reader.wrong(f"has peepholes of {', '.join(sorted(looking))} alone")
    return gates


def _projection(reader: OperatorReader) -> Projection | None:
    if reader.optional(_PROJECTION) is None:
        if reader.optional(_PROJECTION + 1) is not None:
            reader.wrong("has the bias of a projection, and no projection")
        return None
    weights, bias = reader.rank(reader.weights(_PROJECTION), 2), reader.optional(_PROJECTION + 1)
    clip = float(reader.option("proj_clip", 0.0))
    if not math.isfinite(clip) or clip < 0:
        reader.wrong(f"limits its projection to {clip}")
    if bias is not None and (not bias.constant or bias.dtype != weights.dtype or bias.elements != weights.shape[0]):
        reader.refuse(f"the bias of its projection is {bias.dtype} {list(bias.shape)}")
    return Projection(weights, bias, clip)


def _check_sizes(reader: OperatorReader, node: SequenceLstm) -> None:
    units, outputs, features = node.units, node.output_size, node.features
    kinds = ("int8", "int8", "int32", "int16") if node.input.dtype == "int8" else ("float32",) * 4
    for name, gate in node.gates.items():
        shapes = tuple(part.shape for part in gate.values)
        if shapes != ((units, features), (units, outputs), (units,), (units,))[: len(shapes)]:
            reader.wrong(f"has a {name} gate of {', '.join(str(list(shape)) for shape in shapes)}")
        types = tuple(part.dtype for part in gate.values)
        if types != (kinds[0], kinds[1], kinds[2], kinds[0])[: len(types)]:
            reader.refuse(f"its {name} gate is {', '.join(types)}")
    if node.projection and (node.projection.weights.shape[1], node.projection.weights.dtype) != (units, kinds[0]):
        reader.wrong(f"has a projection {list(node.projection.weights.shape)} of {units} units")
    if node.state.elements != outputs or node.cell.elements != units:
        reader.wrong(f"has states {list(node.state.shape)} and {list(node.cell.shape)} of {units} units")
    dtypes = node.input.dtype, node.state.dtype, node.output.dtype, node.cell.dtype
    if dtypes != (kinds[0], kinds[0], kinds[0], kinds[3]):
        reader.refuse(f"it mixes {', '.join(dtypes)}; int8 has a cell of int16")


def _quantized(reader: OperatorReader, node: SequenceLstm) -> None:
    """What the int8 kernel needs: a cell whose scale is a power of two, and the scale of the output."""
    within = reader.intermediates[4] if len(reader.intermediates) == 5 else None
    if within is None or within.quantization is None or within.per_channel:
        reader.refuse("it does not say how its output is quantized within (the fifth of its intermediate tensors)")
    node.hidden = within.scale, within.zero_point
    if (node.state.scale, node.state.zero_point) != (node.output.scale, node.output.zero_point):
        reader.refuse("its state and its output have different scales or zero points")
    exponent = math.log2(node.cell.scale)
    node.cell_exponent = round(exponent)
    if abs(exponent - node.cell_exponent) > 1e-3 or node.cell_exponent not in _CELL_EXPONENTS or node.cell.zero_point:
        reader.refuse(f"the scale of its cell is {node.cell.scale:g}; a power of two from 2**-15 to 2**-9 is needed")


RECORDS = (
    OperatorRecord(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", SequenceLstm, lstm,
        Row(
            remarks="one sequence, with or without input gate; projection and peepholes in float32; no layer "
            "normalization; its states last from one inference to the next; int8 with a cell of int16"
        ),
        "UnidirectionalSequenceLSTMOptions", version=3,
    ),
)  # fmt: skip
