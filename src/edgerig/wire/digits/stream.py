"""Takes messages out of a stream of bytes, in which they follow one another without a length or a mark."""

from __future__ import annotations

from edgerig.wire.digits.decode import message_length
from edgerig.wire.digits.tables import Data


class MessageStream:
    """A buffer that bytes are put into as they come, and that whole messages are taken from.

    Attributes:
        pending: Bytes that are here and were not taken yet.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def pending(self) -> int:
        """Bytes that are here and were not taken yet."""
        return len(self._data)

    def feed(self, data: Data) -> None:
        """Put ``data``."""
        self._data += data

    def next(self) -> bytes | None:
        """The next whole message; None if more bytes must come.

        Raises:
            WireError: What is here begins no message. It stays so: nothing says where the next one would begin.
        """
        length = message_length(self._data) if self._data else None
        if length is None:
            return None
        message = bytes(memoryview(self._data)[:length])
        del self._data[:length]
        return message
