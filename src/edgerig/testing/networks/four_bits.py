"""int8 networks with weights of 4 bits, as litert-quantizer writes them: two to a byte, the first in the lower half."""

from __future__ import annotations

import numpy as np

from edgerig.testing.networks.tflite_builder import packed

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def with_four_bits(data: bytes, others: tuple[str, ...] = ()) -> bytes:
    """The int8 network ``data`` with the upper half of its weights' bits, by the same scales: from -8 to 7.

    ``others`` are operators whose first input are weights, too.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = codes[model.operatorCodes[operator.opcodeIndex].builtinCode]
            if name not in (*_WEIGHTED, *others):
                continue
            tensor = graph.tensors[operator.inputs[0 if name in others else 1]]
            if tensor.type != schema.TensorType.INT8:
                continue
            numbers = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.int8) >> 4
            pairs = np.pad(numbers, (0, numbers.size % 2)).view(np.uint8).reshape(-1, 2) & 15
            model.buffers[tensor.buffer].data = (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8)
            tensor.type = schema.TensorType.INT4
    return packed(model)
