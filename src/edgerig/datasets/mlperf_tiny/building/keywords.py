"""Keywords and wake words out of Speech Commands (Warden, 2018, arXiv:1804.03209), as features that the reference would
compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import SplitName
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, KEYWORDS
from edgerig.datasets.mlperf_tiny.building.parts import Candidate, Candidates, drawn
from edgerig.datasets.mlperf_tiny.features import RATE, keyword_features, wake_word_features
from edgerig.datasets.mlperf_tiny.recordings import read_wav
from edgerig.datasets.mlperf_tiny.writing import quantized
from edgerig.errors import DatasetError

#: Values of a sample out of a second of sound.
Features = Callable[[NDArray[Any]], NDArray[np.int8]]

WORDS = KEYWORDS[:10]
SILENCE, UNKNOWN = KEYWORDS.index("silence"), KEYWORDS.index("unknown")
#: Lists of the whole data set: which files are to validate and to test with; all others are to train with.
LISTS: dict[str, SplitName] = {"testing_list.txt": "test", "validation_list.txt": "validation"}
NOISE = "_background_noise_"
#: Folders of the archive that has test samples alone, and what they are.
READY = {"_silence_": SILENCE, "_unknown_": UNKNOWN}
#: Other words to train the wake word with, for each time that it is said.
OTHERS = 4
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
        return {
            "test": [_clip(path, label, features_of) for name, label in labels.items() for path in _wavs(source / name)]
        }
    parts, unknown, noise = _divided(source, WORDS, features_of)
    for part, candidates in parts.items():
        candidates += drawn(unknown[part], max(1, len(candidates) // len(WORDS)))
        candidates += noise[part]
    return parts if training else {"test": parts["test"]}


def wake_words(source: Path, training: bool) -> Candidates:
    """What to train and to validate the streaming wake word with.

    Seconds with "marvin", with other words, four times as many, and of background noise. They are as loud as they were
    recorded; the reference changes loudness at random while it trains. It is tested on a recording, which comes with
    MLCommons' runner.

    Raises:
        DatasetError: ``source`` is not the whole data set, or nothing is to be trained.
    """
    if not training:
        raise DatasetError(
            "Speech Commands has no recording to test the streaming wake word with.",
            "Make samples to train with (--train), and take the recording from MLCommons' runner.",
        )
    parts, unknown, noise = _divided(source, ("marvin",), wake_word_features_of)
    del parts["test"]
    for part, candidates in parts.items():
        candidates += drawn(unknown[part], OTHERS * len(candidates))
        candidates += noise[part]
    labels = {0: 0, SILENCE: 1, UNKNOWN: 2}
    return {
        part: [candidate._replace(label=labels[candidate.label]) for candidate in candidates]
        for part, candidates in parts.items()
    }


def _divided(source: Path, words: Sequence[str], features: Features) -> tuple[Candidates, Candidates, Candidates]:
    """Clips of ``words``, clips of all other words, and seconds of noise, each by its part."""
    lists = {part: _listed(source / name) for name, part in LISTS.items()}
    missing = [word for word in words if not (source / word).is_dir()]
    if missing:
        raise DatasetError(
            f"{source} has no folder {', '.join(missing[:3])}.", "Give the folder of Speech Commands, version 2."
        )
    own: Candidates = {"test": [], "train": [], "validation": []}
    others: Candidates = {"test": [], "train": [], "validation": []}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))):
        label = words.index(folder.name) if folder.name in words else UNKNOWN
        for path in _wavs(folder):
            part = _part(f"{folder.name}/{path.name}", lists)
            (own if label != UNKNOWN else others)[part].append(_clip(path, label, features))
    return own, others, _noise(source / NOISE, features)


def features_of(samples: NDArray[Any]) -> NDArray[np.int8]:
    """The values of a sample: features, quantized by the reference network's scale."""
    return quantized(keyword_features(samples), BENCHMARKS["kws01"])


def wake_word_features_of(samples: NDArray[Any]) -> NDArray[np.int8]:
    """The values of a second of sound, filled with zeros, for the streaming wake word; quantized as `features_of`."""
    sound = np.zeros(RATE)
    sound[: min(len(samples), RATE)] = samples[:RATE] / 32768
    return quantized(wake_word_features(sound)[:, None, :], BENCHMARKS["sww01"])


def _clip(path: Path, label: int, features: Features) -> Candidate:
    return Candidate(f"{path.parent.name}_{path.stem}.bin".strip("_"), label, lambda: features(read_wav(path)))


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


def _noise(folder: Path, features: Features) -> Candidates:
    """Seconds of background noise; a file's first stretch is to train with, its last one to test."""
    parts: Candidates = {"test": [], "train": [], "validation": []}
    files = _wavs(folder)
    if not files:
        raise DatasetError(f"{folder} has no wav files.", "Silence is cut out of the data set's background noise.")
    for path in files:
        count = len(read_wav(path)) // RATE
        for second in range(count):
            stretch = int(np.searchsorted(NOISE_SHARES, (second + 0.5) / count))
            parts[STRETCHES[stretch]].append(_second(path, second, features))
    return parts


def _second(path: Path, number: int, features: Features) -> Candidate:
    def values() -> NDArray[np.int8]:
        return features(read_wav(path)[number * RATE : (number + 1) * RATE])

    return Candidate(f"noise_{path.stem}_{number:03}.bin", SILENCE, values)
