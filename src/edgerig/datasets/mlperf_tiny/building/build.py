"""Builds the folder of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edgerig.datasets.base import SplitName
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.datasets.mlperf_tiny.building.keywords import keywords, wake_words
from edgerig.datasets.mlperf_tiny.building.machines import machines
from edgerig.datasets.mlperf_tiny.building.parts import Candidate, Candidates, drawn
from edgerig.datasets.mlperf_tiny.building.pictures import cifar10, persons
from edgerig.datasets.mlperf_tiny.labels import LABELS_FILE
from edgerig.datasets.mlperf_tiny.writing import NewSample, write_samples
from edgerig.errors import DatasetError, UnknownNameError, UsageError
from edgerig.progress import Progress

#: What finds the samples of a benchmark in its original data set.
BUILDERS: dict[str, Callable[[Path, bool], Candidates]] = {
    "kws01": keywords,
    "vww01": persons,
    "ic01": cifar10,
    "ad01": machines,
    "sww01": wake_words,
}


def build_folder(
    name: str,
    source: Path,
    root: Path,
    *,
    samples: int | None = None,
    training: bool = False,
    progress: Progress | None = None,
) -> dict[SplitName, int]:
    """Write ``root/name`` in the official form out of the original data set.

    Which of its samples are the official ones is not published with it: so many are drawn, the classes in turn.

    Args:
        name: The benchmark.
        source: The folder of the data set.
        samples: Samples to test with; as many as the official set has by default.
        training: Whether folders ``train`` and ``validation`` are written, too, with everything that there is.

    Returns:
        The number of samples by their part.

    Raises:
        UnknownNameError: There is no such benchmark. UsageError: The folder holds samples already.
        DatasetError: The data set is not of the form, or a file cannot be read. StorageError: The disk is full.
    """
    if name not in BUILDERS:
        raise UnknownNameError("benchmark", name, BUILDERS)
    benchmark, folder = BENCHMARKS[name], root.expanduser() / name
    if any((folder / part / LABELS_FILE).exists() for part in (".", "train", "validation")):
        raise UsageError(f"{folder} holds samples already.", "Choose another --out, or remove that folder.")
    source = source.expanduser()
    if not source.is_dir() and str(source) != "cifar10":
        raise DatasetError(f"There is no folder {source}.", "Give the folder of the original data set: --from.")
    candidates = BUILDERS[name](source, training)
    if "test" in candidates:
        candidates["test"] = drawn(candidates["test"], samples or benchmark.samples)
    progress, counts = progress or Progress(), {}
    # The test samples last: a folder without their labels was not finished.
    for part in sorted(candidates, key=lambda part: part == "test"):
        destination = folder if part == "test" else folder / part
        counts[part] = write_samples(destination, benchmark, _made(candidates[part], benchmark, part, progress))
    return counts


def _made(candidates: list[Candidate], benchmark: Benchmark, part: str, progress: Progress) -> Iterator[NewSample]:
    with progress.task(f"{benchmark.name}, {part}", len(candidates)) as task:
        for candidate in candidates:
            yield NewSample(candidate.name, candidate.label, candidate.values())
            task.advance()
