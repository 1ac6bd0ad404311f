"""Writes what viewers see to a video file, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgerig import files
from edgerig.errors import UsageError
from edgerig.serve.video.sources.base import require_av
from edgerig.text import cause_of

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_logger = logging.getLogger(__name__)
SUFFIXES = (".mp4", ".mov", ".mkv")
#: Pictures that may wait to be encoded.
WAITING = 8
#: Ticks of a second, as MPEG counts; seconds between two pictures whose times are not known; pictures between two
#: whole ones, which is what a power failure may cost.
TICKS, STEP, GROUP = 90_000, 0.04, 50


class RecordState(msgspec.Struct, frozen=True):
    """How the recording is: pictures written, those that came too fast, and what stands in its way."""

    written: int = 0
    missed: int = 0
    message: str = ""


class Recorder:
    """A recording. It can be played even if its process is killed: it is written in fragments.

    Args:
        path: The file, which must not exist yet.
        every: Whether `put` waits rather than leaves out a picture.

    Raises:
        UsageError: It exists, or is of no known kind. StorageError: Its folder cannot be written to.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path, *, every: bool = False) -> None:
        require_av()
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--record {path}: a recording ends in {', '.join(SUFFIXES)}.", "Say out.mp4.")
        if path.exists():
            raise UsageError(f"--record {path}: that is there already.", "Choose another name, or remove it.")
        files.check_writable(path.parent)
        self.path, self._every = path, every
        self.state = RecordState()
        self._waiting: queue.Queue[tuple[Any, float | None] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="video-recorder", daemon=True)
        self._thread.start()

    def put(self, image: Any, seconds: float | None) -> None:
        """Write a picture.

        Args:
            image: A Pillow image; those of another size than the first are scaled into it.
            seconds: When it was, on any clock; a clock that goes back, as at the beginning of a file, goes on after it.
        """
        try:
            self._waiting.put((image, seconds), block=self._every)
        except queue.Full:
            self.state = msgspec.structs.replace(self.state, missed=self.state.missed + 1)

    def stop(self, seconds: float = 30.0) -> None:
        """Write what waits, and close the file."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
        self._thread.join(seconds)

    def _run(self) -> None:
        writer = None
        while (entry := self._waiting.get()) is not None:
            if self.state.message:
                continue
            try:
                if writer is None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    writer = _Writer(self.path, entry[0].size)
                writer.write(*entry)
                self.state = msgspec.structs.replace(self.state, written=self.state.written + 1)
            except Exception as error:
                self._fail(error)
        if writer is not None:
            try:
                writer.close()
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or cause_of(error)
        message = f"The recording {self.path} has stopped: {reason}."
        _logger.warning("%s", message)
        self.state = msgspec.structs.replace(self.state, message=message)


class _Writer:
    """The file. Its sides are even, as H.264 wants them."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        import av

        self._size = (max(2, size[0] & ~1), max(2, size[1] & ~1))
        fragments = {} if path.suffix.lower() == ".mkv" else {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        self._container: OutputContainer = av.open(str(path.absolute()), "w", options=fragments)
        options = {"preset": "veryfast", "crf": "21", "bf": "0"}
        self._stream: VideoStream = self._container.add_stream("libx264", options=options)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.codec_context.gop_size = GROUP
        self._time = 0.0
        self._before: float | None = None

    def write(self, image: Any, seconds: float | None) -> None:
        import av
        import numpy as np
        from PIL import Image, ImageOps

        if image.size != self._size:
            odd = (image.size[0] & ~1, image.size[1] & ~1) == self._size
            image = (
                image.crop((0, 0, *self._size)) if odd else ImageOps.pad(image, self._size, Image.Resampling.BILINEAR)
            )
        if self._before is not None or seconds is None:
            gone = STEP if seconds is None or self._before is None else seconds - self._before
            self._time += gone if gone > 0 else STEP
        self._before = seconds
        frame = av.VideoFrame.from_ndarray(np.asarray(image), "rgb24")
        frame.pts, frame.time_base = round(self._time * TICKS), Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        with self._container:
            self._container.mux(self._stream.encode())
