"""Checks that an artifact is in the declared scheme, by its own tensors: the compiler's claim is not trusted."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator

from edgerig.artifact import Quantization
from edgerig.compilers.scales import scale_faults
from edgerig.errors import ArtifactCheckError
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.scheme import CONVERSIONS, FLOATS, INT8S, WEIGHTED, scheme_of
from edgerig.models.graph.types import Graph, Operator, Tensor

#: Operators of ONNX's form of quantization, which converts around float operators.
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
#: Types of activations in a full-integer network; 32 and 64 bits are shapes, indices, biases and accumulators.
INTEGERS = {
    "int8": frozenset({"int8", "uint8", "int32", "int64", "bool"}),
    "int16x8": frozenset({"int16", "int32", "int64", "bool"}),
}


#: Types of inputs and outputs that no quantizer changes.
WHOLE = frozenset({"int32", "int64", "bool"})


def check_artifact(
    graph: Graph, scheme: str, file: str, *, input_type: str | None = None, output_type: str | None = None
) -> None:
    """Raise unless all of ``graph``, read from ``file``, is in ``scheme``.

    Full-integer schemes (``int8``, ``int16x8``) may have float inputs and outputs only where ``input_type`` and
    ``output_type`` are ``float32``, and then only right before a QUANTIZE and after a DEQUANTIZE.

    Raises:
        ArtifactCheckError: Names the first tensor that is not in the scheme, and its operator.
    """
    for tensor in graph.tensors:
        _check_quantization(tensor, file)
    _check_io_type(graph, graph.inputs, input_type, file, "input")
    _check_io_type(graph, graph.outputs, output_type, file, "output")
    if scheme in INTEGERS:
        if any(operator.op in QDQ for operator in graph.operators):
            _check_qdq(graph, file)
        else:
            _check_integer(graph, scheme, file)
            _check_scales(graph, file)
    elif scheme in ("float16", "dynamic"):
        _check_weights(graph, scheme, file)
    actual = scheme_of(graph)
    if actual != scheme:
        raise ArtifactCheckError(
            f"{file} should be {scheme} and is {actual}.", "Does the network have an operator that can be quantized?"
        )


def check_mixed(graph: Graph, float_tensors: Collection[str], file: str) -> None:
    """Raise unless the operators that give ``float_tensors`` read and give float32, and all others int8.

    Raises:
        ArtifactCheckError: Names the first tensor that is not, and its operator.
    """
    for tensor in graph.tensors:
        _check_quantization(tensor, file)
    missing = set(float_tensors)
    constants = constant_tensors(graph)
    for operator in graph.operators:
        if operator.op in CONVERSIONS or all(index in constants for index in operator.inputs):
            continue
        names = {graph.tensors[index].name for index in operator.outputs}
        wanted = "float32" if names & missing else "int8"
        allowed = frozenset({"float32", "int32", "int64", "bool"}) if wanted == "float32" else INTEGERS["int8"]
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and graph.tensors[index].dtype not in allowed:
                raise _still(graph.tensors[index], operator, wanted, file)
        missing -= names
    if missing:
        raise ArtifactCheckError(f"{file} has no operator that gives {sorted(missing)[0]!r}, which should be float32.")
    _check_scales(graph, file)


def _check_quantization(tensor: Tensor, file: str) -> None:
    quantization = tensor.quantization
    if quantization is None:
        return
    problem = _quantization_problem(quantization, tensor)
    if problem:
        raise ArtifactCheckError(f"{file}: the quantization of {_named(tensor)} is wrong: {problem}.")


def _quantization_problem(quantization: Quantization, tensor: Tensor) -> str | None:
    scales, zeros = len(quantization.scales), len(quantization.zero_points)
    if quantization.axis is not None and scales > 1:
        if not 0 <= quantization.axis < len(tensor.shape):
            return f"its axis is {quantization.axis} and the shape is {list(tensor.shape)}"
        channels = tensor.shape[quantization.axis]
        if scales != channels:
            return f"it has {scales} scales for {channels} channels"
    elif scales > 1:
        return f"it has {scales} scales and no axis"
    if zeros not in (0, scales):
        return f"it has {zeros} zero points for {scales} scales"
    if not all(math.isfinite(scale) and scale >= 0 for scale in quantization.scales):
        return "a scale is negative or not a number"
    return None


def _check_io_type(graph: Graph, indices: Iterable[int], dtype: str | None, file: str, what: str) -> None:
    for tensor in (graph.tensors[index] for index in indices):
        # Indices and truth values have no scale, and stay what they are.
        unchanged = tensor.quantization is None and tensor.dtype in WHOLE
        if dtype is not None and tensor.dtype != dtype and not unchanged:
            raise ArtifactCheckError(f"{file}: the {what} {_named(tensor)} is {tensor.dtype}, and should be {dtype}.")


def _check_integer(graph: Graph, scheme: str, file: str) -> None:
    allowed = INTEGERS[scheme]
    ends = {*graph.inputs, *graph.outputs}
    # Conversions come last, so that the error names the operator beside them which the quantizer left in float.
    for operator, tensor in sorted(_used(graph), key=lambda pair: pair[0].op in CONVERSIONS):
        if tensor.index in ends and tensor.dtype in ("float32", "uint8") and operator.op in CONVERSIONS:
            continue
        if tensor.dtype in FLOATS or (not tensor.constant and tensor.dtype not in allowed):
            raise _still(tensor, operator, scheme, file)
        if tensor.dtype in ("int8", "uint8", "int16") and tensor.quantization is None:
            raise ArtifactCheckError(f"{file}: {_named(tensor)} of {_called(operator)} has no scale.")
    for operator, weight in _weights(graph):
        if weight.constant and weight.dtype not in INT8S:
            raise _still(weight, operator, scheme, file)


def _check_scales(graph: Graph, file: str) -> None:
    fault = next(scale_faults(graph), None)
    if fault is not None:
        raise ArtifactCheckError(
            f"{file} would compute something else than the float network: {fault}.",
            "The quantizer does not know that operator here: replace that layer, or take another scheme.",
        )


def _check_qdq(graph: Graph, file: str) -> None:
    """In ONNX's QDQ form an operator is quantized if both its activation and its weight come dequantized."""
    makers = _makers(graph)
    for operator in graph.operators:
        places = WEIGHTED.get(operator.op)
        if places is None or operator.op.startswith(("QLinear", "QGemm")) or operator.op.endswith("Integer"):
            continue
        for position in places:
            if position >= len(operator.inputs) or operator.inputs[position] < 0:
                continue
            index = operator.inputs[position]
            maker = makers.get(index)
            source = graph.tensors[maker.inputs[0]] if maker is not None and maker.op == "DequantizeLinear" else None
            if source is None or source.dtype not in INT8S:
                raise _still(graph.tensors[index], operator, "int8", file)


