"""Samples made from a seed, in the official form: to try everything with where the official ones are not at hand.

They are easy: each class has a pattern of its own under noise. A quality on them says that a chain works, and nothing
of how a network does on the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.datasets.mlperf_tiny.features import RATE, wake_word_features
from edgerig.datasets.mlperf_tiny.writing import NewSample, quantized, write_recording, write_samples

Array = NDArray[Any]
#: Numpy promises never to change this generator's numbers, other than those of `numpy.random.default_rng`.
Random = np.random.RandomState

#: Seeds of the parts of a folder: what a network is trained with is not what it is tested with.
SEEDS = {"train": 1, "validation": 2, "test": 3}
#: Mel bands of a spectrum of the anomaly benchmark, and spectra in a recording: fewer than the official 200.
AD_BANDS, AD_SPECTRA = 128, 24
#: Seconds between the wake words of the made recording, and of a wake word.
WORD_EVERY, WORD_SECONDS = 3.0, 0.6
#: How the names of files begin that were made from a seed.
_PREFIX = "seeded"


def write_seeded(root: Path, name: str, per_class: int) -> Path:
    """Write ``root/name`` with parts ``train`` and ``validation`` in folders of these names below it.

    Args:
        name: A benchmark's.
        per_class: Samples of each class to test with, and to validate with; there are twice as many to train with. Of
            the streaming wake word: times that it is said in the recording.

    Returns:
        The folder.

    Raises:
        StorageError: It cannot be written.
    """
    benchmark, folder = BENCHMARKS[name], root / name
    for part in ("train", "validation"):
        count = per_class * (2 if part == "train" else 1)
        write_samples(folder / part, benchmark, _samples(benchmark, count, Random(SEEDS[part])))
    if name == "sww01":
        sound, words = recording(per_class, Random(SEEDS["test"]))
        write_recording(folder, f"{_PREFIX}.wav", sound, words)
    else:
        write_samples(folder, benchmark, _samples(benchmark, per_class, Random(SEEDS["test"])))
    return folder


def is_seeded(name: str) -> bool:
    """Whether the sample in a file of this name was made from a seed.

    >>> is_seeded("seeded_0_00000.bin"), is_seeded("tst_000005_down.bin")
    (True, False)
    """
    return name.startswith(_PREFIX)


def _samples(benchmark: Benchmark, per_class: int, random: Random) -> Iterator[NewSample]:
    """Samples with their classes in turn."""
    make = MAKERS[benchmark.name]
    for number in range(per_class):
        for label in range(benchmark.label_classes):
            yield NewSample(f"{_PREFIX}_{label}_{number:05}.bin", label, make(label, random))


def _pattern(label: int, shape: tuple[int, ...]) -> Array:
    """The pattern of a class, smooth along the first two axes, from -1 to 1; the same in all parts."""
    random = Random(1000 + label)
    axes = [np.arange(size) / size for size in shape[:2]]
    waves = sum(
        random.uniform(-1, 1)
        * np.cos(2 * np.pi * (random.randint(1, 4) * axes[0][:, None] + random.randint(1, 4) * axes[1] + random.rand()))
        for _ in range(4)
    )
    return np.asarray(waves) / 2


def keyword(label: int, random: Random) -> NDArray[np.int8]:
    """49 x 10 features of a keyword, in the range of real ones."""
    benchmark = BENCHMARKS["kws01"]
    features = -20 + 25 * _pattern(label, (49, 10)) + random.normal(0, 8, (49, 10))
    return quantized(features[:, :, None], benchmark)


def picture(label: int, random: Random, size: int = 32) -> NDArray[np.uint8]:
    """A picture of ``size`` pixels with the pattern of a class in a colour of the class's own."""
    colour = Random(2000 + label).uniform(0.3, 1.0, 3)
    noise = random.normal(0, 25, (size, size, 3))
    values = 128 + 90 * _pattern(label, (size, size))[:, :, None] * colour + noise
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def scene(label: int, random: Random) -> NDArray[np.uint8]:
    """96 x 96 pixels with clutter; where ``label`` is 1, with an upright figure of a head and a body."""
    y, x = np.mgrid[0:96, 0:96]
    image = np.full((96, 96, 3), random.uniform(60, 120)) + random.normal(0, 12, (96, 96, 3))
    for _ in range(3):
        top, left, height, width = random.randint(0, 80, 2).tolist() + random.randint(6, 24, 2).tolist()
        image[top : top + height, left : left + width] += random.uniform(-40, 40, 3)
    if label:
        middle, top, scale = random.uniform(30, 66), random.uniform(8, 30), random.uniform(0.8, 1.2)
        head = (x - middle) ** 2 + (y - top - 8 * scale) ** 2 < (8 * scale) ** 2
        body = ((x - middle) / (13 * scale)) ** 2 + ((y - top - 38 * scale) / (23 * scale)) ** 2 < 1
        image[head | body] = random.uniform(190, 240, 3)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def machine(label: int, random: Random) -> NDArray[Any]:
    """Spectra of a machine in decibels, shape (24 * 128,), float32; what is anomalous hums in other bands."""
    bands = np.arange(AD_BANDS)
    spectrum = -25 - 12 * np.log1p(bands / 8) + 8 * np.cos(bands / 6)
    if label:
        spectrum = spectrum + 9 * np.exp(-(((bands - random.uniform(30, 100)) / 4) ** 2))
    loudness = random.normal(0, 1, (AD_SPECTRA, 1))
    return np.asarray(spectrum + loudness + random.normal(0, 2, (AD_SPECTRA, AD_BANDS)), "<f4").reshape(-1)


