"""One record an operator of TFLite: all that the compiler, its tests and its documentation know about it by name."""

from __future__ import annotations

from dataclasses import dataclass

from edgerig.micro.ir.core import Node
from edgerig.micro.ir.operators.reader import Builder


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table of operators in ``docs/micro.md``; operators that have the same row share it.

    Attributes:
        int8: Whether int8 is supported: "yes", or nothing.
        float32: Likewise.
        remarks: What is supported, and where it ends.
    """

    int8: str = "yes"
    float32: str = "yes"
    remarks: str = ""


@dataclass(frozen=True)
class OperatorRecord:
    """An operator.

    Attributes:
        name: As TFLite's schema calls it, ``CONV_2D``.
        node: Its class of the representation, which has the shapes of its outputs and its multiply-accumulates; None
            where the reader of the network leaves nothing of the operator.
        read: Makes the node of what the file says, or refuses it; None without a node.
        row: Where the documentation has it.
        options: The table of its options in TFLite's schema, ``Conv2DOptions``; empty without options. For test files.
        version: The version in which it takes int8. For test files.
        per_channel: Positions of inputs that may have a scale for each channel.
    """

    name: str
    node: type[Node] | None
    read: Builder | None
    row: Row
    options: str = ""
    version: int = 2
    per_channel: tuple[int, ...] = ()
