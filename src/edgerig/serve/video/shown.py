"""A frame with what the network said of it, as it goes to viewers, recordings and the folder of kept frames."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.serve.video.answers import Answer
from edgerig.serve.video.frame import Pixels


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one frame.

    Attributes:
        decode: From the source's form to pixels.
        prepare: From pixels to the network's input.
        queue, network: Waiting for a session, and the inference on the device, by its clock.
        transport: The rest of what the pool takes: quantizing, and the way to the device and back.
        answer: From outputs to class, mask or boxes.
        overlay, encode: Drawing, and JPEG; 0 where nobody watches.
    """

    decode: float = 0.0
    prepare: float = 0.0
    queue: float = 0.0
    network: float = 0.0
    transport: float = 0.0
    answer: float = 0.0
    overlay: float = 0.0
    encode: float = 0.0

    @property
    def display(self) -> float:
        """Our own time of a frame, beside the decoder's, the queue's and the network's."""
        return self.prepare + self.transport + self.answer + self.overlay + self.encode


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A frame and its answer.

    Attributes:
        number: Of the frame; ``captured``: in seconds of `time.monotonic`; ``seconds``: its time in the video.
        pixels: Of the frame itself. image: A Pillow image with everything drawn on it.
        jpeg: That, encoded; None where nobody watches.
        answer: None where the network failed, and ``error`` says why.
        times: Of each stage.
    """

    number: int
    captured: float
    seconds: float | None
    pixels: Pixels
    image: Any
    jpeg: bytes | None
    answer: Answer | None
    error: str
    times: Times
