"""From operators of a TFLite file to nodes: options and shapes checked, sizes and padding worked out."""

from __future__ import annotations

from edgerig.micro.arithmetic.overflow import check_overflow
from edgerig.micro.ir import RECORDS, Node
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.models.graph.types import Operator


def build(reader: OperatorReader) -> Node:
    """The node of an operator.

    Raises:
        ModelError: Its shapes or options contradict each other.
        CompileError: It uses an option that is not supported.
    """
    record = RECORDS[reader.op]
    assert record.read is not None, f"{reader.op} leaves no node"
    _check_channels(reader, record.per_channel)
    node = record.read(reader)
    shapes = node.output_shapes()
    if len(shapes) != len(node.outputs):
        reader.wrong(f"has {len(node.outputs)} outputs")
    for shape, output in zip(shapes, node.outputs, strict=True):
        reader.makes(shape, output)
    check_overflow(node)
    return node


def _check_channels(reader: OperatorReader, allowed: tuple[int, ...]) -> None:
    """Refuse scales of channels wherever an operator knows one scale of the whole tensor."""
    for position, value in enumerate((*reader.inputs, *reader.outputs)):
        if value is not None and value.per_channel and not (position in allowed and value.constant):
            reader.refuse(f"{value.name} has a scale for each of its channels, and one of all is needed here")


def unsupported(operator: Operator) -> str | None:
    """What is missing for an operator, with its position, or None."""
    name = name_of(operator)
    if name in RECORDS:
        return None
    return f"operator {operator.index} ({name}, {operator.name}) is not supported"


def name_of(operator: Operator) -> str:
    """TFLite's name of an operator, or its own where the schema has none."""
    return str(operator.options.get("custom_code") or operator.op)


#: Names of all operators, for messages.
SUPPORTED = tuple(sorted(RECORDS))
