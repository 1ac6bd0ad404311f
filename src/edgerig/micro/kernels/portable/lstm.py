"""UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

from typing import Any

from edgerig.micro.arithmetic.lstm import gate_scales, hidden_scale, integer_clip
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.lstm import SequenceLstm
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, Portable, struct


class LstmKernel(Portable):
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""

    name = "portable-lstm"
    node = SequenceLstm
    types = (("int8", "int8"), ("float32", "float32"))
    supports = "int8 with a cell of int16, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, SequenceLstm)
        kind = "s8" if node.input.dtype == "int8" else "f32"
        gates = {name: struct(**_gate(node, name, context)) for name in node.gates}
        numbers = _integers(node) if kind == "s8" else _reals(node, context)
        sizes = {"steps": node.steps, "features": node.features, "units": node.units}
        settings = context.struct("lstm", f"micro_lstm_{kind}", struct(**sizes, **numbers, **gates))
        pointers = [context.read(node.input), *map(context.write, (node.state, node.cell, node.output))]
        if kind == "f32":
            pointers.append(context.scratch(4 * node.units, "float") if node.projection else "0")
        call = f"micro_lstm_{kind}_run(&{settings}, {', '.join(pointers)});"
        sources = [f"micro_lstm_{kind}.c", "micro_lstm.h", *(["micro_curves_f32.c"] if kind == "f32" else [])]
        return Lowered(call, tuple(FOLDER / source for source in sources), ("micro_lstm.h",))


def _gate(node: SequenceLstm, name: str, context: Context) -> dict[str, Any]:
    """The fields of a gate in C."""
    gate = node.gates[name]
    fields: dict[str, Any] = {
        "weights": context.constant(f"{name}_weights", gate.weights.array, stands_for=(gate.weights,)),
        "recurrent": context.constant(f"{name}_recurrent", gate.recurrent.array, stands_for=(gate.recurrent,)),
    }
    if node.input.dtype == "float32":
        fields["bias"] = context.constant(f"{name}_bias", gate.bias.array, stands_for=(gate.bias,))
        if gate.peephole is not None:
            fields["peephole"] = context.constant(f"{name}_peephole", gate.peephole.array, stands_for=(gate.peephole,))
        return fields
    scales = gate_scales(node, name)
    return {
        **fields,
        "bias": context.constant(f"{name}_bias", scales.bias, stands_for=(gate.bias,)),
        "recurrent_bias": context.constant(f"{name}_recurrent_bias", scales.recurrent_bias),
        "multiplier": scales.scale[0],
        "exponent": scales.scale[1],
        "recurrent_multiplier": scales.recurrent[0],
        "recurrent_exponent": scales.recurrent[1],
    }


def _reals(node: SequenceLstm, context: Context) -> dict[str, Any]:
    """What all gates of a float one share."""
    fields: dict[str, Any] = {"outputs": node.output_size, "clip": float(node.cell_clip)}
    if node.projection is None:
        return fields
    weights, bias = node.projection.weights, node.projection.bias
    fields["projection"] = context.constant("projection", weights.array, stands_for=(weights,))
    if bias is not None:
        fields["projection_bias"] = context.constant("projection_bias", bias.array, stands_for=(bias,))
    return {**fields, "projection_clip": float(node.projection.clip)}


def _integers(node: SequenceLstm) -> dict[str, int]:
    """What all gates of an int8 one share."""
    assert node.hidden is not None
    multiplier, exponent = hidden_scale(node)
    return {
        "cell_exponent": node.cell_exponent,
        "clip": integer_clip(node),
        "multiplier": multiplier,
        "exponent": exponent,
        "zero": node.hidden[1],
    }
