"""Random numbers of any shape: for speed, memory and smoke tests, not for quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files, plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets import preprocess
from edgerig.datasets.base import SPLITS, Dataset, Samples, SplitName
from edgerig.progress import Progress

#: Numbers that are generated at once; even, since a word of the stream makes two.
_PIECE = 1 << 20

Positive = Annotated[int, msgspec.Meta(ge=1)]


class RandomSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``random``."""

    shape: Annotated[
        tuple[Positive, ...], msgspec.Meta(description="shape of one sample, such as [28, 28, 1]", min_length=1)
    ] = (28, 28, 1)
    classes: Annotated[int, msgspec.Meta(description="number of classes to draw labels from; 0 for none", ge=0)] = 0
    dtype: Annotated[
        Literal["float32", "uint8", "int8", "int16", "int32"],
        msgspec.Meta(description="float32 in [0, 1), or integers over their whole range"),
    ] = "float32"
    samples: Annotated[int, msgspec.Meta(description="samples in each split", ge=1)] = 100
    seed: Annotated[int, msgspec.Meta(description="equal seeds give equal numbers everywhere", ge=0)] = 0


class RandomSamples(Samples):
    """Samples that are generated on access; sample i depends only on the settings, the stream and i.

    Args:
        settings: Shape, dtype and seed.
        stream: Distinguishes splits of the same settings.
        places: Positions of the samples in the stream, in order, shape (n,).
    """

    def __init__(self, settings: RandomSettings, stream: int, places: Sequence[int] | NDArray[np.int64]) -> None:
        self._settings, self._stream = settings, stream
        self._places = np.asarray(places, np.int64)
        self.labels = np.array([self._label(int(index)) for index in self._places], np.int64)
        self.fingerprint = files.digest(["random", settings, stream, self._places.tolist()])

    def raw(self, index: int) -> NDArray[np.generic]:
        settings, count = self._settings, math.prod(self._settings.shape)
        values: NDArray[Any]
        if settings.dtype == "float32":
            values = self._fractions(int(self._places[index]), count)
        else:
            dtype = np.dtype(settings.dtype)
            bytes_ = self._bits(int(self._places[index]), dtype.itemsize * count)
            values = bytes_.view(dtype.newbyteorder("<")).astype(dtype)
        return values.reshape(settings.shape)

    def inputs(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[np.float32]:
        chosen = np.arange(len(self))[indices]
        raw = np.empty((len(chosen), *self._settings.shape), self._settings.dtype)
        for row, index in enumerate(chosen):
            raw[row] = self.raw(int(index))
        return preprocess.apply(raw, preprocessing)

    def take(self, indices: NDArray[np.int64]) -> RandomSamples:
        return RandomSamples(self._settings, self._stream, self._places[indices])

    def _label(self, index: int) -> int:
        # Classes alternate, so that none is empty.
        return index % self._settings.classes if self._settings.classes else -1

    def _fractions(self, index: int, count: int) -> NDArray[np.float32]:
        """``count`` numbers from the stream of `_bits`, generated in chunks: a sample may be large."""
        generator = self._generator(index)
        values = np.empty(count, np.float32)
        for start in range(0, count, _PIECE):
            words = np.asarray(generator.random_raw(-(-min(_PIECE, count - start) // 2)), "<u8")
            # The upper 24 bits as a fraction: each is a float32 exactly, and all are equally likely.
            bits = words.view("<u4")[: count - start] >> 8
            values[start : start + _PIECE] = bits.astype(np.float32) * np.float32(2.0**-24)
        return values

    def _generator(self, index: int) -> np.random.PCG64:
        """The raw stream of PCG64 is the same in every version of numpy."""
        return np.random.PCG64([self._settings.seed, self._stream, index])

    def _bits(self, index: int, count: int) -> NDArray[np.uint8]:
        """``count`` random bytes."""
        words = np.asarray(self._generator(index).random_raw(-(-count // 8)), "<u8")
        return words.view(np.uint8)[:count]


class Random(Dataset):
    """Random numbers of any shape. Its labels mean nothing, so that no quality is computed."""

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "random numbers of any shape, for speed and smoke tests; nothing is judged"
    task: str = "none"
    Settings: ClassVar[type[plugins.Settings]] = RandomSettings

    settings: RandomSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(index) for index in range(self.settings.classes))

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.settings.shape

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    def _prepare(self, progress: Progress) -> None:
        return None

    def _split(self, name: SplitName) -> RandomSamples:
        return RandomSamples(self.settings, SPLITS.index(name), range(self.settings.samples))
