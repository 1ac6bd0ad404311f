"""Frames of a camera of this machine, through Video4Linux."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

from edgerig.errors import SourceError
from edgerig.serve.video.sources.base import Picture, VideoSource, decoded

_DEVICE = re.compile(r"/dev/(video\d+|v4l/.+)")


def is_camera(address: str) -> bool:
    """Whether an address is a camera's: ``/dev/video0``, or its number."""
    return address.isdecimal() or _DEVICE.fullmatch(address) is not None


class CameraSource(VideoSource):
    """A camera, ``/dev/video0`` or ``0``. One that is pulled out is opened again when it is back."""

    def __init__(self, address: str) -> None:
        super().__init__(f"/dev/video{address}" if address.isdecimal() else address)

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        if not Path(self.address).exists():
            there = sorted(str(path) for path in Path("/dev").glob("video*"))
            hint = f"There are {', '.join(there)}." if there else "No camera is connected, or this user may not see it."
            raise SourceError(f"The camera {self.shown} is not there.", hint)
        return decoded(self.address, self.shown, stop, format="v4l2")
