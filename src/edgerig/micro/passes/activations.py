"""Cuts that stand alone go into the operator before them."""

from __future__ import annotations

import dataclasses

from edgerig.micro.ir import Binary, Node, Pool2D, Program, Relu, Weighted


def merge_activations(program: Program) -> None:
    """A RELU and its kin behind a convolution, dense layer, sum or pooling that nothing else reads.

    For integers both sides must have one scale and zero point: the cut then changes nothing but what lies outside.
    """
    users, outputs = program.users(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        if not isinstance(node, Weighted | Binary | Pool2D) or node.activation != "NONE":
            continue
        readers = users.get(node.output, [])
        if len(readers) != 1 or not isinstance(readers[0], Relu) or node.output in outputs:
            continue
        cut = readers[0]
        if cut.output.dtype == "float32" or cut.output.quantization == node.output.quantization:
            changes[node] = dataclasses.replace(node, activation=cut.activation, outputs=list(cut.outputs))
            changes[cut] = None
    program.replace(changes)
