"""Reads the tables of a FlatBuffers message, every read checked against the bytes that there are.

The schema is a tree of three levels, and offsets between tables lead forward only, so no message can lead a reader in a
circle. What the checks of Google's verifier ask is asked here too: bounds, alignment, sizes of tables and vtables.
"""

from __future__ import annotations

import struct

from edgerig.errors import WireError

#: Bytes that no message exceeds, whoever wrote it; canonical ones take 3180 at most.
LIMIT = 4096
_U16 = struct.Struct("<H")
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")

Data = bytes | bytearray | memoryview


class Incomplete(Exception):  # noqa: N818
    """The message goes on behind the bytes that there are."""


class Walker:
    """Goes through one message and notes how far it reaches.

    Attributes:
        end: Bytes of the message as far as it was gone through.
    """

    def __init__(self, data: Data) -> None:
        self.data, self.end = data, 0

    def reach(self, position: int, length: int, alignment: int) -> int:
        """Check that ``length`` bytes at ``position`` are there; ``position``.

        Raises:
            Incomplete: They have not come yet. WireError: They cannot be there.
        """
        end = position + length
        if position < 0 or end > LIMIT:
            raise WireError(f"An offset in the message leads to byte {position}, outside of it.")
        if position % alignment:
            raise WireError(f"An offset in the message leads to byte {position}, which is not aligned.")
        if end > len(self.data):
            raise Incomplete
        self.end = max(self.end, end)
        return position

    def u32(self, position: int) -> int:
        """The unsigned number at ``position``."""
        return int(_U32.unpack_from(self.data, self.reach(position, 4, 4))[0])

    def indirect(self, position: int) -> int:
        """Where the offset at ``position`` leads to.

        Raises:
            Incomplete, WireError: As `reach`.
        """
        offset = self.u32(position)
        if offset < 4:
            raise WireError(f"The offset at byte {position} of the message leads to itself.")
        return position + offset

    def table(self, position: int, widths: tuple[int, ...]) -> list[int]:
        """The positions of a table's fields, each ``widths`` bytes; 0 for those left out.

        Raises:
            Incomplete, WireError: As `reach`, or the table is none of this schema.
        """
        self.reach(position, 4, 4)
        vtable = self.reach(position - _I32.unpack_from(self.data, position)[0], 4, 2)
        vtable_size, size = self._u16(vtable), self._u16(vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or size < 4:
            raise WireError(f"The table at byte {position} of the message has no valid vtable.")
        self.reach(vtable, vtable_size, 2)
        self.reach(position, size, 4)
        offsets = [self._u16(vtable + entry) for entry in range(4, vtable_size, 2)]
        if any(offsets[len(widths) :]):
            # Where such a field leads is unknown, and with that where the message ends.
            raise WireError(f"The table at byte {position} of the message has fields that the schema does not know.")
        offsets += [0] * (len(widths) - len(offsets))
        return [self._field(position, size, offset, width) for offset, width in zip(offsets, widths, strict=False)]

    def floats(self, position: int) -> tuple[int, int]:
        """The position of the first number of a vector of floats, and their count.

        Raises:
            Incomplete, WireError: As `reach`.
        """
        count = self.u32(position)
        return self.reach(position + 4, 4 * count, 4), count

    def _field(self, table: int, size: int, offset: int, width: int) -> int:
        if offset == 0:
            return 0
        if offset < 4 or offset + width > size or (table + offset) % width:
            raise WireError(f"A field of the table at byte {table} of the message lies outside of it.")
        return table + offset

    def _u16(self, position: int) -> int:
        return int(_U16.unpack_from(self.data, position)[0])
