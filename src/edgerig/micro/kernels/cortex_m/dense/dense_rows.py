"""Dense layers that `dense` leaves: of any scale, number of inputs and activation, and of several vectors (int8).

Output by output, without pairs: 1.5 instructions a multiplication and 25 to 40 an output. So are convolutions that make
one pixel and have no fused ReLU, as squeeze and excitation has them.
"""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.dense.dense import is_dense
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options

_STEP = 8


class DenseRows(Kernel):
    """Matrix times vectors."""

    name = "dense-rows"
    needs = frozenset({"thumb2", "dsp"})
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, FullyConnected | Conv2D) or node.input.dtype != "int8" or node.output.dtype != "int8":
            return False
        if node.weights.dtype != "int8":
            return False
        return isinstance(node, FullyConnected) or is_dense(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected | Conv2D)
        scales, outputs = requantization(node), node.weights.shape[0]
        matrix = node.weights.array.reshape(outputs, -1).astype(np.int8)
        inputs, steps = matrix.shape[1], -(-matrix.shape[1] // _STEP)
        packed = np.pad(matrix, ((0, 0), (0, steps * _STEP - inputs)))
        numbers = [
            context.constant("weights", packed, stands_for=node.inputs[1:]),
            context.constant("bias", scales.bias),
            context.constant("multipliers", scales.multipliers),
            context.constant("exponents", scales.exponents),
            *(node.output.elements // outputs, inputs, outputs, steps, int(scales.once)),
            *(scales.zero_point, scales.low, scales.high),
        ]
        layer = context.struct("layer", "er_dense_rows", initializer(numbers))
        wide = context.scratch((3 if inputs % _STEP else 2) * _STEP * steps, "int16_t")
        call = f"er_dense_rows_layer(&{layer}, {context.read(node.input)}, {context.write(node.output)}, {wide});"
        return calling(call, "er_dense_rows.h", "er_dense_rows.c", "er_dense.S")
