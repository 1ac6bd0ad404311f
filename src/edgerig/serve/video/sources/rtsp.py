"""Frames of an RTSP server, as most IP cameras are."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edgerig.serve.video.sources.base import Picture, VideoSource, decoded

#: Over TCP, since lost packets of UDP make torn frames; nothing is held back to smooth its rate.
OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay", "allowed_media_types": "video"}


class RtspSource(VideoSource):
    """``rtsp://HOST[:554]/PATH``."""

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        return decoded(self.address, self.shown, stop, options=OPTIONS)
