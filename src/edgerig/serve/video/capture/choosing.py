"""Which frames of a source become pictures of a dataset."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import SourceError
from edgerig.serve.video.frame import Pixels
from edgerig.serve.video.reader import RETRY
from edgerig.serve.video.sources.base import Picture, VideoSource

_logger = logging.getLogger(__name__)

#: Blocks along each side of the grey miniature by which frames are compared.
BLOCKS = 32
#: Mean difference of two miniatures, as a share of the full range, from which on something has changed: noise of a
#: camera in the dark stays below 1 %.
CHANGE = 0.02


class Chosen(msgspec.Struct, frozen=True):
    """A frame that was chosen.

    Attributes:
        frame: Its number among the frames of the source, from 0.
        pixels: RGB, (height, width, 3).
        seconds: Its time in the video, of a file; None of a live source.
        time: When it was there, ISO 8601 in UTC, of a live source; None of a file, which does not say.
    """

    frame: int
    pixels: Pixels
    seconds: float | None
    time: str | None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is chosen.

    Attributes:
        every: Seconds between two pictures, at least: of the video for a file, of the clock else.
        when_changed: Whether a picture must differ from the one that was chosen before.
        most: Pictures to take; None for all that there are.
    """

    every: float
    when_changed: bool = False
    most: int | None = None


def chosen_frames(
    source: VideoSource, choice: Choice, stop: threading.Event, lost: Callable[[str], None] = _logger.warning
) -> Iterator[Chosen]:
    """The frames to take, as they come; a live source that is lost is opened again until ``stop`` is set.

    Args:
        lost: Hears why a live source was lost, or is not there yet.

    Raises:
        SourceError: A file cannot be read; or a live source was never there, ``stop`` is set, and nothing came.
    """
    judge = _Judge(choice)
    count = frame = 0
    while not stop.is_set():
        try:
            for picture in source.pictures(stop):
                number, frame = frame, frame + 1
                pixels = judge.wants(picture, live=source.live)
                if pixels is None:
                    continue
                seconds = None if source.live else picture.seconds
                yield Chosen(number, pixels, seconds, _now() if source.live else None)
                count += 1
                if count == choice.most or stop.is_set():
                    return
        except SourceError as error:
            if not source.live:
                raise
            lost(error.message)
        else:
            if not source.live:
                return
            lost(f"{source.shown} has ended.")
        stop.wait(RETRY)


class _Judge:
    """Decides on frames one after another."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._last_time: float | None = None
        self._last_look: NDArray[np.float32] | None = None

    def wants(self, picture: Picture, *, live: bool) -> Pixels | None:
        """The pixels of a frame that is taken, else None; most are never decoded to pixels."""
        moment = time.monotonic() if live or picture.seconds is None else picture.seconds
        # Frames of a video are a little early or late: a thousandth of a second decides nothing.
        if self._last_time is not None and moment < self._last_time + self._choice.every - 1e-3:
            return None
        pixels = picture.pixels()
        if self._choice.when_changed:
            look = miniature(pixels)
            if self._last_look is not None and difference(look, self._last_look) < CHANGE:
                return None
            self._last_look = look
        self._last_time = moment
        return pixels


def miniature(pixels: Pixels) -> NDArray[np.float32]:
    """A frame's brightness in blocks, shape (32, 32), float32, 0 to 1: means of RGB over equal parts of each side."""
    grey = pixels.mean(axis=2, dtype=np.float32) / 255
    rows, columns = (np.arange(BLOCKS) * side // BLOCKS for side in grey.shape)
    sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.maximum(1, np.diff([*starts, side])) for starts, side in zip((rows, columns), grey.shape, strict=True)
    )
    return np.asarray(sums / (heights[:, None] * widths), np.float32)


def difference(look: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean difference of two miniatures, 0 to 1."""
    return float(np.abs(look - other).mean())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
