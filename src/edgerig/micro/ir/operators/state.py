"""State from one inference to the next."""

from __future__ import annotations

from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.reader import OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row


class ReadVariable(DataMovement):
    """Copies the state variable ``inputs[0]``."""

    op: ClassVar[str] = "READ_VARIABLE"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (self.input.shape,)


class AssignVariable(DataMovement):
    """Sets the state variable ``inputs[0]`` to ``inputs[1]``; no outputs."""

    op: ClassVar[str] = "ASSIGN_VARIABLE"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ()


class ShiftState(DataMovement):
    """Shifts the state variable ``inputs[0]`` along its first axis longer than 1 and puts ``inputs[1]`` at the end.

    The output is the variable's new content and lies in its memory.
    """

    op: ClassVar[str] = "PUSH"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (self.input.shape,)


def read_variable(reader: OperatorReader) -> Node:
    """Reads READ_VARIABLE."""
    return ReadVariable(*reader.parts())


def assign_variable(reader: OperatorReader) -> Node:
    """Reads ASSIGN_VARIABLE."""
    same(reader, reader.input(0), reader.input(1))
    if reader.input(0).shape != reader.input(1).shape:
        reader.wrong(f"sets {list(reader.input(0).shape)} to {list(reader.input(1).shape)}")
    return AssignVariable(*reader.parts())


_STATE = Row(remarks="state from one inference to the next")

RECORDS = (
    OperatorRecord("VAR_HANDLE", None, None, _STATE, "VarHandleOptions", version=1),
    OperatorRecord("READ_VARIABLE", ReadVariable, read_variable, _STATE, "ReadVariableOptions", version=1),
    OperatorRecord("ASSIGN_VARIABLE", AssignVariable, assign_variable, _STATE, "AssignVariableOptions", version=1),
    OperatorRecord("CALL_ONCE", None, None, _STATE, "CallOnceOptions", version=1),
)