def wake_word_clip(label: int, random: Random) -> NDArray[np.int8]:
    """30 x 1 x 40 features of 0.99 s: the wake word, silence, or something else."""
    sound = _noise(random, 15_872)
    if label != 1:
        word = _word(random) if label == 0 else _other(random)
        start = random.randint(0, len(sound) - len(word))
        sound[start : start + len(word)] += word
    features = wake_word_features(sound)
    return quantized(features[:, None, :], BENCHMARKS["sww01"])


def recording(count: int, random: Random) -> tuple[NDArray[np.int16], list[tuple[float, float]]]:
    """A sound in which the wake word is said ``count`` times, each followed by something else; and when it is said."""
    sound = _noise(random, int((count * WORD_EVERY + 2) * RATE))
    words = []
    for number in range(count):
        begin = 1 + number * WORD_EVERY + random.uniform(0, 0.3)
        for at, piece in ((begin, _word(random)), (begin + 1.7, _other(random))):
            first = int(at * RATE)
            sound[first : first + len(piece)] += piece
        words.append((round(begin, 4), round(begin + WORD_SECONDS, 4)))
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16), words


def _noise(random: Random, samples: int) -> Array:
    return random.normal(0, 0.003, samples)


def _tone(random: Random, start: float, end: float) -> Array:
    """A tone that glides from one frequency to another, in Hz."""
    time = np.arange(int(WORD_SECONDS * RATE)) / RATE
    phase = 2 * np.pi * (start * time + (end - start) * time**2 / (2 * WORD_SECONDS))
    return np.asarray(random.uniform(0.2, 0.6) * np.sin(phase) * np.hanning(len(time)))


def _word(random: Random) -> Array:
    """The wake word: a rising tone and its falling counterpart."""
    return _tone(random, random.uniform(380, 420), 2400) + _tone(random, 3600, random.uniform(1500, 1600))


def _other(random: Random) -> Array:
    """Anything else: a tone that falls, or that stays."""
    start = random.uniform(300, 3000)
    return _tone(random, start, start * random.uniform(0.5, 1.0))


MAKERS: dict[str, Callable[[int, Random], Array]] = {
    "kws01": keyword,
    "vww01": scene,
    "ic01": picture,
    "ad01": machine,
    "sww01": wake_word_clip,
}
