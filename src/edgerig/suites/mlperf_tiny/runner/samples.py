"""What is run of a benchmark: files of samples, or parts of a recording, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.datasets.mlperf_tiny.sample_folder import benchmark_folder, sample_files
from edgerig.suites.mlperf_tiny.runner.stream import stream_parts


class Sample(Protocol):
    """A file of one or several inferences.

    Attributes:
        name: Of the file. label: its class.
        window_bytes, stride_bytes: Bytes of an inference, and from one to the next.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> int: ...
    @property
    def window_bytes(self) -> int: ...
    @property
    def stride_bytes(self) -> int: ...

    def read(self) -> bytes:
        """All its bytes."""

    def windows(self) -> list[bytes]:
        """The bytes of each inference."""


def samples_in(root: Path, benchmark: Benchmark) -> Sequence[Sample]:
    """What is run of the folder ``root``, in order.

    Raises:
        DatasetError: Something is missing or wrong.
    """
    folder = benchmark_folder(root, benchmark.name)
    return stream_parts(folder, benchmark) if benchmark.quality.metric == "events" else sample_files(folder, benchmark)
