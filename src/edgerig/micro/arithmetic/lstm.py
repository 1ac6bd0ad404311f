"""Multipliers and biases of an int8 LSTM, as PopulateQuantizedLstmParams8x8_16 of TensorFlow Lite works them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.requantize import quantize_multiplier
from edgerig.micro.ir.operators.lstm import SequenceLstm

#: Gates are summed up as int16 with 3 integer bits.
_GATE_SCALE = np.float32(2.0**-12)


@dataclass(frozen=True)
class GateScales:
    """Of one gate; zero points are folded into the biases, of which the state has one, too.

    Attributes:
        bias: int32, ``bias - input_zero_point * sum(weights)`` of each unit.
        recurrent_bias: int32, ``-state_zero_point * sum(recurrent)``.
        scale: Multiplier and exponent of sums over the input.
        recurrent: Likewise over the last output.
    """

    bias: NDArray[np.int32]
    recurrent_bias: NDArray[np.int32]
    scale: tuple[int, int]
    recurrent: tuple[int, int]


def gate_scales(node: SequenceLstm, name: str) -> GateScales:
    """The integer parameters of the gate ``name``, in single precision as LiteRT has them.

    Raises:
        CompileError: A sum could overflow 32 bits.
    """
    gate, source, state = node.gates[name], node.input, node.state
    scales = (np.float32(value.scale) for value in (source, gate.weights, state, gate.recurrent))
    x, weights, y, recurrent = scales
    bias = gate.bias.array.astype(np.int64) - source.zero_point * gate.weights.array.sum(1, np.int64)
    recurrent_bias = -state.zero_point * gate.recurrent.array.sum(1, np.int64)
    first = quantize_multiplier(float(weights * x / _GATE_SCALE))
    second = quantize_multiplier(float(recurrent * y / _GATE_SCALE))
    for constant, matrix, scale in ((bias, gate.weights, first), (recurrent_bias, gate.recurrent, second)):
        reach = np.abs(constant) + np.abs(matrix.array.astype(np.int64)).sum(1) * 128
        if (reach << max(scale[1], 0) >= 1 << 31).any():
            raise CompileError(f"A sum of the {name} gate of {node.where()} may overflow 32 bits.", "Check its scales.")
    return GateScales(bias.astype(np.int32), recurrent_bias.astype(np.int32), first, second)


def hidden_scale(node: SequenceLstm) -> tuple[int, int]:
    """Multiplier and exponent of the product of output gate and cell, both with 15 bits behind the point."""
    assert node.hidden is not None
    return quantize_multiplier(float(np.float32(2.0**-15 / float(np.float32(node.hidden[0])) * 2.0**-15)))


def integer_clip(node: SequenceLstm) -> int:
    """The limit of the cell in its own units; 0 for none."""
    return int(np.clip(np.float32(node.cell_clip) / np.float32(node.cell.scale), -32768, 32767))
