"""The benchmarks of MLPerf Tiny as datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Samples
from edgerig.datasets.cut_samples import CutSamples
from edgerig.datasets.mlperf_tiny.base import TinyClasses, TinyDataset, TinySettings
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.datasets.mlperf_tiny.features import SWW_FRAME, SWW_STEP, wake_word_features
from edgerig.datasets.mlperf_tiny.recordings import RATE, Recording, recordings
from edgerig.datasets.mlperf_tiny.sample_folder import ELEMENTS, SampleFile, dequantized, stored_values
from edgerig.datasets.samples import ArraySamples

#: Score from which on the reference reports a wake word.
THRESHOLD = 0.95
#: Seconds after a wake word's end in which it may be reported, and in which further false reports are one.
TOLERANCE, DEBOUNCE = 1.0, 1.0


class KeywordSpotting(TinyClasses):
    """Features of 1,000 seconds of speech, 12 classes. They are int8 in the files, and dequantized."""

    name: ClassVar[str] = "mlperf-tiny-kws"
    summary: ClassVar[str] = "MLPerf Tiny's keyword spotting: 49x10 features of a second of speech, 12 classes"
    benchmark: ClassVar[Benchmark] = BENCHMARKS["kws01"]


class VisualWakeWords(TinyClasses):
    """1,000 photographs, with a person or without."""

    name: ClassVar[str] = "mlperf-tiny-vww"
    summary: ClassVar[str] = "MLPerf Tiny's visual wake words: photographs of 96x96, with a person or without"
    benchmark: ClassVar[Benchmark] = BENCHMARKS["vww01"]

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)


class ImageClassification(TinyClasses):
    """200 pictures of CIFAR-10. The reference network takes their pixels as they are, from 0 to 255."""

    name: ClassVar[str] = "mlperf-tiny-ic"
    summary: ClassVar[str] = "MLPerf Tiny's image classification: pictures of CIFAR-10, 32x32, 10 classes"
    benchmark: ClassVar[Benchmark] = BENCHMARKS["ic01"]


class AnomalyDetection(TinyDataset):
    """Spectra of 248 recordings of toy cars, normal or anomalous, cut into windows of 5 spectra, 196 a recording."""

    name: ClassVar[str] = "mlperf-tiny-ad"
    summary: ClassVar[str] = "MLPerf Tiny's anomaly detection: 640 values of the sound of a toy car, 196 times a file"
    benchmark: ClassVar[Benchmark] = BENCHMARKS["ad01"]
    task: str = "anomaly"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("normal", "anomalous")

    def _read(self, samples: list[SampleFile]) -> CutSamples:
        element = ELEMENTS[self.benchmark.input_type]
        values = [np.frombuffer(sample.read(), element).astype(np.float32) for sample in samples]
        offsets = np.cumsum([0, *map(len, values)])
        starts = [
            offset + sample.stride_bytes // element.itemsize * np.arange(sample.window_count)
            for offset, sample in zip(offsets, samples, strict=False)
        ]
        return CutSamples(
            np.concatenate(values),
            np.concatenate(starts),
            self.benchmark.input_shape,
            [sample.label for sample in samples],
            [sample.window_count for sample in samples],
        )


class WakeWordSettings(TinySettings, frozen=True, kw_only=True):
    """Settings of ``mlperf-tiny-sww``."""

    list: Annotated[
        str | None, msgspec.Meta(description="the JSON file that lists the recordings; by default the official one")
    ] = None


class StreamingWakeWord(TinyDataset):
    """A recording of 20 minutes in which a wake word is said 50 times; a frame each 32 ms, of the 0.99 s before it.

    Frames at whose end a wake word is being said have its class. The training samples are features of single words.
    """

    name: ClassVar[str] = "mlperf-tiny-sww"
    summary: ClassVar[str] = "MLPerf Tiny's streaming wake word: a recording of 20 minutes, 30x40 features each 32 ms"
    Settings: ClassVar[type[plugins.Settings]] = WakeWordSettings
    benchmark: ClassVar[Benchmark] = BENCHMARKS["sww01"]
    task: str = "streaming"
    task_options: Mapping[str, Any] = {
        "hop": SWW_STEP / RATE,
        "threshold": THRESHOLD,
        "tolerance": TOLERANCE,
        "refractory": DEBOUNCE,
        "background": ("silence", "unknown"),
    }

    settings: WakeWordSettings

    def _read(self, samples: list[SampleFile]) -> ArraySamples:
        benchmark = self.benchmark
        values = [dequantized(stored_values(sample.read(), benchmark), benchmark) for sample in samples]
        return ArraySamples(np.stack(values), [sample.label for sample in samples])

    def _read_test(self, folder: Path) -> Samples:
        frames, bands = self.benchmark.input_shape[0], self.benchmark.input_shape[-1]
        values: list[NDArray[np.float32]] = []
        starts: list[NDArray[np.int64]] = []
        labels: list[NDArray[np.int64]] = []
        offset = 0
        for recording in recordings(folder, self.settings.list):
            features = wake_word_features(recording.read() / 32768)
            values.append(features.reshape(-1))
            count = len(features) - frames + 1
            starts.append(offset + bands * np.arange(count))
            labels.append(frame_labels(recording, count, frames))
            offset += features.size
        streams = np.repeat(np.arange(len(starts)), [len(part) for part in starts])
        return CutSamples(
            np.concatenate(values),
            np.concatenate(starts),
            self.benchmark.input_shape,
            np.concatenate(labels),
            streams=streams if len(starts) > 1 else None,
        )


def frame_labels(recording: Recording, count: int, frames: int) -> NDArray[np.int64]:
    """The class of each inference of a stream, shape (count,): 0 where a wake word is being said at its end, 1 else.

    Args:
        frames: Rows of features of an inference; the last one ends with the sound that it hears.
    """
    ends = ((np.arange(count) + frames - 1) * SWW_STEP + SWW_FRAME) / RATE
    labels = np.ones(count, np.int64)
    for begin, end in recording.wake_words:
        labels[(ends >= begin) & (ends <= end)] = 0
    return labels
