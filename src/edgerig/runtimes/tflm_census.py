"""What TFLite Micro runs of a network: each operator of the file with a kernel of its own, for want of delegates."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from edgerig.measure.census import Census, grouped
from edgerig.runtimes.litert_census import arithmetic

KERNELS = "TFLite Micro's reference kernels"
METHOD = "the operators of the file, which TFLite Micro runs one by one; types are those of the operators' tensors"


def census_of(data: bytes, schema: str) -> Census:
    """The census of the TFLite file ``data``, which was checked; ``schema`` is the generated module with ``ModelT``."""
    generated = import_module(schema)
    model = generated.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(generated.BuiltinOperator).items() if not name.startswith("_")}
    types = {code: _dtype(name) for name, code in vars(generated.TensorType).items() if not name.startswith("_")}

    def kinds(tensors: Any) -> list[Any]:
        return [types.get(graph.tensors[index].type) for index in tensors if index >= 0]

    rows = []
    for operator in graph.operators or []:
        code = model.operatorCodes[operator.opcodeIndex]
        # Old files have the code in a field of 7 bits.
        name = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
        rows.append((name, KERNELS, arithmetic(kinds(operator.inputs), kinds(operator.outputs))))
    return Census(operators=grouped(rows), method=METHOD)


def custom_operators(data: bytes, schema: str) -> tuple[list[int], list[tuple[str, list[int]]]]:
    """Outputs of the TFLite file ``data``; of each custom operator its name and outputs. All by numbers of tensors.

    Args:
        schema: The generated module with ``ModelT``.
    """
    model = import_module(schema).ModelT.InitFromPackedBuf(data, 0)
    graph, operators = model.subgraphs[0], []
    for operator in graph.operators or []:
        name = model.operatorCodes[operator.opcodeIndex].customCode
        if name:
            operators.append((name.decode(), list(map(int, operator.outputs))))
    return list(map(int, graph.outputs)), operators


def _dtype(name: str) -> Any:
    try:
        return np.dtype(name.lower())
    except TypeError:
        return None
