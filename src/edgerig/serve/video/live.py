"""The live picture of one source: its newest frame goes through the network, again and again."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from edgerig.errors import EdgerigError
from edgerig.serve.video.broadcast import Broadcast
from edgerig.serve.video.caption import caption_of
from edgerig.serve.video.frame import NewestFrame
from edgerig.serve.video.keep.keeper import Keeper
from edgerig.serve.video.pipeline import FramePipeline, Infer, NetworkView
from edgerig.serve.video.reader import Reader
from edgerig.serve.video.record import Recorder
from edgerig.serve.video.shown import Shown
from edgerig.serve.video.sources.base import VideoSource
from edgerig.serve.video.stage_times import StageTimes
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)


class LiveVideo:
    """Shows a source to all viewers; made, run and stopped on one event loop.

    While nobody watches, and nothing is recorded or stored, frames are read, and no network runs; a source of which
    each frame is shown waits for a viewer.

    Args:
        source: Of frames. view: How the network sees them. infer: The pool's.
        worker: The thread that pixels are worked on in.
        recorder, keeper: What pictures are written to, where they are.

    Attributes:
        broadcast: What viewers watch.
        shown: Frames that went through the network. behind: By how many frames each of the last ones was older than the
            newest when it was shown, at most.
    """

    def __init__(
        self,
        source: VideoSource,
        view: NetworkView,
        infer: Infer,
        worker: ThreadPoolExecutor,
        recorder: Recorder | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.source, self._view, self._recorder, self._keeper = source, view, recorder, keeper
        self.slot = NewestFrame(asyncio.get_running_loop(), every=source.every)
        self.reader = Reader(source, self.slot)
        self.broadcast = Broadcast(lambda: self.slot.newest > self._put)
        self.times = StageTimes()
        self.shown, self.behind, self._idle, self._error = 0, 0, 0, ""
        self._put = -1
        self._pipeline = FramePipeline(view, infer, worker)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self.reader.start()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, deadline: float) -> None:
        """Let all viewers go, finish the frame that is under way, and close the source."""
        self.broadcast.close()
        self.slot.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=deadline)
            self._task.cancel()
        await asyncio.to_thread(self.reader.stop)

    async def _run(self) -> None:
        while True:
            if self._recorder is None and self._keeper is None and not self.broadcast.viewers:
                before = self.slot.dropped
                await self._watched_or_closed()
                self._idle += self.slot.dropped - before
            frame = await self.slot.take()
            if frame is None:
                return
            watched = self.broadcast.viewers > 0
            try:
                shown = await self._pipeline.show(frame, encode=watched or self.slot.newest == frame.number)
                self._error = ""
            except EdgerigError as error:
                self._leave_out(error.message)
                continue
            except Exception as error:
                # One frame's fault must not end the video for everybody.
                self._leave_out(cause_of(error))
                continue
            await self._publish(shown)

    def _leave_out(self, reason: str) -> None:
        if reason != self._error:
            _logger.warning("a frame was left out: %s", reason)
        self._error = reason

    async def _watched_or_closed(self) -> None:
        waits = [asyncio.ensure_future(wait) for wait in (self.broadcast.watched(), self.slot.closed())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _publish(self, shown: Shown) -> None:
        self.shown += 1
        self.behind = max(self.slot.newest - shown.number, 0)
        self.times.add(shown.times)
        if shown.jpeg is not None:
            self._put = shown.number
            self.broadcast.put(shown.jpeg, about(shown, self._view))
        if self._recorder is not None:
            seconds = shown.seconds if self.source.every else shown.captured
            if self.source.every:
                await asyncio.to_thread(self._recorder.put, shown.image, seconds)
            else:
                self._recorder.put(shown.image, seconds)
        if self._keeper is not None:
            self._keeper.offer(shown, self.source.shown)

    def status(self) -> dict[str, Any]:
        """How everything is, as JSON."""
        state = self.reader.state
        message = state.message or self._error
        return {
            "source": {
                "address": self.source.title,
                **msgspec.structs.asdict(state),
                "message": message.replace(self.source.shown, self.source.title),
            },
            "frames": {
                "read": self.slot.newest + 1,
                "shown": self.shown,
                "dropped": self.slot.dropped - self._idle,
                "unwatched": self._idle,
                "behind": self.behind,
            },
            "viewers": self.broadcast.viewers,
            "milliseconds": {name: round(value, 3) for name, value in self.times.medians().items()},
            "record": msgspec.structs.asdict(self._recorder.state) if self._recorder is not None else None,
            "keep": msgspec.structs.asdict(self._keeper.state) if self._keeper is not None else None,
        }


def about(shown: Shown, view: NetworkView) -> bytes:
    """What goes with a picture to its viewers, as JSON."""
    answer = shown.answer
    return msgspec.json.encode(
        {
            "frame": shown.number,
            "infer": round(shown.times.network, 3),
            "display": round(shown.times.display, 3),
            "caption": caption_of(answer, view.names) if answer is not None else "",
            "confidence": answer.confidence if answer is not None else None,
            "error": shown.error,
        }
    )
