"""Cuts that stand alone go into the operator before them."""

from __future__ import annotations

import dataclasses

from edgerig.micro.ir import Binary, Pool2D, Program, Relu, Weighted


def merge_activations(program: Program) -> None:
    """A RELU and its kin behind a convolution, dense layer, sum or pooling that nothing else reads.

    For integers both sides must have one scale and zero point: the cut then changes nothing but what lies outside.
    """
    users = program.users()
    for node in list(program.nodes):
        if not isinstance(node, Weighted | Binary | Pool2D) or node.activation != "NONE":
            continue
        readers = users.get(node.output, [])
        if len(readers) != 1 or not isinstance(readers[0], Relu) or node.output in program.outputs:
            continue
        cut = readers[0]
        if cut.output.dtype == "float32" or cut.output.quantization == node.output.quantization:
            merged = dataclasses.replace(node, activation=cut.activation, outputs=list(cut.outputs))
            program.nodes = [merged if one is node else one for one in program.nodes if one is not cut]
