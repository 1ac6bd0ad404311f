"""Writes a float TFLite network with operators that quantizers know, which compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Steps between a maximum and where it is subtracted.
MOST_STEPS = 8


def without_shifts(model: Any) -> None:
    """Feed each SOFTMAX what it was fed before its greatest value was subtracted.

    Frameworks write a softmax as exp(x - max(x)) / sum(exp(x - max(x))). litert-converter 0.5 makes SOFTMAX of the
    exponentials and their sum, and leaves the subtraction before it where a RESHAPE or TRANSPOSE lies between, as in
    attention. A softmax is the same whatever is subtracted from all its values (Goodfellow et al., "Deep Learning",
    4.1), LiteRT subtracts the maximum anyway, and quantizers know no REDUCE_MAX.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    codes = [code.builtinCode for code in model.operatorCodes]
    names = {
        code: name
        for name in ("MAXIMUM", "REDUCE_MAX", "RESHAPE", "SOFTMAX", "SUB")
        for code in [getattr(schema.BuiltinOperator, name)]
    }
    makers = {int(output): operator for operator in graph.operators for output in operator.outputs}

    def kind(operator: Any) -> str:
        return names.get(codes[operator.opcodeIndex], "") if operator is not None else ""

    def is_maximum(index: int) -> bool:
        for _ in range(MOST_STEPS):
            operator = makers.get(index)
            if kind(operator) == "REDUCE_MAX":
                return True
            if operator is None or kind(operator) not in ("RESHAPE", "MAXIMUM"):
                return False
            index = next((int(i) for i in operator.inputs if int(i) in makers), -1)
        return False

    changed = False
    for operator in graph.operators:
        subtraction = makers.get(int(operator.inputs[0])) if kind(operator) == "SOFTMAX" else None
        if subtraction is None or kind(subtraction) != "SUB":
            continue
        values, shift = (int(index) for index in subtraction.inputs)
        shapes = [list(graph.tensors[index].shape) for index in (values, shift, int(subtraction.outputs[0]))]
        along_the_axis = bool(shapes[1]) and shapes[1][-1] == 1
        if shapes[0] == shapes[2] and along_the_axis and not _activated(subtraction) and is_maximum(shift):
            operator.inputs, changed = [values], True
    if changed:
        _drop_unread(model, graph)


def negations_as_products(model: Any) -> None:
    """Multiply by -1 where NEG stands, as layer normalization has it: quantizers know MUL, and the values are the same.
    Of integers it stays."""
    from ai_edge_litert import schema_py_generated as schema

    graph, operators = model.subgraphs[0], schema.BuiltinOperator
    negations = [
        each
        for each in graph.operators
        if model.operatorCodes[each.opcodeIndex].builtinCode == operators.NEG
        and graph.tensors[int(each.inputs[0])].type == schema.TensorType.FLOAT32
    ]
    if not negations:
        return
    minus = schema.BufferT()
    minus.data = np.frombuffer(np.float32(-1).tobytes(), np.uint8)
    model.buffers.append(minus)
    factor = schema.TensorT()
    factor.name, factor.shape, factor.type = b"minus_one", [], schema.TensorType.FLOAT32
    factor.buffer = len(model.buffers) - 1
    graph.tensors.append(factor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operators.MUL
    code.version = 1
    model.operatorCodes.append(code)
    for each in negations:
        each.opcodeIndex = len(model.operatorCodes) - 1
        each.inputs = [int(each.inputs[0]), len(graph.tensors) - 1]
        each.builtinOptionsType, each.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()


def _activated(operator: Any) -> bool:
    return bool(operator.builtinOptions is not None and operator.builtinOptions.fusedActivationFunction)


def _drop_unread(model: Any, graph: Any) -> None:
    """Remove operators whose results nobody reads, and tensors that no operator has any more."""
    ends = {int(index) for index in (*graph.inputs, *graph.outputs)}
    before = -1
    while before != len(graph.operators):
        before = len(graph.operators)
        read = {int(index) for operator in graph.operators for index in operator.inputs} | ends
        graph.operators = [each for each in graph.operators if any(int(index) in read for index in each.outputs)]
    used = ends | {int(i) for each in graph.operators for i in (*each.inputs, *each.outputs) if i >= 0}
    numbers = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in sorted(used)]
    for operator in graph.operators:
        operator.inputs = [numbers[int(index)] for index in operator.inputs]
        operator.outputs = [numbers[int(index)] for index in operator.outputs]
    graph.inputs = [numbers[int(index)] for index in graph.inputs]
    graph.outputs = [numbers[int(index)] for index in graph.outputs]
    for signature in model.signatureDefs or []:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = numbers[int(entry.tensorIndex)]
