"""A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND is a dilated one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from edgerig.errors import CompileError
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Node, Pad, Padding, Program, Reshape, Slice, Value
from edgerig.micro.ir.operators.batches import BatchToSpace, SpaceToBatch


def dilate(program: Program) -> None:
    """Fold what deals pixels out to a batch into the convolution of that batch; no other may have one.

    What is left of it is parted into padding or cutting, and moving.

    Raises:
        CompileError: A convolution of a batch of more than one image is left.
    """
    users, makers, outputs = program.users(), program.makers(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        if isinstance(node, BatchToSpace):
            chain = _chain(node, users, makers)
            if chain and not any(value in outputs for part in chain[:-1] for value in part.outputs):
                changes.update(_dilated(chain))
    program.replace(changes)
    program.nodes = [part for node in program.nodes for part in _parts(node)]
    for node in program.nodes:
        if isinstance(node, Conv2D | DepthwiseConv2D) and node.input.shape[0] != 1:
            raise CompileError(
                f"{node.where()} cannot be compiled: its batch is {node.input.shape[0]}; "
                "only single samples are supported."
            )


def _chain(end: BatchToSpace, users: Mapping[Value, Sequence[Node]], makers: Mapping[Value, Node]) -> list[Node]:
    """SPACE_TO_BATCH_ND, the convolution, ``end``, with an axis put in and out around it if they have one axis only.

    Empty if the operators before ``end`` are others, or are read by others, too.
    """
    kinds: list[type[Node] | tuple[type[Node], ...]] = [(Conv2D, DepthwiseConv2D), SpaceToBatch]
    if len(end.block) == 1:
        kinds = [Reshape, kinds[0], Reshape, SpaceToBatch]
    chain: list[Node] = [end]
    for kind in kinds:
        maker = makers.get(chain[0].input)
        if not isinstance(maker, kind) or len(users[chain[0].input]) != 1:
            return []
        chain.insert(0, maker)
    return chain


def _dilated(chain: Sequence[Node]) -> dict[Node, Node | None]:
    """The dilated convolution in place of the chain; nothing if it is none."""
    first, middle, last = chain[0], chain[len(chain) // 2], chain[-1]
    assert isinstance(first, SpaceToBatch)
    assert isinstance(middle, Conv2D | DepthwiseConv2D)
    assert isinstance(last, BatchToSpace)
    before = [pad - cut for pad, cut in zip(first.before, last.before, strict=True)]
    after = [pad - cut for pad, cut in zip(first.after, last.after, strict=True)]
    plain = middle.stride == middle.dilation == (1, 1) and middle.padding.none
    if first.block != last.block or first.input.shape[0] != 1 or not plain or min(*before, *after) < 0:
        return {}
    if len(chain) == 3:
        convolution = dataclasses.replace(
            middle,
            inputs=[first.input, *middle.inputs[1:]],
            outputs=last.outputs,
            dilation=(first.block[0], first.block[1]),
            padding=Padding(before[0], before[1], after[0], after[1]),
        )
        return {first: None, middle: convolution, last: None}
    return _dilated_sequence(chain, before[0], after[0])


def _dilated_sequence(chain: Sequence[Node], before: int, after: int) -> dict[Node, Node | None]:
    """The same of a sequence (1, T, C), which is an image of one row or of one column for the convolution."""
    first, widen, middle, narrow, last = chain
    assert isinstance(first, SpaceToBatch)
    assert isinstance(middle, Conv2D | DepthwiseConv2D)
    batch, length, depth = first.output.shape
    if widen.output.shape == (batch, 1, length, depth):
        axis, dilation, padding = 1, (1, first.block[0]), Padding(left=before, right=after)
    elif widen.output.shape == (batch, length, 1, depth):
        axis, dilation, padding = 2, (first.block[0], 1), Padding(top=before, bottom=after)
    else:
        return {}
    if narrow.output.shape != middle.output.shape[:axis] + middle.output.shape[axis + 1 :]:
        return {}
    image, result = _widened(widen.output, first.input, axis), _widened(middle.output, last.output, axis)
    convolution = dataclasses.replace(
        middle, inputs=[image, *middle.inputs[1:]], outputs=[result], dilation=dilation, padding=padding
    )
    return {
        first: None,
        widen: Reshape(widen.name, widen.position, [first.input], [image]),
        middle: convolution,
        narrow: None,
        last: Reshape(last.name, last.position, [result], last.outputs),
    }


def _widened(like: Value, value: Value, axis: int) -> Value:
    """A value as ``value`` with an axis of 1, by the name of ``like``."""
    shape = (*value.shape[:axis], 1, *value.shape[axis:])
    return Value(like.name, shape, value.dtype, value.quantization)


def _parts(node: Node) -> Iterator[Node]:
    """Padding and moving, or moving and cutting, where both are needed."""
    if isinstance(node, SpaceToBatch) and any((*node.before, *node.after)):
        value = node.input
        sides = ((0, *node.before, 0), (0, *node.after, 0))
        padded = Value(
            f"{value.name}/padded", (value.shape[0], *node.padded, value.shape[-1]), value.dtype, value.quantization
        )
        yield Pad(node.name, node.position, [value], [padded], *sides, value.zero_point if value.quantized else 0)
        nothing = (0,) * len(node.block)
        yield dataclasses.replace(node, inputs=[padded], before=nothing, after=nothing)
    elif isinstance(node, BatchToSpace) and any((*node.before, *node.after)):
        value, output = node.input, node.output
        whole = Value(
            f"{output.name}/whole", (output.shape[0], *node.whole, output.shape[-1]), output.dtype, output.quantization
        )
        nothing = (0,) * len(node.block)
        yield dataclasses.replace(node, outputs=[whole], before=nothing, after=nothing)
        begin = (0, *node.before, 0)
        yield Slice(node.name, node.position, [whole], [output], begin, (1,) * len(begin), output.shape, output.shape)
    else:
        yield node
