"""Bodies of HTTP requests, within bounds of size and time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from edgerig.errors import EdgerigError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
#: Largest body in bytes, seconds in which it must be there, and bytes of all bodies at once.
LARGEST, SECONDS, ALL_BYTES = 64 << 20, 30.0, 512 << 20


class BodyError(EdgerigError):
    """A body that is not taken; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClientGone(EdgerigError):  # noqa: N818 - nobody's fault
    """The client hung up before its request was complete."""


class Bodies:
    """Reads bodies.

    Args:
        largest: Bytes of one. seconds: In which it must be there. all_bytes: Of all that are being read.
    """

    def __init__(self, largest: int = LARGEST, seconds: float = SECONDS, all_bytes: int = ALL_BYTES) -> None:
        self.largest, self.seconds, self.all_bytes = largest, seconds, all_bytes
        self._held = 0

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body, decompressed.

        Raises:
            BodyError: It is too large, too slow, or compressed in an unknown way. ClientGone: It is not complete.
        """
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > self.largest:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.seconds):
                first = await self._message(receive)
                body = first.get("body", b"")
                if first.get("more_body", False):
                    body = await self._rest(body, receive)
        except TimeoutError:
            raise BodyError(408, f"The body was not there within {self.seconds:g} s.") from None
        if len(body) > self.largest:
            raise self._too_large()
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding != b"identity":
            body = self._decompressed(body, encoding)
        return bytes(body)

    @staticmethod
    async def _message(receive: Receive) -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client hung up.")
        return message

    async def _rest(self, start: bytes, receive: Receive) -> bytearray:
        body, more = bytearray(start), True
        self._held += len(body)
        try:
            while more:
                message = await self._message(receive)
                part = message.get("body", b"")
                body += part
                self._held += len(part)
                if len(body) > self.largest:
                    raise self._too_large()
                if self._held > self.all_bytes:
                    raise BodyError(503, "Too many large requests come at once; ask again later.")
                more = message.get("more_body", False)
        finally:
            self._held -= len(body)
        return body

    def _decompressed(self, body: bytes | bytearray, encoding: bytes) -> bytes:
        # 16: with gzip's header; 15 alone: zlib's, as `deflate` of HTTP is.
        bits = {b"gzip": 31, b"deflate": 15}.get(encoding)
        if bits is None:
            raise BodyError(415, "The body's Content-Encoding is none of gzip, deflate and identity.")
        inflater = zlib.decompressobj(bits)
        try:
            whole = inflater.decompress(body, self.largest + 1)
        except zlib.error as error:
            raise BodyError(400, "The body is not compressed as its Content-Encoding says.") from error
        if len(whole) > self.largest:
            raise self._too_large()
        if not inflater.eof or inflater.unused_data:
            raise BodyError(400, "The compressed body is not complete.")
        return whole

    def _too_large(self) -> BodyError:
        return BodyError(413, f"The body is larger than the {self.largest} B that are taken.")


__all__ = ["Bodies", "BodyError", "ClientGone"]
