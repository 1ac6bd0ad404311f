"""Where frames come from, one file a kind: a file, a camera, RTSP, HTTP, a browser's camera."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from edgerig.errors import UsageError
from edgerig.serve.video.sources.base import VideoSource
from edgerig.serve.video.sources.browser import ADDRESS as BROWSER
from edgerig.serve.video.sources.camera import CameraSource, is_camera
from edgerig.serve.video.sources.file import FileSource
from edgerig.serve.video.sources.http import HttpSource
from edgerig.serve.video.sources.rtsp import RtspSource
from edgerig.text import one_line

#: Sources by the scheme of their address.
SCHEMES: dict[str, Callable[[str], VideoSource]] = {
    "rtsp": RtspSource,
    "rtsps": RtspSource,
    "http": HttpSource,
    "https": HttpSource,
}


def source_of(address: str, *, every: bool = False, again: bool = True) -> VideoSource | None:
    """The source of an address; None for ``browser``, where each visitor's camera is one.

    Args:
        address: A file, ``/dev/video0`` or its number, ``rtsp://..``, ``http://..``, or ``browser``.
        every: Of a file: every frame, as fast as they are taken, and not at the file's own rate.
        again: Of a file: begin again at its end.

    Raises:
        UsageError: It is of no known kind. SourceError: It is a file that is not there.
        MissingExtraError: PyAV is not installed.
    """
    if address == BROWSER:
        return None
    if is_camera(address):
        return CameraSource(address)
    scheme = urlsplit(address).scheme if "://" in address else ""
    if scheme in SCHEMES:
        return SCHEMES[scheme](address)
    if scheme not in ("", "file"):
        raise UsageError(
            f"--video {one_line(address)}: nothing is known of {scheme}://.",
            f"Give a file, a camera such as /dev/video0, {', '.join(f'{name}://' for name in SCHEMES)}, or {BROWSER}.",
        )
    return FileSource(address.removeprefix("file://"), every=every, again=again)