def _check_weights(graph: Graph, scheme: str, file: str) -> None:
    wanted = frozenset({"float16"}) if scheme == "float16" else INT8S
    makers = _makers(graph)
    for operator, weight in _weights(graph):
        maker = makers.get(weight.index)
        if maker is not None and maker.op in CONVERSIONS:
            weight = graph.tensors[maker.inputs[0]]
        if weight.constant and weight.dtype not in wanted:
            raise _still(weight, operator, scheme, file)
    for operator, tensor in _used(graph):
        if scheme == "dynamic" and not tensor.constant and tensor.dtype in INT8S:
            raise _still(tensor, operator, scheme, file)


def _used(graph: Graph) -> Iterator[tuple[Operator, Tensor]]:
    for operator in graph.operators:
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0:
                yield operator, graph.tensors[index]


def _weights(graph: Graph) -> Iterator[tuple[Operator, Tensor]]:
    for operator in graph.operators:
        position = WEIGHTED.get(operator.op, (0, len(operator.inputs)))[1]
        if position < len(operator.inputs) and operator.inputs[position] >= 0:
            yield operator, graph.tensors[operator.inputs[position]]


def _makers(graph: Graph) -> dict[int, Operator]:
    return {output: operator for operator in graph.operators for output in operator.outputs}


def _still(tensor: Tensor, operator: Operator, scheme: str, file: str) -> ArtifactCheckError:
    kind = "weight" if tensor.constant else "activation"
    return ArtifactCheckError(
        f"{file} should be {scheme}, but the {kind} {_named(tensor)} of {_called(operator)} is {tensor.dtype}.",
        f"The quantizer does not know how to quantize {operator.op} here: replace that layer, or take another scheme.",
    )


def _named(tensor: Tensor) -> str:
    return f"{tensor.name!r} (tensor {tensor.index})"


def _called(operator: Operator) -> str:
    return f"operator {operator.index} ({operator.op})"
