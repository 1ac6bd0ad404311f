"""CRC-32 of zlib and Ethernet (reflected polynomial EDB88320), by the fastest library that is installed.

``isal`` (Intel's Intelligent Storage Acceleration Library, for x86-64 and aarch64) multiplies without carries and is
about ten times as fast as zlib; without it zlib gives the same numbers. `tests/wire/test_crc.py` holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

__all__ = ["LIBRARY", "crc32"]

if TYPE_CHECKING:
    crc32: Callable[..., int]
    #: ``isal`` or ``zlib``.
    LIBRARY: str
else:
    try:
        from isal.isal_zlib import crc32

        LIBRARY = "isal"
    except ImportError:
        from zlib import crc32

        LIBRARY = "zlib"
