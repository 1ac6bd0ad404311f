"""Requests over gRPC whose bytes before the numbers came before: neither read nor written as messages again.

What clients send again and again differs in its numbers alone. In a ``ModelInferRequest`` with raw contents these are
its last field, and a message of protobuf that is a whole message and one more field is that message with the field
added. So whatever has the same bytes before its numbers, and as many numbers, says the same of them. An answer is
likewise the message without its numbers, and a field for each output behind it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from edgerig.serve.tensors import NetworkTensors, Rows
from edgerig.serve.ways.open_inference.datatypes import bytes_of, dtype_of
from edgerig.serve.ways.open_inference.grpc_messages import fill

#: Bytes before the numbers of a message that is remembered, and how many are.
LONGEST, MOST = 4096, 256
#: The tags of ``raw_input_contents`` in a request, and of ``raw_output_contents`` in an answer: fields 7 and 6, bytes.
RAW_INPUT, RAW_OUTPUT = b"\x3a", b"\x32"


class KnownRequest(msgspec.Struct):
    """What the bytes of a request before its numbers say.

    Attributes:
        raw: Whether the numbers are in the network's own dtype. wanted: Positions of the outputs to answer.
        dtype, shape: Of the only input. first: Where its numbers begin.
        answers: For the outputs' shapes and dtypes that there were, what stands before the numbers of each of them in
            an answer.
        last: Of these what the last answer had.
    """

    raw: bool
    wanted: list[int]
    dtype: np.dtype[Any]
    shape: list[int]
    first: int
    answers: dict[tuple[Any, ...], list[bytes]] = {}
    last: tuple[tuple[Any, ...], list[bytes]] = ((), [])

    def rows(self, message: bytes) -> Rows:
        """The numbers of a message that begins with these bytes and is as long as the one that was learned."""
        return (np.frombuffer(message, self.dtype, -1, self.first).reshape(self.shape),)


class KnownRequests:
    """Remembers such requests for one network with one input; of others none.

    Args:
        name: What clients call the network. version: Of it.
    """

    def __init__(self, name: str, version: str, tensors: NetworkTensors) -> None:
        self._name, self._version, self._tensors = name, version, tensors
        #: Where numbers begin in messages of a length, as far as is known; and what stands before them, and the length.
        self._first: dict[int, int] = {}
        self._known: dict[tuple[int, bytes], KnownRequest] = {}

    def find(self, message: bytes) -> KnownRequest | None:
        """What is known of a message."""
        length = len(message)
        first = self._first.get(length)
        return None if first is None else self._known.get((length, message[:first]))

    def learn(self, message: bytes, request: Any, *, raw: bool, wanted: list[int]) -> None:
        """Remember a message that was read as ``request``, and found good."""
        # Whoever numbers requests sends each once.
        if not wanted or request.id or len(request.inputs) != 1 or len(request.raw_input_contents) != 1:
            return
        tensor, size = request.inputs[0], len(request.raw_input_contents[0])
        first = len(message) - size
        if first > LONGEST or not _numbers_last(message, size, type(request)):
            return
        dtype = dtype_of(tensor.datatype, tensor.name)
        if not dtype.isnative:
            return
        if len(self._known) >= MOST:
            self._known.clear()
            self._first.clear()
        known = KnownRequest(raw, wanted, dtype, list(tensor.shape), first)
        self._first[len(message)] = first
        self._known[len(message), message[:first]] = known

    def answer(self, known: KnownRequest, outputs: Rows, new: Any) -> bytes:
        """The bytes of an answer.

        Args:
            new: Makes an empty ``ModelInferResponse``.
        """
        arrays = [outputs[position] for position in known.wanted]
        key = tuple([(array.shape, array.dtype) for array in arrays])
        last, before = known.last
        # Comparing is quicker than looking up: dtypes are slow to hash.
        if key != last:
            before = known.answers.get(key) or self._learn_answer(known, key, outputs, new)
            known.last = key, before
        if len(arrays) == 1:
            return before[0] + bytes_of(arrays[0])
        return b"".join([part for head, array in zip(before, arrays, strict=True) for part in (head, bytes_of(array))])

    def _learn_answer(self, known: KnownRequest, key: tuple[Any, ...], outputs: Rows, new: Any) -> list[bytes]:
        message = new(model_name=self._name, model_version=self._version)
        fill(message, self._tensors, outputs, known.wanted, raw=True)
        sizes = [len(data) for data in message.raw_output_contents]
        message.ClearField("raw_output_contents")
        before = [RAW_OUTPUT + varint(size) for size in sizes]
        before[0] = message.SerializeToString() + before[0]
        if len(known.answers) < MOST:
            known.answers[key] = before
        return before


def _numbers_last(message: bytes, size: int, kind: Any) -> bool:
    """Whether the last field of a message are ``size`` bytes of raw contents, and all before it is a message itself."""
    from google.protobuf.message import DecodeError

    tag = RAW_INPUT + varint(size)
    before = len(message) - size - len(tag)
    if before < 0 or message[before : before + len(tag)] != tag:
        return False
    try:
        return not kind.FromString(message[:before]).raw_input_contents
    except DecodeError:
        return False


def varint(number: int) -> bytes:
    """A number as protobuf writes it, 7 bits a byte.

    >>> varint(300)
    b'\\xac\\x02'
    """
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
