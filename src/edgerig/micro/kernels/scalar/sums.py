"""int8 ADD and SUB without SIMD, by two tables: 14 to 17 instructions an element."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Binary, Node, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.elementwise.sum_tables import sum_tables, tables_fit
from edgerig.micro.kernels.refusals import Answer, Refusal
from edgerig.micro.kernels.scalar.cores import HERE, Core
from edgerig.micro.options import Options


class Sums(Kernel):
    """Two tensors of one shape. The tables take 2 KiB of flash."""

    node = Binary

    def __init__(self, core: Core) -> None:
        self.name, self.needs = f"{core.name}-sum", core.needs  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        return tables_fit(node, options)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub)
        tables = sum_tables(node)
        assert not isinstance(tables, Refusal)
        *both, shift = tables
        # By byte, where the tables begin at -128.
        names = [context.constant(f"side{index}", np.roll(table, 128)) for index, table in enumerate(both)]
        fields = [*names, shift, *activation_range(node.activation, node.output)]
        layer = context.struct("sum", "er_sc_sum", initializer(fields))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        body = f"er_sc_sum_run(&{layer}, {x0}, {x1}, {y}, {node.output.elements});"
        return Lowered(body, (HERE / "er_sc_sum.c",), ("er_sc_sum.h",))

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs)
