"""Scenes of handwritten digits: those of MNIST in several sizes, placed side by side, each with its box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.datasets.boxes import BoxedSamples
from edgerig.datasets.mnist import Mnist
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import SpecError
from edgerig.progress import Progress
from edgerig.tasks.box_truth import ImageBoxes

#: Side of MNIST's images, and of the smallest digit in a scene, in pixels.
LARGEST, SMALLEST = 28, 16
#: Darkest pixel that belongs to a digit: its box encloses all of these.
INK = 32
#: Samples of a digit along each side of a pixel of the scene.
SAMPLES = 4
#: Tries to place a digit where none is yet, before it is left out.
TRIES = 20


class MnistScenesSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``mnist-scenes``."""

    size: Annotated[int, msgspec.Meta(description="height and width of a scene, in pixels", ge=LARGEST)] = 64
    most: Annotated[int, msgspec.Meta(description="digits of a scene at most", ge=1, le=20)] = 4
    train: Annotated[int, msgspec.Meta(description="training scenes", ge=1)] = 2000
    validation: Annotated[int, msgspec.Meta(description="scenes to validate with", ge=1)] = 300
    test: Annotated[int, msgspec.Meta(description="test scenes", ge=1)] = 500
    seed: Annotated[int, msgspec.Meta(description="equal seeds give equal scenes everywhere", ge=0)] = 0


class MnistScenes(Dataset):
    """Scenes put together from the bundled digits: those of the test split appear in test scenes alone."""

    name: ClassVar[str] = "mnist-scenes"
    summary: ClassVar[str] = "detection: scenes of 1 to 4 handwritten digits with their boxes, 64x64 grey; bundled"
    task: str = "detection"
    Settings: ClassVar[type[plugins.Settings]] = MnistScenesSettings

    settings: MnistScenesSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple("0123456789")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, 1)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Progress) -> None:
        self._scenes: dict[SplitName, BoxedSamples] = {}
        self._digits = Mnist()
        self._digits.prepare(progress)

    def _split(self, name: SplitName) -> BoxedSamples:
        if name not in self._scenes:
            self._scenes[name] = self._put_together(name)
        return self._scenes[name]

    def _put_together(self, name: SplitName) -> BoxedSamples:
        settings = self.settings
        count = {"train": settings.train, "validation": settings.validation, "test": settings.test}[name]
        digits = self._digits.split(name)
        if not isinstance(digits, ArraySamples):
            raise SpecError("Dataset 'mnist' keeps its digits in no array.")
        numbers = _uniform([settings.seed, SPLITS.index(name)])
        scenes = [_scene(digits, settings, numbers) for _ in range(count)]
        return BoxedSamples(np.stack([scene for scene, _ in scenes]), [boxes for _, boxes in scenes])


def _scene(
    digits: ArraySamples, settings: MnistScenesSettings, numbers: Iterator[float]
) -> tuple[NDArray[np.uint8], ImageBoxes]:
    """One scene, (size, size, 1), and its boxes."""
    size = settings.size
    scene = np.zeros((size, size, 1), np.uint8)
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    for _ in range(1 + int(next(numbers) * settings.most)):
        index = int(next(numbers) * len(digits))
        side = SMALLEST + int(next(numbers) * (LARGEST - SMALLEST + 1))
        digit = _cropped(_shrunk(digits.array[index, :, :, 0], side))
        height, width = digit.shape
        for _ in range(TRIES):
            top, left = int(next(numbers) * (size - height + 1)), int(next(numbers) * (size - width + 1))
            # With a pixel around, so that boxes do not touch.
            if not scene[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1].any():
                scene[top : top + height, left : left + width, 0] = digit
                boxes.append((left, top, width, height))
                labels.append(int(digits.labels[index]))
                break
    return scene, ImageBoxes(np.array(boxes, np.float64).reshape(-1, 4), np.array(labels, np.int64))


def _shrunk(digit: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A digit, (28, 28), of another side: in integers alone, so that it is the same on every machine."""
    fine = SAMPLES * side
    near = (2 * np.arange(fine) + 1) * LARGEST // (2 * fine)
    sampled = digit[near][:, near].astype(np.int64).reshape(side, SAMPLES, side, SAMPLES)
    return np.asarray(sampled.sum(axis=(1, 3)) // SAMPLES**2, np.uint8)


def _cropped(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of a digit that its ink fills."""
    ink = digit >= INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return np.asarray(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _uniform(seed: list[int]) -> Iterator[float]:
    """Numbers from 0 to below 1; the raw stream of PCG64 is the same in every version of numpy."""
    generator = np.random.PCG64(seed)
    while True:
        words = np.asarray(generator.random_raw(4096), np.uint64)
        yield from ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()
