"""A frame of a video, and the slot that holds the newest one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import SourceError

#: RGB, (height, width, 3).
Pixels = NDArray[np.uint8]
#: Largest frame, in pixels: 8K. A stream that claims more is refused before memory is taken for it.
MOST_PIXELS = 7680 * 4320


class Frame(msgspec.Struct, frozen=True):
    """A frame as a source gives it; its pixels are made only when it is taken, for most may be dropped.

    Attributes:
        number: Counts the frames of a source from 0, over all reconnections.
        captured: When it was there, in seconds of `time.monotonic`.
        seconds: Its time in the video, where it has one.
        pixels: Makes its pixels.
    """

    number: int
    captured: float
    seconds: float | None
    pixels: Callable[[], Pixels]


class NewestFrame:
    """A slot of one between a thread that reads frames and a task that takes them: always the newest.

    Args:
        loop: The event loop of the task.
        every: Whether no frame may be dropped: then the reader waits until the former one was taken.

    Attributes:
        newest: Number of the newest frame that was put; -1 before the first.
        dropped: Frames that a newer one replaced before they were taken.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, every: bool = False) -> None:
        self.newest, self.dropped = -1, 0
        self._every, self._loop = every, loop
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False
        self._there, self._ended = asyncio.Event(), asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Put the newest frame; from any thread."""
        with self._changed:
            if self._every:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            if self._closed:
                return
            self.dropped += self._frame is not None
            self._frame, self.newest = frame, frame.number
        self._wake()

    async def take(self) -> Frame | None:
        """The newest frame, as soon as there is one that was not taken yet; None after `close`, or when none is left
        after `finish`."""
        while True:
            await self._there.wait()
            self._there.clear()
            with self._changed:
                frame, self._frame = self._frame, None
                self._changed.notify_all()
                ended = self._closed
            if ended:
                self._there.set()
            if frame is not None or ended:
                return frame

    def finish(self) -> None:
        """No more frames come; the last one can still be taken. From any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._wake()

    async def closed(self) -> None:
        """Wait until no more frames come."""
        await self._ended.wait()

    def close(self) -> None:
        """End all waiting, here and there, and forget the frame; from any thread."""
        with self._changed:
            self._frame = None
        self.finish()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._there.set)
            if self._closed:
                self._loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return


def check_size(width: int, height: int, what: str) -> None:
    """Refuse a frame that would take too much memory, or has no pixels.

    Raises:
        SourceError: It is larger than `MOST_PIXELS`, or empty.
    """
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise SourceError(
            f"{what} has frames of {width}x{height} pixels; edgerig takes up to {MOST_PIXELS:,} pixels.",
            "Let the camera or the sender scale them down.",
        )


def as_pixels(array: NDArray[Any]) -> Pixels:
    """An array of a decoder as contiguous RGB."""
    return np.ascontiguousarray(array, np.uint8)
