"""What the way in called video is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from edgerig.artifact import Fit
from edgerig.serve.video.answers import THRESHOLD
from edgerig.tensors import Layout

#: ``own``: a file plays at its own rate, and frames that come too fast are dropped. ``max``: every frame is processed.
Rate = Literal["own", "max"]
#: At the end of a file: begin again, or stay with its last picture.
End = Literal["loop", "stop"]


class ViewSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How pictures come to a network, and what its outputs mean.

    Attributes:
        task, task_settings: What the outputs mean; guessed from their shapes by default.
        labels: File with the names of the classes.
        fitting: How pictures of another aspect ratio fit, where the network's description does not say it.
        layout: Order of the input's axes, where its shape does not say it.
        threshold: Lowest score of a box that is shown.
    """

    task: str | None = None
    task_settings: dict[str, Any] = {}
    labels: Path | None = None
    fitting: Fit = "stretch"
    layout: Layout | None = None
    threshold: float = THRESHOLD


class VideoSettings(ViewSettings, frozen=True, kw_only=True):
    """Settings of `edgerig.serve.video.way.Video`.

    Attributes:
        source: A file, ``/dev/video0``, ``rtsp://..``, ``http://..``, or ``browser``.
        rate, end: Of a file; ``end`` is ``stop`` by default where it is recorded, else ``loop``.
        record: A file that pictures are written to.
        keep, keep_rules, keep_most, keep_form: A folder for frames, which of them, its bytes at most, and their form.
    """

    source: str
    rate: Rate = "own"
    end: End | None = None
    record: Path | None = None
    keep: str | None = None
    keep_rules: str = "every:60s"
    keep_most: str = "1GB"
    keep_form: Literal["png", "jpeg"] = "png"
