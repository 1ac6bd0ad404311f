"""Frames of a video file, at its own rate or every one of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from edgerig.errors import SourceError
from edgerig.serve.video.sources.base import Picture, VideoSource, decoded, reading
from edgerig.text import one_line

#: What a file may lead to: a playlist could else name addresses that this machine alone can reach.
PROTOCOLS = "file,crypto,data"
OPTIONS = {"protocol_whitelist": PROTOCOLS}
#: How texts begin that list other files instead of being a video; PyAV would wait for what they name.
PLAYLISTS = (b"#EXTM3U", b"ffconcat version")


class FileSource(VideoSource):
    """A video file.

    Args:
        address: Its path.
        every: Every frame, as fast as they are taken; else at the file's own rate.
        again: Begin again at its end.

    Raises:
        SourceError: It is not there.
    """

    live: ClassVar[bool] = False

    def __init__(self, address: str, *, every: bool = False, again: bool = True) -> None:
        super().__init__(address)
        self.every, self.again = every, again
        self.title = one_line(Path(address).name)
        if not Path(address).is_file():
            kind = "a folder" if Path(address).is_dir() else "not there"
            raise SourceError(f"The video {self.shown} is {kind}.", "Give the path of a video file: --video street.mp4")

    def check(self) -> None:
        path = Path(self.address).absolute()
        self._check(path)
        pictures = decoded(f"file:{path}", self.shown, threading.Event(), options=OPTIONS, live=False)
        if next(pictures, None) is None:
            raise SourceError(f"The video {self.shown} has no picture.", "Look at it with another player.")

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        path = Path(self.address).absolute()
        self._check(path)
        start: float | None = None
        for picture in decoded(f"file:{path}", self.shown, stop, options=OPTIONS, live=False):
            if picture.seconds is not None and not self.every:
                start = time.monotonic() - picture.seconds if start is None else start
                if stop.wait(max(0.0, start + picture.seconds - time.monotonic())):
                    return
            yield picture

    def _check(self, path: Path) -> None:
        with reading(self.shown), path.open("rb") as file:
            start = file.read(1000)
        if start.lstrip().startswith(PLAYLISTS) or b"<MPD" in start:
            raise SourceError(f"{self.shown} is a playlist, which lists videos.", "Give one of the videos themselves.")
