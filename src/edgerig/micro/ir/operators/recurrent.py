"""Operators with a state of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import Node, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row


@dataclass(eq=False)
class Svdf(Node):
    """A dense layer over the last inputs, each unit's weights a sum of ``rank`` products of two vectors.

    Each of units * rank filters makes one number of the input, remembers the last ``memory`` of them, and weighs these
    by time. (N. Alvarez and P. Nakkiran, Compressing deep neural networks using a rank-constrained topology, 2015.)

    Inputs:
        The input (1, features), weights of features (filters, features), weights of time (filters, memory), the bias
        (units) where there is one, and last the state (1, filters * memory), oldest first, which it changes.
    """

    op: ClassVar[str] = "SVDF"
    rank: int = 1
    activation: str = "NONE"

    @property
    def features(self) -> Value:
        """Weights (filters, features)."""
        return self.inputs[1]

    @property
    def time(self) -> Value:
        """Weights (filters, memory)."""
        return self.inputs[2]

    @property
    def bias(self) -> Value | None:
        """One number a unit; None for zeros."""
        return self.inputs[3] if len(self.inputs) == 5 else None

    @property
    def state(self) -> Value:
        """What the filters made of the last inputs."""
        return self.inputs[-1]

    @property
    def macs(self) -> int:
        return self.features.elements + self.time.elements

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((1, self.features.shape[0] // self.rank),)


def svdf(reader: OperatorReader) -> Node:
    """Reads SVDF."""
    value, features, time = reader.rank(reader.input(), 2), reader.weights(1), reader.weights(2)
    bias, state = reader.optional(3), reader.input(4)
    rank = int(reader.option("rank", 1))
    if value.shape[0] != 1:
        reader.refuse(f"its batch is {value.shape[0]}; only single samples are supported")
    filters = features.shape[0] if len(features.shape) == 2 else 0
    shapes = {"features": (filters, value.shape[1]), "time": (filters, time.shape[-1])}
    sized = features.shape == shapes["features"] and time.shape == shapes["time"] and state.elements == time.elements
    if rank < 1 or not filters or filters % rank or not sized:
        reader.wrong(
            f"has weights {list(features.shape)} and {list(time.shape)}, a state {list(state.shape)}, rank {rank}"
        )
    if bias is not None and (not bias.constant or bias.elements != filters // rank):
        reader.wrong(f"has a bias of {bias.elements} for {filters // rank} units")
    if not state.variable:
        reader.refuse("its state is not kept from one inference to the next")
    kinds = tuple(each.dtype for each in (value, features, time, state, reader.output))
    if kinds not in (("float32",) * 5, ("int8", "int8", "int16", "int16", "int8")):
        reader.refuse(f"it mixes {', '.join(kinds)}; int8 has weights of time and a state of int16")
    activation = reader.activation()
    if activation not in ("NONE", "RELU") or (value.dtype == "int8" and activation != "RELU"):
        reader.refuse(f"its fused activation is {activation}; int8 has RELU")
    return Svdf(*reader.parts(), rank, activation)


RECORDS = (
    OperatorRecord(
        "SVDF", Svdf, svdf, Row(remarks="its state lasts from one inference to the next; int8 with a state of int16"),
        "SVDFOptions", version=3,
    ),
)  # fmt: skip
