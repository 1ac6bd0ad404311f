"""How an error is told over HTTP: its status, and ``{"error": ...}``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from edgerig.errors import DatasetError, EdgerigError, InferenceError, Overloaded, RequestError, TargetError
from edgerig.serve.bodies import BodyError, ClientGone
from edgerig.text import one_line

#: Seconds after which a client may try again.
RETRY_AFTER = b"1"
Header = tuple[bytes, bytes]


def status_of(error: EdgerigError) -> int:
    """HTTP's status of an error: 4xx where the client is at fault, 503 where it may ask again later."""
    if isinstance(error, BodyError):
        return error.status
    if isinstance(error, RequestError | DatasetError):
        return 400
    if isinstance(error, Overloaded | TargetError):
        return 503
    return 500 if isinstance(error, InferenceError) else 400


def text_of(error: EdgerigError) -> str:
    """An error in one line."""
    return one_line(str(error), 1000)


async def refuse(send_: Any, error: EdgerigError, status: int | None = None) -> None:
    """Answer with an error; nothing where the client is gone."""
    if isinstance(error, ClientGone):
        return
    status = status or status_of(error)
    headers = [(b"retry-after", RETRY_AFTER)] if status == 503 else []
    if isinstance(error, BodyError):
        # The rest of the body is not read.
        headers.append((b"connection", b"close"))
    with contextlib.suppress(OSError):
        await send(send_, status, b"application/json", [msgspec.json.encode({"error": text_of(error)})], headers)


async def send(
    send_: Any, status: int, kind: bytes, parts: Sequence[bytes | memoryview], more: Sequence[Header] = ()
) -> None:
    """Send an answer of the content type ``kind`` whose body is ``parts``."""
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send_({"type": "http.response.start", "status": status, "headers": headers})
    await send_({"type": "http.response.body", "body": body})
