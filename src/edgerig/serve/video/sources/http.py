"""Frames of an HTTP address: MJPEG (multipart/x-mixed-replace) as cameras send it, or any video that PyAV knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edgerig.serve.video.sources.base import Picture, VideoSource, decoded

#: Nothing is held back to smooth its rate; what a playlist names must be on the network, too.
OPTIONS = {"fflags": "nobuffer", "flags": "low_delay", "protocol_whitelist": "http,https,tcp,tls,crypto"}


class HttpSource(VideoSource):
    """``http://HOST/PATH`` or ``https://``."""

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        return decoded(self.address, self.shown, stop, options=OPTIONS)
