"""UNIDIRECTIONAL_SEQUENCE_LSTM: floats, and int8 with gemmlowp's sigmoid and tanh of int16."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.lstm import gate_scales, hidden_scale, integer_clip
from edgerig.micro.arithmetic.requantize import RANGES, scale_by
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.lstm import SequenceLstm
from edgerig.micro.reference.operation import Array, Operation
from edgerig.micro.reference.softmax import rounding_divide

#: 1 as int16 without integer bits, and with 2.
_ONE, _ONE_OF_2 = 32767, 1 << 13
#: exp(-2**n) for n from -2 to 4, as int16 without integer bits.
_FACTORS = tuple(int(np.floor(np.exp(-(2.0**n)) * 32768 + 0.5)) for n in range(-2, 5))


def lstm(node: SequenceLstm, inputs: list[Array]) -> list[Array]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""
    state, cell = inputs[-2].reshape(-1), inputs[-1].reshape(-1)
    step = _real_step if inputs[0].dtype == np.float32 else _integer_step
    rows = []
    for row in inputs[0].reshape(node.steps, -1):
        step(node, row, state, cell)
        rows.append(state.copy())
    return [np.stack(rows).reshape(node.output.shape)]


def _real_step(node: SequenceLstm, row: Array, state: Array, cell: Array) -> None:
    sums = {
        name: gate.weights.array @ row + gate.recurrent.array @ state + gate.bias.array
        for name, gate in node.gates.items()
    }
    gates = {name: _real_gate(node, name, sums[name], cell) for name in ("input", "forget") if name in sums}
    into = gates.get("input", 1 - gates["forget"])
    cell[:] = _within(gates["forget"] * cell + into * np.tanh(sums["cell"]), node.cell_clip)
    hidden = _real_gate(node, "output", sums["output"], cell) * np.tanh(cell)
    if node.projection is not None:
        bias = node.projection.bias.array if node.projection.bias is not None else 0.0
        hidden = _within(node.projection.weights.array @ hidden + bias, node.projection.clip)
    state[:] = hidden


def _real_gate(node: SequenceLstm, name: str, total: Array, cell: Array) -> Array:
    peephole = node.gates[name].peephole
    return np.asarray(1 / (1 + np.exp(-(total if peephole is None else total + peephole.array * cell))))


def _within(values: Array, clip: float) -> Array:
    return np.clip(values, -clip, clip) if clip > 0 else values


def _integer_step(node: SequenceLstm, row: Array, state: Array, cell: Array) -> None:
    sums = {name: _sum(node, name, row, state) for name in node.gates}
    gates = {name: sigmoid(total) for name, total in sums.items() if name != "cell"}
    into = gates.get("input", _ONE - gates["forget"])
    kept = rounding_divide(gates["forget"] * cell.astype(np.int64), 15)
    new = rounding_divide(into * tanh(sums["cell"], 3), 30 + node.cell_exponent)
    total = _limited(_wrapped(kept) + _wrapped(new))
    clip = integer_clip(node)
    cell[:] = np.clip(total, -clip, clip) if clip > 0 else total
    assert node.hidden is not None
    hidden = gates["output"] * tanh(cell.astype(np.int64), 15 + node.cell_exponent)
    state[:] = np.clip(scale_by(hidden_scale(node), hidden) + node.hidden[1], *RANGES["int8"])


def _sum(node: SequenceLstm, name: str, row: Array, state: Array) -> Array:
    gate, scales = node.gates[name], gate_scales(node, name)
    first = gate.weights.array.astype(np.int64) @ row.astype(np.int64) + scales.bias
    second = gate.recurrent.array.astype(np.int64) @ state.astype(np.int64) + scales.recurrent_bias
    return _limited(_limited(scale_by(scales.scale, first)) + scale_by(scales.recurrent, second))


def sigmoid(x: Array) -> Array:
    """gemmlowp's logistic of int16 with 3 integer bits; the result has none."""
    above = _newton(exponential(-np.abs(x), 3))
    positive = _limited(above << 1)
    return np.where(x == 0, 1 << 14, np.where(x > 0, positive, _ONE - positive))


def tanh(x: Array, bits: int) -> Array:
    """gemmlowp's tanh of int16 with ``bits`` integer bits; the result has none."""
    size = _limited((_newton(exponential(-np.abs(x), bits + 1)) - _ONE_OF_2) << 2)
    return np.where(x == 0, 0, np.where(x < 0, -size, size))


def exponential(x: Array, bits: int) -> Array:
    """exp_on_negative_values of gemmlowp: int16, at most 0, with ``bits`` integer bits; the result has none."""
    quarter = 1 << (13 - bits)
    offset = (x & (quarter - 1)) - quarter
    result = _exp_between(_limited(offset << bits))
    for index, factor in enumerate(_FACTORS):
        exponent = index - 2
        if bits > exponent:
            bit = 1 << (15 - bits + exponent)
            result = np.where((offset - x) & bit, _product(result, np.int64(factor)), result)
    if bits > 5:
        result = np.where(x < -(32 << (15 - bits)), 0, result)
    return np.where(x == 0, _ONE, result)


def _exp_between(x: Array) -> Array:
    """exp on [-1/4, 0): a Taylor polynomial around -1/8."""
    a = x + (1 << 12)
    a2 = _product(a, a)
    a3, a4 = _product(a2, a), _product(a2, a2)
    term = rounding_divide(_product(rounding_divide(a4, 2) + a3, np.int64(10923)) + a2, 1)
    return _limited(28918 + _product(a + term, np.int64(28918)))


def _newton(x: Array) -> Array:
    """1 / (1 + x) of x in [0, 1] by Newton's division, twice as much with 2 integer bits."""
    half = (x + _ONE + 1) >> 1
    result = 23130 + _product(half, np.int64(-15420))
    for _ in range(3):
        result = result + _limited(_product(result, _ONE_OF_2 - _product(half, result)) << 2)
    return result


def _product(x: Array, y: Array | np.int64) -> Array:
    """SaturatingRoundingDoublingHighMul of int16."""
    return np.asarray(_limited((x * y + (1 << 14)) >> 15))


def _limited(x: Array) -> Array:
    return np.asarray(np.clip(x, *RANGES["int16"]))


def _wrapped(x: Array) -> Array:
    return np.asarray(x).astype(np.int16).astype(np.int64)


OPERATIONS: dict[type[Node], Operation] = {SequenceLstm: lstm}
