"""Fuse a stand-alone RELU into its producer."""

from __future__ import annotations

import dataclasses

from edgerig.micro.ir import Binary, Node, Pool2D, Program, Relu, Weighted


def merge_activations(program: Program) -> None:
    """Fuse RELU, RELU6 and RELU_N1_TO_1 into a convolution, dense layer, sum or pooling that nothing else reads.

    For integers both sides must have one scale and zero point: clamping then changes only values outside of its limits.
    """
    users, outputs = program.users(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        if not isinstance(node, Weighted | Binary | Pool2D) or node.activation != "NONE":
            continue
        readers = users.get(node.output, [])
        if len(readers) != 1 or not isinstance(readers[0], Relu) or node.output in outputs:
            continue
        clamp = readers[0]
        if clamp.output.dtype == "float32" or clamp.output.quantization == node.output.quantization:
            changes[node] = dataclasses.replace(node, activation=clamp.activation, outputs=list(clamp.outputs))
            changes[clamp] = None
    program.replace(changes)
