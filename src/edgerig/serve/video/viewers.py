"""How pictures go to viewers: as MJPEG, and over WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from edgerig.serve.video.broadcast import Broadcast, Encoded

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

BOUNDARY = "edgerig"
MJPEG = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
#: Seconds after which a viewer who has not asked for the next picture is taken for gone.
SILENT = 30.0
#: Codes of closed WebSockets (RFC 6455): going away, a breach of the rules, try again later.
GONE, BREACH, LATER = 1001, 1008, 1013


async def mjpeg(broadcast: Broadcast) -> AsyncIterator[bytes]:
    """Pictures as parts of a multipart body, each the newest when the viewer has taken the one before.

    The boundary that ends a part goes with it: browsers show a picture only when they see that, which would otherwise
    be one picture late.
    """
    with broadcast.watching():
        turn = 0
        yield f"--{BOUNDARY}\r\n".encode()
        while (picture := await broadcast.after(turn)) is not None:
            turn = picture.turn
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n"
            yield head.encode() + picture.jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


async def watch(socket: WebSocket, broadcast: Broadcast) -> None:
    """Send a viewer a picture for each message: JSON about it, and the JPEG.

    Nothing is sent that was not asked for, so that a slow viewer is never more than a picture behind.
    """
    from starlette.websockets import WebSocketDisconnect

    await socket.accept()
    turn = 0
    try:
        with broadcast.watching():
            while True:
                async with asyncio.timeout(SILENT):
                    await socket.receive_text()
                picture = await _next(socket, broadcast, turn)
                if picture is None:
                    break
                turn = picture.turn
                await socket.send_text(picture.about.decode())
                await socket.send_bytes(picture.jpeg)
        await socket.close(GONE)
    except TimeoutError:
        await socket.close(GONE)
    except (WebSocketDisconnect, KeyError, RuntimeError, OSError):
        # The viewer is gone, or sent bytes where it should ask for a picture.
        return


async def _next(socket: WebSocket, broadcast: Broadcast, turn: int) -> Encoded | None:
    """The next picture, or None if no more come; a viewer who leaves while waiting ends the wait.

    Raises:
        WebSocketDisconnect: It left, or asks again before it has its picture.
    """
    from starlette.websockets import WebSocketDisconnect

    picture = asyncio.ensure_future(broadcast.after(turn))
    gone = asyncio.ensure_future(socket.receive())
    try:
        await asyncio.wait([picture, gone], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            # Or it asks twice, which breaks the rules.
            raise WebSocketDisconnect(BREACH)
        return picture.result()
    finally:
        picture.cancel()
        gone.cancel()
