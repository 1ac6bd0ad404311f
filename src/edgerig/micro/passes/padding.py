"""Fuse explicit padding into the convolution that reads it."""

from __future__ import annotations

import dataclasses

from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Node, Pad, Padding, Program


def merge_padding(program: Program) -> None:
    """Fuse a PAD of rows and columns with zeros (in int8: the zero point) that only one convolution reads."""
    users, outputs = program.users(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        if not isinstance(node, Pad) or not _pads_image(node) or node.output in outputs:
            continue
        readers = users.get(node.output, [])
        if len(readers) != 1 or not isinstance(readers[0], Conv2D | DepthwiseConv2D):
            continue
        reader = readers[0]
        if reader.inputs[0] is not node.output or node.output in reader.inputs[1:]:
            continue
        old = reader.padding
        padding = Padding(
            old.top + node.before[1], old.left + node.before[2], old.bottom + node.after[1], old.right + node.after[2]
        )
        changes[reader] = dataclasses.replace(reader, inputs=[node.input, *reader.inputs[1:]], padding=padding)
        changes[node] = None
    program.replace(changes)


def _pads_image(node: Pad) -> bool:
    zero = node.input.zero_point if node.input.quantized else 0
    others = (node.before[0], node.after[0], *node.before[3:], *node.after[3:])
    return len(node.before) == 4 and not any(others) and node.value == zero
