"""What an MNN file says of its ends: their names, in the order of the network that it was made of.

MNN's own interface tells them in alphabetical order. A file is a FlatBuffer, of which these fields are read (source:
``schema/default/MNN.fbs`` and ``MNN.fbs``'s ``Op``)::

    Net 0: a mark of who made it  3: operators  4: names of outputs  7: names of tensors  11: an identity that is drawn
    Op 4: indices of its tensors  5: its type, 34 for an input
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from edgerig.errors import ModelError
from edgerig.files import sha256
from edgerig.models.graph.flat_table import DAMAGED, FlatTable

_MARK, _OPERATORS, _OUTPUTS, _TENSORS, _IDENTITY = 0, 3, 4, 7, 11
_OP_TENSORS, _OP_TYPE, _INPUT = 4, 5, 34
_NAMESPACE = uuid.UUID(int=0)
#: The mark of files that edgerig has made.
_EDGERIG = "edgerig"


def ends_of(data: bytes, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the inputs and of the outputs, in order.

    Raises:
        ModelError: ``data`` is no such file.
    """
    try:
        net = FlatTable.root(data)
        tensors = list(net.texts(_TENSORS))
        operators = [op for op in net.tables(_OPERATORS) if op.number(_OP_TYPE, "<i") == _INPUT]
        inputs = [tensors[index] for op in operators for index in op.numbers(_OP_TENSORS, "<I")]
        outputs = list(net.texts(_OUTPUTS))
    except DAMAGED as error:
        raise ModelError(f"{file} is no network of MNN: {error}.", "Is it complete?") from error
    if not inputs or not outputs:
        raise ModelError(f"{file} is no network of MNN: it names no {'output' if inputs else 'input'}.")
    return tuple(inputs), tuple(outputs)


def mark_for(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The mark of a network with ends of these types: MNN makes int32 of int64, and a file does not tell which were.

    >>> mark_for(["float32", "int64"], ["int64"])
    'edgerig-in1-out0'
    """
    wide = [f"-in{index}" for index, dtype in enumerate(inputs) if dtype == "int64"]
    wide += [f"-out{index}" for index, dtype in enumerate(outputs) if dtype == "int64"]
    return _EDGERIG + "".join(wide)


def wide_ends(data: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """Positions of the inputs and of the outputs that were int64, as `mark_for` has noted them."""
    try:
        begin, length = FlatTable.root(data).text_position(_MARK)
        mark, *words = data[begin : begin + length].decode().split("-")
    except DAMAGED:
        return frozenset(), frozenset()
    if mark != _EDGERIG:
        return frozenset(), frozenset()
    inputs, outputs = (
        frozenset(int(word[len(kind) :]) for word in words if word.startswith(kind) and word[len(kind) :].isdecimal())
        for kind in ("in", "out")
    )
    return inputs, outputs


def with_identity_of_content(data: bytes) -> bytes:
    """The file with an identity that follows from its content, where MNN's converter draws one: equal networks are
    equal files. A file of another layout stays as it is."""
    try:
        begin, length = FlatTable.root(data).text_position(_IDENTITY)
        former = data[begin : begin + length].decode()
        uuid.UUID(former)
    except DAMAGED:
        return data
    blank = data[:begin] + bytes(length) + data[begin + length :]
    return data[:begin] + str(uuid.uuid5(_NAMESPACE, sha256(blank))).encode() + data[begin + length :]
