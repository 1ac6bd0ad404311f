"""What a source of frames is, and reading one with PyAV."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from edgerig.errors import EdgerigError, MissingExtraError, SourceError
from edgerig.serve.video.frame import Pixels, as_pixels, check_size
from edgerig.text import cause_of, one_line

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

#: Seconds that opening a source, and waiting for its next frame, may take: a source that dies silently is left then.
OPENING, SILENCE = 3.0, 3.0


class Picture(NamedTuple):
    """A decoded frame: its time in the video in seconds, where it has one, and what makes its pixels."""

    seconds: float | None
    pixels: Callable[[], Pixels]


class VideoSource(ABC):
    """A source of frames.

    Args:
        address: As the user gave it.

    Attributes:
        shown: The address without a password, for messages. title: That for pages, of a file its name alone.
        again: Whether to open it again when it ends; a live one is.
        every: Whether no frame may be dropped.
    """

    again: bool = True
    every: bool = False
    #: Whether it may come later: its absence is reported, and does not end the program.
    live: ClassVar[bool] = True

    def __init__(self, address: str) -> None:
        self.address, self.shown = address, without_password(address)
        self.title = self.shown
        require_av()

    def check(self) -> None:
        """Refuse what can never be read, before it is served.

        Raises:
            SourceError: It is a file without pictures.
        """
        return

    @abstractmethod
    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        """Open the source and give its frames, until it ends or ``stop`` is set.

        Raises:
            SourceError: It cannot be opened, or is lost.
        """


def require_av() -> None:
    """Raise `MissingExtraError` unless PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("--video", "video", "av") from error


def without_password(address: str) -> str:
    """An address without user and password, on one line.

    >>> without_password("rtsp://me:secret@camera:554/live")
    'rtsp://camera:554/live'
    """
    if "://" not in address:
        return one_line(address)
    parts = urlsplit(address)
    return one_line(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Turn the errors of PyAV into a `SourceError`."""
    import av

    try:
        yield
    except EdgerigError:
        raise
    except (av.error.ExitError, av.error.TimeoutError) as error:
        raise SourceError(f"{shown} does not answer.", "Is it switched on, and the address right?") from error
    except av.error.InvalidDataError as error:
        raise SourceError(f"{shown} is no video that can be read.", "Look at it with another player.") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or cause_of(error)
        raise SourceError(f"{shown} cannot be read: {one_line(reason)}.") from error


def decoded(
    address: str,
    shown: str,
    stop: threading.Event,
    *,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    live: bool = True,
) -> Iterator[Picture]:
    """The frames of whatever PyAV opens.

    Args:
        address: For PyAV. shown: For messages. stop: Ends it.
        format: The container's, where it is not to be recognized.
        options: Of the container.
        live: Whether frames come as they are made: then silence for `SILENCE` seconds is an error.

    Raises:
        SourceError: It cannot be opened, or is lost.
    """
    import av

    with reading(shown):
        container = av.open(
            address, format=format, options=dict(options or {}), timeout=(OPENING, SILENCE) if live else None
        )
        with container:
            yield from _frames(container, shown, stop)


def _frames(container: InputContainer, shown: str, stop: threading.Event) -> Iterator[Picture]:
    stream = next(iter(container.streams.video), None)
    if stream is None:
        raise SourceError(f"{shown} has no video, only sound or data.")
    # Threads by frame would hold back as many frames as there are threads.
    stream.thread_type = "SLICE"
    for frame in container.decode(stream):
        if stop.is_set():
            return
        check_size(frame.width, frame.height, shown)
        yield Picture(frame.time, lambda frame=frame: rgb_of(frame))  # type: ignore[misc]


def rgb_of(frame: av.VideoFrame) -> Pixels:
    """The pixels of a decoded frame, upright: phones write how they were held."""
    pixels = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return as_pixels(np.rot90(pixels, turns) if turns else pixels)
