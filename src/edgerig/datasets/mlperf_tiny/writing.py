"""Writes sample folders in the official form."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.datasets.mlperf_tiny.labels import LABELS_FILE
from edgerig.datasets.mlperf_tiny.recordings import OFFICIAL, RATE, SAMPLE_BYTES
from edgerig.datasets.mlperf_tiny.sample_folder import ELEMENTS
from edgerig.errors import DatasetError, storing

Array = NDArray[Any]


class NewSample(NamedTuple):
    """A sample to write: its file's name, its class, and its values in the type of the benchmark's files."""

    name: str
    label: int
    values: Array


def write_samples(folder: Path, benchmark: Benchmark, samples: Iterable[NewSample]) -> int:
    """Write files and ``y_labels.csv``, the latter last: a folder without it was not finished.

    Returns:
        The number of samples.

    Raises:
        DatasetError: A sample is of another type or size. StorageError: The folder cannot be written.
    """
    lines = []
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for sample in samples:
            if sample.values.dtype != ELEMENTS[benchmark.input_type]:
                raise DatasetError(f"{sample.name} is {sample.values.dtype}, and {benchmark.name} has others.")
            (folder / sample.name).write_bytes(np.ascontiguousarray(sample.values).tobytes())
            fields = [sample.name, benchmark.label_classes, sample.label]
            if benchmark.window_bytes is not None:
                fields += [benchmark.window_bytes, benchmark.stride_bytes]
            lines.append(",".join(map(str, fields)))
        files.write_text(folder / LABELS_FILE, "\n".join(lines) + "\n")
    return len(lines)


def quantized(values: Array, benchmark: Benchmark) -> NDArray[np.int8]:
    """Real values by the reference network's scale and zero point, in float32 and cut towards 0, as the official files
    are made. What is beyond the range of int8 is clamped.
    """
    steps = values.astype(np.float32) / np.float32(benchmark.scale) + np.float32(benchmark.zero_point)
    return np.asarray(np.clip(np.trunc(steps), -128, 127), np.int8)


def write_recording(folder: Path, name: str, sound: Array, words: Sequence[tuple[float, float]]) -> None:
    """Write a wav file of int16 samples, and the list that says when wake words are heard in it, in seconds.

    Raises:
        StorageError: The folder cannot be written.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as out, wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(RATE)
            file.writeframes(sound.astype("<i2").tobytes())
        entry = {
            "wav_file": name,
            "sample_rate": RATE,
            "length_sec": len(sound) / RATE,
            "detection_windows": [list(word) for word in words],
        }
        files.write_text(folder / OFFICIAL, json.dumps([entry], indent=1) + "\n")
