"""What the benchmarks have in common as datasets: where their samples are, and in which splits."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files, plugins
from edgerig.artifact import Preprocessing
from edgerig.cache import StageCache
from edgerig.datasets.base import Dataset, Samples, SplitName
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.datasets.mlperf_tiny.sample_folder import (
    SampleFile,
    benchmark_folder,
    dequantized,
    sample_files,
    stored_values,
)
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.datasets.samples import FileSamples, content_sum
from edgerig.datasets.splits import stratified_split
from edgerig.errors import DatasetError, SpecError
from edgerig.progress import Progress

#: Share of the training samples to validate with where there is no folder for that.
VALIDATION = 0.1
#: Of what is made from a seed: another number makes what an earlier edgerig left in the cache void.
SEEDED_VERSION = 1


class TinySettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of MLPerf Tiny's datasets."""

    root: Annotated[
        str | None, msgspec.Meta(description="folder that holds the benchmark's folder of official samples")
    ] = None
    seeded: Annotated[
        int,
        msgspec.Meta(
            description="make so many samples of each class from a seed, easy ones, where the official ones are not at "
            "hand; 0 for none",
            ge=0,
            le=10_000,
        ),
    ] = 0


class TinyDataset(Dataset):
    """The samples of a benchmark of MLPerf Tiny.

    ``root/<benchmark>`` has the official samples, which are for testing. Folders ``train`` and ``validation`` below
    it, in the same form, have those to train with; without ``validation`` a tenth of ``train`` is taken.

    Class attributes:
        benchmark: The benchmark.
    """

    Settings: ClassVar[type[plugins.Settings]] = TinySettings
    benchmark: ClassVar[Benchmark]

    settings: TinySettings

    @property
    def classes(self) -> tuple[str, ...]:
        return self.benchmark.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """None: values come as a network of real inputs takes them, those of int8 files dequantized."""
        return Preprocessing()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.benchmark.input_shape

    def _prepare(self, progress: Progress) -> None:
        settings, name = self.settings, self.benchmark.name
        if (settings.root is None) == (settings.seeded == 0):
            raise SpecError(
                f"Dataset {self.name} takes its samples from a folder `root`, or makes `seeded` ones: give one of the "
                "two.",
                f"root: the folder with {name}/y_labels.csv; seeded: 10 to try without.",
            )
        if settings.root is not None:
            self._folder = benchmark_folder(Path(settings.root), name)
        else:
            self._folder = seeded_folder(name, settings.seeded)
            progress.log(
                f"{self.name}: samples made from a seed, not those of the benchmark; a quality on them says nothing of "
                "the benchmark's target"
            )
        self._test = self._read_test(self._folder)

    def _split(self, name: SplitName) -> Samples:
        if name == "test":
            return self._test
        train, validation = self._folder / "train", self._folder / "validation"
        if validation.is_dir() and (self._folder / name).is_dir():
            return self._read(sample_files(self._folder / name, self.benchmark))
        if not train.is_dir():
            raise DatasetError(
                f"{self._folder} has samples to test with, and none to train, calibrate or validate with.",
                f"Make a folder {train} in the same form from the original data: `edgerig mlperf-tiny data "
                f"{self.benchmark.name} --help`.",
            )
        everything = self._read(sample_files(train, self.benchmark))
        chosen = stratified_split(everything.labels, VALIDATION, seed=0)
        return everything.take(chosen[0 if name == "train" else 1])

    def _read_test(self, folder: Path) -> Samples:
        """The official samples of the benchmark's folder."""
        return self._read(sample_files(folder, self.benchmark))

    @abstractmethod
    def _read(self, samples: list[SampleFile]) -> Samples:
        """The samples in files."""


class TinyClasses(TinyDataset):
    """A benchmark with one inference a file, and a class."""

    def _read(self, samples: list[SampleFile]) -> FileSamples:
        labels = np.array([sample.label for sample in samples], np.int64)
        return FileSamples([sample.path for sample in samples], labels, self._values, f"mlperf tiny {self.benchmark}")

    def _values(self, path: Path) -> NDArray[Any]:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
        if len(data) != self.benchmark.input_bytes:
            raise DatasetError(f"{path} has {len(data):,} bytes, not {self.benchmark.input_bytes:,}.")
        return dequantized(stored_values(data, self.benchmark), self.benchmark)


def seeded_folder(name: str, per_class: int) -> Path:
    """The folder of a benchmark with samples made from a seed, in the cache; made where it is not there as it was made.

    Raises:
        StorageError: It cannot be written.
    """

    def build(work: Path) -> None:
        write_seeded(work, name, per_class)

    cache = StageCache(files.cache_folder() / "mlperf-tiny", content_sum)
    key = f"seeded-{SEEDED_VERSION}-{per_class}-{name}"
    return cache.get_or_build(key, build)[0] / name
