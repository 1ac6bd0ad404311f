"""The streaming wake word: a long recording as windows of features, and its detections against the truth.

The official runner plays the recording to the device's microphone. Here the features that the reference computes of it
go over the line, window by window, so that what is judged is the network on the device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.mlperf_tiny.benchmarks import PERFORMANCE_FILES, Benchmark
from edgerig.datasets.mlperf_tiny.features import SWW_FRAME, SWW_STEP, wake_word_features
from edgerig.datasets.mlperf_tiny.plugins import DEBOUNCE, THRESHOLD, TOLERANCE
from edgerig.datasets.mlperf_tiny.recordings import RATE, Recording, recordings
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import DatasetError
from edgerig.suites.mlperf_tiny.runner.records import FileRecord
from edgerig.tasks.judgement import MetricValue, Quality

#: Windows of a part: a session that was cut off goes on at the part where it stopped.
PART_WINDOWS = 500
#: Seconds of the official recording, of which the target counts; and what part of them is as good as all.
OFFICIAL_SECONDS, ENOUGH = 1200.0, 0.95
#: Output of the wake word.
WAKE_WORD = 0
FALSE_POSITIVES, FALSE_NEGATIVES = "false_positives", "false_negatives"


class StreamPart(msgspec.Struct, frozen=True):
    """Consecutive windows of a recording, in the form of a sample's file.

    Attributes:
        name: The wav file, and the first of its windows. label: always that of no class.
        recording: The recording. first: the position of its first window there.
        features: int8, shape (windows + rows of a window - 1, bands).
        window_bytes, stride_bytes: Of a window, and from one to the next.
    """

    name: str
    label: int
    recording: Recording
    first: int
    features: NDArray[np.int8]
    window_bytes: int
    stride_bytes: int

    def read(self) -> bytes:
        """The bytes of all its features."""
        return self.features.tobytes()

    def windows(self) -> list[bytes]:
        """The bytes of each inference."""
        data = self.read()
        return [
            data[start : start + self.window_bytes]
            for start in range(0, len(data) - self.window_bytes + 1, self.stride_bytes)
        ]


def stream_parts(folder: Path, benchmark: Benchmark) -> list[StreamPart]:
    """The recordings of a folder, cut into parts, in their order.

    Raises:
        DatasetError: The list or a recording is missing, wrong, or shorter than five windows.
    """
    rows, bands = benchmark.input_shape[0], benchmark.input_shape[-1]
    spec = TensorSpec("features", (1, bands), "int8", Quantization((benchmark.scale,), (benchmark.zero_point,)))
    parts = []
    for recording in recordings(folder):
        features = quantize_input(wake_word_features(recording.read() / 32768), spec)
        count = len(features) - rows + 1
        if count < PERFORMANCE_FILES:
            raise DatasetError(
                f"{recording.path} lasts {recording.seconds:.3g} s, which is too short for five windows."
            )
        size = min(PART_WINDOWS, count // PERFORMANCE_FILES)
        for first in range(0, count, size):
            rest = features[first : min(first + size, count) + rows - 1]
            name = f"{recording.path.name}@{first}"
            parts.append(StreamPart(name, -1, recording, first, rest, rows * bands, bands))
    return parts


def stream_quality(parts: Sequence[StreamPart], records: Sequence[FileRecord], rows: int) -> Quality:
    """False positives and false negatives over all recordings.

    As the official runner counts, to the millisecond: a detection within a wake word or up to 1 s after its end finds
    it; a word without one is a false negative; of the detections that find none, those within 1 s of one that counts
    are one false positive. A detection is a window whose score of the wake word is above 0.95, at the time at which its
    sound ends.

    Args:
        parts, records: As they were run, in order.
        rows: Rows of features in a window.
    """
    times: dict[Path, list[int]] = {}
    words: dict[Path, tuple[tuple[float, float], ...]] = {}
    for part, record in zip(parts, records, strict=True):
        scores = np.array([output[WAKE_WORD] for output in record.outputs])
        ends = ((part.first + np.arange(len(scores)) + rows - 1) * SWW_STEP + SWW_FRAME) * 1000 // RATE
        times.setdefault(part.recording.path, []).extend(ends[scores > THRESHOLD].tolist())
        words[part.recording.path] = part.recording.wake_words
    outcomes = [detections(times[path], words[path]) for path in times]
    false, missed, hits = (sum(outcome[index] for outcome in outcomes) for index in range(3))
    metrics = (
        MetricValue(name=FALSE_POSITIVES, value=false, higher_is_better=False, unit=""),
        MetricValue(name=FALSE_NEGATIVES, value=missed, higher_is_better=False, unit=""),
        MetricValue(name="true_positives", value=hits, higher_is_better=True, unit=""),
    )
    count = sum(len(record.outputs) for record in records)
    warnings = [] if hits + missed else ["There is no wake word in the recordings."]
    if not is_whole(count):
        warnings.append(
            f"What was run lasts {count * SWW_STEP / RATE:.0f} s, and the official recording {OFFICIAL_SECONDS:g} s, "
            "of which the target counts: fewer errors in less time do not reach it."
        )
    return Quality(samples=count, metrics=metrics, warnings=tuple(warnings))


def is_whole(windows: int) -> bool:
    """Whether so many windows are as long as the official recording."""
    return windows * SWW_STEP / RATE >= ENOUGH * OFFICIAL_SECONDS


def detections(times: Sequence[int], words: Sequence[tuple[float, float]]) -> tuple[int, int, int]:
    """False positives, false negatives and true positives of detections.

    Args:
        times: Of the detections, ascending, in whole milliseconds, as the official interface board tells them.
        words: Begin and end of each wake word, ascending, in seconds.

    >>> detections([200, 1200, 1300, 5000, 5500, 6200], [(1.0, 1.5), (3.0, 3.5)])
    (3, 1, 1)
    """
    free = list(times)
    hits = 0
    for begin, end in words:
        outside = [time for time in free if not begin <= time / 1000 <= end + TOLERANCE]
        hits += len(outside) < len(free)
        free = outside
    false, last = 0, -math.inf
    for time in free:
        if time > last + 1000 * DEBOUNCE:
            false, last = false + 1, time
    return false, len(words) - hits, hits
