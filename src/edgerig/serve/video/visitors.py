"""Visitors' own cameras: a page sends JPEG pictures over a WebSocket, and gets each back with the answer over it."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from edgerig.errors import EdgerigError
from edgerig.serve.video.frame import Frame, NewestFrame
from edgerig.serve.video.keep.keeper import Keeper
from edgerig.serve.video.live import about
from edgerig.serve.video.pipeline import FramePipeline, Infer, NetworkView
from edgerig.serve.video.sources.browser import ADDRESS, pixels_of
from edgerig.serve.video.stage_times import StageTimes
from edgerig.serve.video.viewers import GONE, LATER
from edgerig.text import cause_of, one_line

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

_logger = logging.getLogger(__name__)
#: Cameras at once: each takes its share of the network.
MOST = 4


class Visitors:
    """The cameras of all visitors; for one event loop.

    Args:
        view: How the network sees frames. infer: The pool's.
        worker: The threads that pixels are worked on in.
        keeper: Stores frames, where that is wanted.

    Attributes:
        connected: Cameras that are there. shown, dropped: Their frames that were answered; that a newer one replaced.
    """

    def __init__(self, view: NetworkView, infer: Infer, worker: ThreadPoolExecutor, keeper: Keeper | None) -> None:
        self._view, self._infer, self._worker, self._keeper = view, infer, worker, keeper
        self.connected, self.shown, self.dropped = 0, 0, 0
        self.times = StageTimes()
        self._slots: set[NewestFrame] = set()

    async def serve(self, socket: WebSocket) -> None:
        """Answer the pictures of one camera until it leaves."""
        await socket.accept()
        if self.connected >= MOST:
            await socket.close(LATER, f"{MOST} cameras are connected already; try again later.")
            return
        slot = NewestFrame(asyncio.get_running_loop())
        self._slots.add(slot)
        self.connected += 1
        receiving = asyncio.create_task(self._receive(socket, slot))
        try:
            await self._answer(socket, slot)
            if not receiving.done():
                await socket.close(GONE)
        except (RuntimeError, OSError):
            # It left while it was answered.
            return
        finally:
            receiving.cancel()
            self.connected -= 1
            self.dropped += slot.dropped
            self._slots.discard(slot)

    def close(self) -> None:
        """Let all visitors go."""
        for slot in list(self._slots):
            slot.close()

    async def _receive(self, socket: WebSocket, slot: NewestFrame) -> None:
        number = 0
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                slot.close()
                return
            data = message.get("bytes")
            if data:
                slot.put(Frame(number, time.monotonic(), None, partial(pixels_of, data)))
                number += 1

    async def _answer(self, socket: WebSocket, slot: NewestFrame) -> None:
        pipeline = FramePipeline(self._view, self._infer, self._worker)
        while (frame := await slot.take()) is not None:
            try:
                shown = await pipeline.show(frame)
            except EdgerigError as error:
                await socket.send_text(_refused(error.message))
                continue
            except Exception as error:
                _logger.exception("a picture was left out")
                await socket.send_text(_refused(cause_of(error)))
                continue
            self.shown += 1
            self.times.add(shown.times)
            assert shown.jpeg is not None
            await socket.send_text(about(shown, self._view).decode())
            await socket.send_bytes(shown.jpeg)
            if self._keeper is not None:
                self._keeper.offer(shown, ADDRESS)


def _refused(message: str) -> str:
    return msgspec.json.encode({"error": one_line(message), "picture": False}).decode()
