"""Capturing: frames are chosen, stored on this machine, and sent in versions that become larger and larger."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from edgerig.errors import ConflictError, StoreError
from edgerig.progress import Progress
from edgerig.serve.video.capture.choosing import Choice, chosen_frames
from edgerig.serve.video.capture.spool import Format, Spool
from edgerig.serve.video.sources.base import VideoSource
from edgerig.store.adding import Added, add_files
from edgerig.store.versions import Versions
from edgerig.text import counted

#: Pictures that are sent together at least, and the share of those sent before: each version lists all of them, so that
#: their number must grow slowly.
BATCH, SHARE = 100, 5


class Captured(msgspec.Struct, frozen=True):
    """How many pictures were taken, how many are in the store, and the last version; None where there is none."""

    pictures: int
    sent: int
    added: Added | None


def capture(
    source: VideoSource,
    versions: Versions,
    choice: Choice,
    progress: Progress,
    *,
    name: str = "",
    format: Format = "jpg",
    seconds: float | None = None,
    note: str = "",
) -> Captured:
    """Capture until the source ends, there are enough pictures, or Ctrl-C; then send what is there.

    Args:
        name: How the camera is called in names; by default after the source.
        seconds: Seconds to capture; None for no end.

    Raises:
        SourceError: A file cannot be read.
        StoreError: Pictures could not be sent; they wait on this machine, and go with the next capture.
    """
    run = _Run(Spool(versions.identity, source.address), versions, progress, note)
    camera, stop = name or camera_name(source.address), threading.Event()
    timer = threading.Timer(seconds, stop.set) if seconds is not None else None
    lost = _Told(progress.log)
    try:
        if timer is not None:
            timer.daemon = True
            timer.start()
        with progress.task(f"capturing {source.shown}", choice.most) as task:
            for chosen in chosen_frames(source, choice, stop, lost):
                run.count += 1
                task.advance(note=run.spool.add(chosen, source.shown, camera, format))
                run.send_some()
    except KeyboardInterrupt:
        progress.log("Stopped: what is there is sent; Ctrl-C again leaves it on this machine.")
    finally:
        stop.set()
        if timer is not None:
            timer.cancel()
    run.send()
    return Captured(run.count, run.sent, run.added)


def camera_name(address: str) -> str:
    """A source in a name, without user and password.

    >>> camera_name("/dev/video0"), camera_name("rtsp://me:secret@cam.lab:554/live"), camera_name("videos/street 1.mp4")
    ('video0', 'cam.lab-live', 'street-1')
    """
    if "://" in address and not address.startswith("file://"):
        parts = urlsplit(address)
        text = f"{parts.hostname or 'camera'}{parts.path}"
    else:
        text = address.removeprefix("file://").rsplit("/", 1)[-1]
        text = text.rsplit(".", 1)[0] or text
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:80] or "camera"


class _Told:
    """Says each reason once in a while, not twice a second."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._message, self._time = log, "", 0.0

    def __call__(self, message: str) -> None:
        if message != self._message or time.monotonic() - self._time > 60:
            self._log(message)
            self._message, self._time = message, time.monotonic()


class _Run:
    """What was taken and sent so far."""

    def __init__(self, spool: Spool, versions: Versions, progress: Progress, note: str) -> None:
        self.spool, self._versions, self._progress, self._note = spool, versions, progress, note
        self.count = self.sent = self._tried = 0
        self.added: Added | None = None

    def send_some(self) -> None:
        """Send what waits, where it is enough; a store that is away is no reason to stop."""
        if self.count - self._tried < max(BATCH, self.sent // SHARE):
            return
        self._tried = self.count
        try:
            self.send()
        except ConflictError:
            raise
        except StoreError as error:
            self._progress.log(f"(!) {error.message} Pictures wait in {self.spool.folder}.")

    def send(self) -> None:
        """Commit all that waits as a version."""
        waiting = self.spool.waiting()
        if not waiting:
            return
        try:
            self.added = add_files(self._versions, waiting, (), self._progress, note=self._note)
        except StoreError as error:
            what = f"{counted(len(waiting), 'picture')} wait in {self.spool.folder}"
            raise type(error)(
                error.message, f"{what}, and go with the next capture. {error.hint or ''}".strip()
            ) from None
        self.spool.clear(waiting)
        self.sent += len(waiting)
