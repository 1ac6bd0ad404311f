"""What a dataset is: splits of samples with labels, a default preprocessing, and the metrics that judge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.errors import DatasetError
from edgerig.plugins import Plugin, find
from edgerig.progress import Progress
from edgerig.settings import convert_settings
from edgerig.tasks.base import Task
from edgerig.tasks.metrics import Metric, classification_metrics
from edgerig.tasks.samples import TargetVariable

#: ``train`` to fit, ``validation`` to select, ``test`` to measure. Calibration draws from ``train``.
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class Samples(ABC):
    """An ordered, finite set of samples with labels.

    Attributes:
        labels: Class indices, shape (n,), int64; -1 where there is no label.
        fingerprint: SHA-256 over content and order; equal fingerprints mean equal samples.
        names: Names of the inputs that a sample has, where they are several or named; empty for a single, unnamed one.
        windows: How many windows each sample is cut into, at least 1, shape (n,), int64, where a network runs once for
            each: `inputs` and `named_inputs` then give the windows of the samples, one sample after another. None
            where it runs once for a sample.
        streams: The number of the stream that each sample is a frame of, never falling, shape (n,), int64, where
            samples in their order are several streams; None for one, or where they are none.
    """

    labels: NDArray[np.int64]
    fingerprint: str
    names: tuple[str, ...] = ()
    windows: NDArray[np.int64] | None = None
    streams: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def raw(self, index: int) -> NDArray[np.generic]:
        """One sample as stored: (H, W, C) for images, any shape otherwise."""

    @abstractmethod
    def inputs(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """Preprocessed samples, shape (n, ...), float32.

        Args:
            indices: Positions of the n samples, shape (n,), or a slice of all.
            preprocessing: How a stored sample becomes the network's input.

        Raises:
            DatasetError: A sample cannot be read or does not have the shape of the others.
        """

    def named_inputs(
        self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing
    ) -> Mapping[str, NDArray[Any]]:
        """What a network is fed, by the names of `names`, each of shape (n, ...): float32 after preprocessing;
        integers, booleans and float64 for inputs that take such; by default `inputs` under the name ``""``.

        Raises:
            DatasetError: As for `inputs`.
        """
        return {"": self.inputs(indices, preprocessing)}

    def truth(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[Any]:
        """What is right for samples, shape (n, ...), in the form that the dataset's task takes; by default `labels`.

        Args:
            preprocessing: That of their inputs, which a mask has to follow in size.

        Raises:
            DatasetError: It cannot be read or does not fit its sample.
        """
        return self.labels[indices]

    def single_windows(self) -> Samples:
        """The windows of these samples as samples of their own, each with its sample's label: what training takes.

        Raises:
            DatasetError: That cannot be had.
        """
        raise DatasetError(
            "The samples are cut into windows, and training takes one input a sample.",
            "Let the dataset give the windows of the splits train and validation as samples of their own.",
        )

    @abstractmethod
    def take(self, indices: NDArray[np.int64]) -> Samples:
        """The samples at ``indices``, shape (n,), in that order."""


class Dataset(Plugin, ABC):
    """Samples, labels, preprocessing and metrics.

    Subclasses fill in `_prepare` and `_split`; callers use `prepare` and `split`.

    Class attributes:
        task: The task that its labels are for, a plugin's name: ``"none"`` where they mean nothing (random data). A rig
            sets another one on the instance. task_options: Its settings.
    """

    task: str = "classification"
    task_options: Mapping[str, Any] = {}
    _ready = False

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names in label order; empty for task ``none``. Needs `prepare` where it depends on the data."""

    @property
    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """The preprocessing that networks for this dataset use if they declare none of their own."""

    @property
    def targets(self) -> tuple[TargetVariable, ...]:
        """The real values that a regression on it predicts, in the order of `Samples.truth`; empty for other tasks."""
        return ()

    @property
    def sample_shape(self) -> tuple[int, ...] | None:
        """The shape of a preprocessed sample, where it is known before anything is downloaded or read; else None."""
        return None

    def pinned(self) -> Mapping[str, Any]:
        """Settings with which another dataset of this class has these very samples, whatever changes at their source
        meanwhile; a run writes them down. By default none are needed.

        Raises:
            EdgerigError: The source is not there.
        """
        return {}

    @classmethod
    def unpinned(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Settings without what `pinned` has put into them."""
        return options

    def prepare(self, progress: Progress | None = None) -> None:
        """Download and check the files; cheap if they are there already.

        Raises:
            SourceError: A file is not available or is not the expected one.
            DatasetError: The data are not usable: corrupt, an empty class, wrong shapes.
        """
        if not self._ready:
            self.require()
            self._prepare(progress or Progress())
            self._ready = True

    def split(self, name: SplitName) -> Samples:
        """The samples of one split; the same for the same settings on every machine.

        Raises:
            DatasetError: There is no such split, or it is empty.
        """
        if name not in SPLITS:
            raise DatasetError(f"There is no split {name!r}.", f"Splits: {', '.join(SPLITS)}.")
        self.prepare()
        samples = self._split(name)
        if len(samples) == 0:
            raise DatasetError(f"The {name} split of dataset {self.name!r} is empty.")
        return samples

    def metrics(self) -> list[Metric]:
        """New metrics for predictions on this dataset, the main one first; for classification only."""
        return classification_metrics(self.classes) if self.task == "classification" else []

    def make_task(self) -> Task:
        """The task that judges networks on this dataset. Call `prepare` before, where the classes depend on the data.

        Raises:
            UnknownNameError: There is no task of the name ``task``. SpecError: it has no such settings.
        """
        cls = find("task", self.task, Task)
        settings = convert_settings(cls.Settings, dict(self.task_options), f"task {self.task!r}")
        return cls(settings, classes=self.classes, metrics=self.metrics, dataset=self.name, targets=self.targets)

    @abstractmethod
    def _prepare(self, progress: Progress) -> None: ...

    @abstractmethod
    def _split(self, name: SplitName) -> Samples: ...
