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
from edgerig.datasets.named_samples import NamedSamples
from edgerig.errors import DatasetError
from edgerig.progress import Progress

#: Numbers that are generated at once; even, since a word of the stream makes two.
_PIECE = 1 << 20

Positive = Annotated[int, msgspec.Meta(ge=1)]


class RandomInput(plugins.Settings, frozen=True, kw_only=True):
    """One of several inputs of ``random``."""

    shape: Annotated[tuple[Positive, ...], msgspec.Meta(description="shape of it in one sample; [] for a number")]
    dtype: Annotated[
        Literal["float32", "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"],
        msgspec.Meta(description="real numbers, truth values or integers"),
    ] = "float32"
    low: Annotated[float | None, msgspec.Meta(description="least value; 0, or the least of 8 bits")] = None
    high: Annotated[
        float | None, msgspec.Meta(description="greatest value; 1, which is an index of any table, or that of 8 bits")
    ] = None

    @property
    def limits(self) -> tuple[float, float]:
        """The range of its values; integers reach both ends."""
        low, high = 0.0, 1.0
        if self.dtype in ("int8", "uint8"):
            low, high = float(np.iinfo(self.dtype).min), float(np.iinfo(self.dtype).max)
        return low if self.low is None else self.low, high if self.high is None else self.high


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
    inputs: Annotated[
        dict[str, RandomInput],
        msgspec.Meta(description="several inputs by name, {ids: {shape: [16], dtype: int32, high: 999}}, not `shape`"),
    ] = msgspec.field(default_factory=dict)
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
            values = fractions(self._key(index), count)
        else:
            dtype = np.dtype(settings.dtype)
            bytes_ = _bits(self._key(index), dtype.itemsize * count)
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

    def _key(self, index: int) -> list[int]:
        return [self._settings.seed, self._stream, int(self._places[index])]


class NamedRandomSamples(NamedSamples):
    """Samples of several inputs that are generated on access.

    Args:
        settings, stream, places: As for `RandomSamples`.
    """

    def __init__(self, settings: RandomSettings, stream: int, places: Sequence[int] | NDArray[np.int64]) -> None:
        self._settings, self._stream = settings, stream
        self._places = np.asarray(places, np.int64)
        self.names = tuple(settings.inputs)
        classes = settings.classes
        self.labels = self._places % classes if classes else np.full(len(self._places), -1, np.int64)
        self.fingerprint = files.digest(["random", settings, stream, self._places.tolist()])

    def stored(self, name: str, indices: NDArray[np.int64] | slice) -> NDArray[Any]:
        about, number = self._settings.inputs[name], self.names.index(name)
        chosen = self._places[indices]
        values = np.empty((len(chosen), *about.shape), about.dtype)
        for row, index in enumerate(chosen):
            values[row] = _drawn([self._settings.seed, self._stream, int(index), number], about)
        return values

    def take(self, indices: NDArray[np.int64]) -> NamedRandomSamples:
        return NamedRandomSamples(self._settings, self._stream, self._places[indices])


def _drawn(key: Sequence[int], about: RandomInput) -> NDArray[Any]:
    """One sample of an input: reals over its range, or integers, each as likely but for the rounding of 64 bits."""
    count, (low, high) = math.prod(about.shape), about.limits
    if about.dtype == "float32":
        return (fractions(key, count) * np.float32(high - low) + np.float32(low)).reshape(about.shape)
    span = int(high) - int(low) + 1
    words = np.asarray(np.random.PCG64(list(key)).random_raw(count), "<u8")
    # The difference to the least value fits 64 bits, and adding it wraps around as it has to.
    offsets = words % np.uint64(span) if span < 2**64 else words
    values = (offsets + np.array(int(low) % 2**64, np.uint64)).astype(np.int64 if low < 0 else np.uint64)
    return values.astype(about.dtype).reshape(about.shape)


def fractions(key: Sequence[int], count: int) -> NDArray[np.float32]:
    """``count`` numbers from 0 to below 1 of the stream ``key``, generated in chunks: a sample may be large."""
    # The raw stream of PCG64 is the same in every version of numpy.
    generator = np.random.PCG64(list(key))
    values = np.empty(count, np.float32)
    for start in range(0, count, _PIECE):
        words = np.asarray(generator.random_raw(-(-min(_PIECE, count - start) // 2)), "<u8")
        # The upper 24 bits as a fraction: each is a float32 exactly, and all are equally likely.
        bits = words.view("<u4")[: count - start] >> 8
        values[start : start + _PIECE] = bits.astype(np.float32) * np.float32(2.0**-24)
    return values


def _bits(key: Sequence[int], count: int) -> NDArray[np.uint8]:
    """``count`` random bytes of the stream ``key``."""
    words = np.asarray(np.random.PCG64(list(key)).random_raw(-(-count // 8)), "<u8")
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
    def sample_shape(self) -> tuple[int, ...] | None:
        return None if self.settings.inputs else self.settings.shape

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    def _prepare(self, progress: Progress) -> None:
        for name, about in self.settings.inputs.items():
            low, high = about.limits
            whole = about.dtype not in ("float32", "bool")
            limits = np.iinfo(about.dtype) if whole else None
            if low > high or (limits and not (limits.min <= low and high <= limits.max)):
                raise DatasetError(
                    f"The random input {name!r} is to be {about.dtype} from {low:g} to {high:g}, which cannot be.",
                    "Give low and high in this order, within the range of its type.",
                )

    def _split(self, name: SplitName) -> RandomSamples | NamedRandomSamples:
        samples = NamedRandomSamples if self.settings.inputs else RandomSamples
        return samples(self.settings, SPLITS.index(name), range(self.settings.samples))
