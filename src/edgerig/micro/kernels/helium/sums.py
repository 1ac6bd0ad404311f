"""ADD and SUB of int8 tensors by Helium, where two factors are exact for all pairs of bytes: 2.5 instructions each."""

from __future__ import annotations

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Node, Sub
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.elementwise.elementwise import AddBytes, add_constants
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.scaling import NEEDS
from edgerig.micro.kernels.refusals import Refusal


class AddVectors(AddBytes):
    """What `AddBytes` takes, four elements at a time."""

    name = "helium-add"
    needs = NEEDS

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub)
        factors = add_constants(node)
        assert not isinstance(factors, Refusal)
        add = context.struct("add", "er_mve_add_factors", initializer(factors))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        return calling(f"er_mve_add(&{add}, {x0}, {x1}, {y}, {node.output.elements});", "er_mve_add.h", "er_mve_add.S")
