"""Keywords out of Speech Commands (Warden, 2018, arXiv:1804.03209), as features that the reference would compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import SplitName
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, KEYWORDS
from edgerig.datasets.mlperf_tiny.building.parts import Candidate, Candidates, drawn
from edgerig.datasets.mlperf_tiny.features import RATE, keyword_features
from edgerig.datasets.mlperf_tiny.recordings import read_wav
from edgerig.datasets.mlperf_tiny.writing import quantized
from edgerig.errors import DatasetError

WORDS = KEYWORDS[:10]
SILENCE, UNKNOWN = KEYWORDS.index("silence"), KEYWORDS.index("unknown")
#: Lists of the whole data set: which files are to validate and to test with; all others are to train with.
LISTS: dict[str, SplitName] = {"testing_list.txt": "test", "validation_list.txt": "validation"}
NOISE = "_background_noise_"
#: Folders of the archive that has test samples alone, and what they are.
READY = {"_silence_": SILENCE, "_unknown_": UNKNOWN}
#: Shares of the background noise to train and to validate with; the rest is to test.
NOISE_SHARES = (0.8, 0.9)
STRETCHES: tuple[SplitName, ...] = ("train", "validation", "test")


def keywords(source: Path, training: bool) -> Candidates:
    """The samples of Speech Commands, version 2: the whole data set, or the archive of its test samples.

    Of the whole data set, words that are no keywords are unknown, as many as there are of a keyword; silence is pieces
    of a second of the background noise, of which training, validation and test have different stretches.

    Raises:
        DatasetError: ``source`` is neither of the two.
    """
    if all((source / name).is_dir() for name in READY):
        if training:
            raise DatasetError(f"{source} has test samples alone.", "Give the whole data set to train with.")
        labels = {**{word: number for number, word in enumerate(WORDS)}, **READY}
        return {"test": [_clip(path, label) for name, label in labels.items() for path in _wavs(source / name)]}
    lists = {part: _listed(source / name) for name, part in LISTS.items()}
    missing = [word for word in WORDS if not (source / word).is_dir()]
    if missing:
        raise DatasetError(
            f"{source} has no folder {', '.join(missing[:3])}.", "Give the folder of Speech Commands, version 2."
        )
    parts: Candidates = {"test": [], "train": [], "validation": []}
    unknown: Candidates = {"test": [], "train": [], "validation": []}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))):
        label = WORDS.index(folder.name) if folder.name in WORDS else UNKNOWN
        for path in _wavs(folder):
            part = _part(f"{folder.name}/{path.name}", lists)
            (parts if label != UNKNOWN else unknown)[part].append(_clip(path, label))
    noise = _noise(source / NOISE)
    for part, candidates in parts.items():
        candidates += drawn(unknown[part], max(1, len(candidates) // len(WORDS)))
        candidates += noise[part]
    return parts if training else {"test": parts["test"]}


def features_of(samples: NDArray[Any]) -> NDArray[np.int8]:
    """The values of a sample: features, quantized by the reference network's scale."""
    return quantized(keyword_features(samples), BENCHMARKS["kws01"])


def _clip(path: Path, label: int) -> Candidate:
    return Candidate(f"{path.parent.name}_{path.stem}.bin".strip("_"), label, lambda: features_of(read_wav(path)))


def _wavs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.wav") if not path.name.startswith("."))


def _listed(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"Cannot read {path}: {getattr(error, 'strerror', None) or 'it is no text'}.",
            "Give the folder of Speech Commands, version 2: the whole data set, or the archive of its test samples.",
        ) from error


def _part(name: str, lists: dict[SplitName, set[str]]) -> SplitName:
    return next((part for part, names in lists.items() if name in names), "train")


def _noise(folder: Path) -> Candidates:
    """Seconds of background noise; a file's first stretch is to train with, its last one to test."""
    parts: Candidates = {"test": [], "train": [], "validation": []}
    files = _wavs(folder)
    if not files:
        raise DatasetError(f"{folder} has no wav files.", "Silence is cut out of the data set's background noise.")
    for path in files:
        count = len(read_wav(path)) // RATE
        for second in range(count):
            stretch = int(np.searchsorted(NOISE_SHARES, (second + 0.5) / count))
            parts[STRETCHES[stretch]].append(_second(path, second))
    return parts


def _second(path: Path, number: int) -> Candidate:
    def values() -> NDArray[np.int8]:
        return features_of(read_wav(path)[number * RATE : (number + 1) * RATE])

    return Candidate(f"noise_{path.stem}_{number:03}.bin", SILENCE, values)
