"""Small folders in the official form."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.seeded import write_seeded

#: Writes `ROOT/NAME` with files of the given bytes and the lines of its `y_labels.csv`; returns ROOT.
MakeSamples = Callable[[str, dict[str, bytes], str], Path]
#: Writes `ROOT/sww01` with a wav file of noise and a list; returns ROOT.
MakeRecording = Callable[..., Path]


@pytest.fixture
def make_samples(tmp_path: Path) -> MakeSamples:
    def make(name: str, files: dict[str, bytes], labels: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        (folder / "y_labels.csv").write_bytes(labels.encode())
        return tmp_path

    return make


def write_wav(path: Path, samples: np.ndarray, rate: int = 16_000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def make_recording(tmp_path: Path) -> MakeRecording:
    def make(
        words: Sequence[tuple[float, float]] = ((1.0, 1.5),), seconds: float = 3.0, wav: str = "x.wav", **changes: Any
    ) -> Path:
        noise = np.random.RandomState(0).randint(-1000, 1000, int(seconds * 16_000))
        write_wav(tmp_path / "sww01" / wav, noise)
        entry = {
            "wav_file": "x.wav",
            "sample_rate": 16000,
            "length_sec": seconds,
            "detection_windows": words,
            **changes,
        }
        (tmp_path / "sww01" / "sww_long_test.json").write_text(json.dumps([entry]))
        return tmp_path

    return make


@pytest.fixture(scope="session")
def seeded_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with seeded folders of all benchmarks, 3 samples of each class to test with."""
    root = tmp_path_factory.mktemp("mlperf-tiny")
    for name in BENCHMARKS:
        write_seeded(root, name, per_class=3)
    return root
