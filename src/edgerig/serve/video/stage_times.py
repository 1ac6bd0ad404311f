"""Times of the last frames, by stage."""

from __future__ import annotations

import statistics
from collections import deque

import msgspec

from edgerig.serve.video.shown import Times

#: Frames that are looked back at.
FRAMES = 300


class StageTimes:
    """Collects the times of frames."""

    def __init__(self) -> None:
        self._times: deque[Times] = deque(maxlen=FRAMES)

    def add(self, times: Times) -> None:
        """Add those of a frame."""
        self._times.append(times)

    def medians(self) -> dict[str, float]:
        """The median of each stage in ms over the last `FRAMES` frames, and of ``display``; empty before the first."""
        if not self._times:
            return {}
        rows = [{**msgspec.structs.asdict(times), "display": times.display} for times in self._times]
        return {name: statistics.median(row[name] for row in rows) for name in rows[0]}
