"""The thread that reads a source, and opens it again when it dies."""

from __future__ import annotations

import logging
import threading
import time
from typing import Literal

import msgspec

from edgerig.errors import SourceError
from edgerig.serve.video.frame import Frame, NewestFrame
from edgerig.serve.video.sources.base import VideoSource
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)

#: Seconds between two tries to open a source: with `OPENING`, a source that is back is seen within 5 s.
RETRY = 0.5


class SourceState(msgspec.Struct, frozen=True):
    """How a source is.

    Attributes:
        status: ``opening`` before its first frame, ``playing``, ``lost`` while it is tried again, ``ended`` for good.
        message: Why it is lost or ended; else empty.
        reconnects: How often it came back after it was lost.
    """

    status: Literal["opening", "playing", "lost", "ended"] = "opening"
    message: str = ""
    reconnects: int = 0


class Reader:
    """Reads a source in a thread of its own, always into the same slot.

    Args:
        source: What to read.
        slot: Where frames go.
    """

    def __init__(self, source: VideoSource, slot: NewestFrame) -> None:
        self.source, self.slot = source, slot
        self.state = SourceState()
        self._stop = threading.Event()
        self._number, self._back = 0, False
        self._thread = threading.Thread(target=self._run, name="video-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Stop; waits until the source is closed, ``seconds`` at most."""
        self._stop.set()
        self.slot.close()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            first = self._number
            reason = self._played()
            nothing = self._number == first
            if self._stop.is_set():
                return
            if not self.source.live and (nothing or not self.source.again):
                # A file that gave nothing will not give more the next time.
                self._become("ended", reason)
                self.slot.finish()
                return
            if self.source.live:
                self._become("lost", reason)
                self._stop.wait(RETRY)

    def _played(self) -> str:
        """Play the source to its end; returns why it ended."""
        try:
            self._play()
        except SourceError as error:
            return str(error)
        except Exception as error:
            # A decoder's fault must not end the thread: the source is tried again, like one that is gone.
            return f"{self.source.shown} cannot be read: {cause_of(error)}."
        return f"{self.source.shown} has ended."

    def _play(self) -> None:
        for picture in self.source.pictures(self._stop):
            if self._stop.is_set():
                return
            if self.state.status != "playing":
                self._become("playing", "")
            self.slot.put(Frame(self._number, time.monotonic(), picture.seconds, picture.pixels))
            self._number += 1

    def _become(self, status: Literal["playing", "lost", "ended"], message: str) -> None:
        back = self._back and status == "playing"
        self._back = status == "lost" and self._number > 0
        if status != "playing" and message != self.state.message:
            _logger.warning("%s", message)
        self.state = SourceState(status, message, self.state.reconnects + back)
        if back:
            _logger.warning("%s is back.", self.source.shown)
