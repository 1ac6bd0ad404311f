"""Dense layers and convolutions whose window is the whole image, float: four outputs at a time.

Instructions counted on the simulated STM32F746: 1.16 per multiplication and 3 per output; the outputs that are left
over, one by one, 1.5 per multiplication.
"""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import finite_range
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import Conv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.dense.dense import is_dense
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options


class DenseFloat(Kernel):
    """Matrix times vector."""

    name = "dense-4x1-f32"
    needs = frozenset({"thumb2", "fpu"})
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, FullyConnected | Conv2D):
            return False
        floats = all(value.dtype == "float32" for value in (node.input, node.weights, node.output))
        return floats and is_dense(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        outputs = node.weights.shape[0]
        matrix = node.weights.array.reshape(outputs, -1).astype(np.float32)
        bias = np.zeros(outputs, np.float32) if node.bias is None else node.bias.array.reshape(-1).astype(np.float32)
        inputs, blocks = matrix.shape[1], outputs // 4
        x, y = context.read(node.input), context.write(node.output)
        stands_for = (node.weights, *((node.bias,) if node.bias is not None else ()))
        lines = []
        if blocks:
            grouped = matrix[: 4 * blocks].reshape(blocks, 4, inputs).transpose(0, 2, 1)
            stream = np.concatenate([bias[: 4 * blocks].reshape(blocks, 1, 4), grouped], 1)
            name = context.constant("blocks", stream, stands_for=stands_for)
            lines.append(f"er_dense_f32_blocks({name}, {x}, {y}, {blocks}, {inputs});")
        if outputs % 4:
            given = () if blocks else stands_for
            name = context.constant("single", matrix[4 * blocks :], stands_for=given)
            for row, output in enumerate(range(4 * blocks, outputs)):
                weights = f"{name} + {row * inputs}"
                lines.append(f"{y}[{output}] = er_dense_f32_sum({weights}, {x}, {inputs}, {c_float(bias[output])});")
        if node.activation != "NONE":
            low, high = finite_range(node.activation)
            lines.append(f"er_clamp_f32({y}, {outputs}, {c_float(low)}, {c_float(high)});")
        return calling("\n".join(lines), "er_dense_f32.h", "er_dense_f32.c", "er_dense_f32.S")
