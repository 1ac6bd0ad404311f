"""Official sample folders of MLPerf Tiny: ``ROOT/kws01/y_labels.csv`` and a file for each sample beside it.

The form of the bytes is the benchmark's: keywords are int8 features that are quantized already, pictures are uint8
RGB, row by row, and recordings of machines are float32, little endian, cut into windows. Source: MLCommons' rules of
MLPerf Tiny and EEMBC's description of the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.datasets.mlperf_tiny.labels import LABELS_FILE, Label, read_labels
from edgerig.errors import DatasetError

#: Types of elements in the files; those of several bytes are little endian.
ELEMENTS: dict[str, np.dtype[Any]] = {
    "int8": np.dtype(np.int8),
    "uint8": np.dtype(np.uint8),
    "float32": np.dtype("<f4"),
}


class SampleFile(msgspec.Struct, frozen=True):
    """A sample's file, which is there and of the right length.

    Attributes:
        path: Where it lies. name: as ``y_labels.csv`` has it.
        label: Its class, from 0.
        line: The line of ``y_labels.csv`` that names it, from 1.
        length: Its bytes.
        window_bytes, stride_bytes: How it is cut into windows; both its ``length`` where it is one sample.
    """

    path: Path
    name: str
    label: int
    line: int
    length: int
    window_bytes: int
    stride_bytes: int

    @property
    def window_count(self) -> int:
        """Inferences that it takes, at least 1."""
        return (self.length - self.window_bytes) // self.stride_bytes + 1

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            DatasetError: It cannot be read, or changed its length since the folder was looked at.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DatasetError(f"Cannot read {self.path}: {error.strerror}.") from error
        if len(data) != self.length:
            raise DatasetError(f"{self.path} has {len(data):,} bytes now, and had {self.length:,}.", "Start again.")
        return data

    def windows(self) -> list[bytes]:
        """The bytes of each inference; what is left at the end of a file is not used.

        Raises:
            DatasetError: As for `read`.
        """
        data = self.read()
        starts = range(0, self.window_count * self.stride_bytes, self.stride_bytes)
        return [data[start : start + self.window_bytes] for start in starts]


def benchmark_folder(root: Path, name: str) -> Path:
    """The folder of a benchmark's samples: ``root/name``, or ``root`` where that is it.

    Raises:
        DatasetError: There is none.
    """
    root = root.expanduser()
    try:
        if (root / name).is_dir():
            return root / name
        exists = root.is_dir()
    except OSError as error:
        raise DatasetError(f"Cannot look into {root}: {error.strerror}.", "Give another folder.") from error
    if not exists:
        raise DatasetError(f"There is no folder {root}.", f"Give the folder that holds {name}/{LABELS_FILE}.")
    if root.name == name or (root / LABELS_FILE).is_file():
        return root
    others = [other for other in BENCHMARKS if (root / other).is_dir()]
    raise DatasetError(
        f"{root} has no folder {name}" + (f"; it has {', '.join(others)}." if others else "."),
        f"Give the folder that holds {name}/{LABELS_FILE} and the samples; `edgerig mlperf-tiny data {name}` makes it "
        "from the original data.",
    )


def sample_files(folder: Path, benchmark: Benchmark) -> list[SampleFile]:
    """The samples of a folder, in the order of its ``y_labels.csv``.

    Args:
        folder: As `benchmark_folder` gives it.

    Raises:
        DatasetError: A file is missing or of the wrong length, or a label is none of the benchmark's; names the line
            of ``y_labels.csv``.
    """
    path = folder / LABELS_FILE
    if not path.is_file():
        raise DatasetError(f"{folder} has no {LABELS_FILE}.", "It says which file is of which class.")
    return [_checked(folder, label, benchmark, f"{path}, line {label.line}") for label in read_labels(path)]


def stored_values(data: bytes, benchmark: Benchmark) -> NDArray[Any]:
    """The bytes of one inference as the file has them, shape ``input_shape``, int8, uint8 or float32."""
    return np.frombuffer(data, ELEMENTS[benchmark.input_type]).reshape(benchmark.input_shape)


def dequantized(values: NDArray[Any], benchmark: Benchmark) -> NDArray[Any]:
    """Values of files as a network of real inputs takes them, float32; of pictures the pixels as they are.

    Samples of int8 were quantized by the reference network's scale and zero point, which is undone: a network with
    an int8 input of its own quantizes them by its own, which gives the very integers of the file where these are
    equal.
    """
    if values.dtype != np.int8:
        return values
    return ((values.astype(np.float64) - benchmark.zero_point) * benchmark.scale).astype(np.float32)


def _checked(folder: Path, label: Label, benchmark: Benchmark, where: str) -> SampleFile:
    path = folder / label.file
    try:
        exists = path.is_file()
    except OSError as error:
        raise DatasetError(f"{where}: the file cannot be looked at: {error.strerror}.", "Correct the line.") from error
    if not exists:
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DatasetError(f"{where}: {path} {what}.", "Put the file there, or take out the line.")
    if label.classes != benchmark.label_classes:
        raise DatasetError(
            f"{where}: {label.file} is of {label.classes} classes, and {benchmark.name} has {benchmark.label_classes}.",
            "Is this the folder of another benchmark?",
        )
    length = path.stat().st_size
    window, stride = _window(label, benchmark, length, where)
    return SampleFile(path, label.file, label.label, label.line, length, window, stride)


def _window(label: Label, benchmark: Benchmark, length: int, where: str) -> tuple[int, int]:
    """Bytes of a window and from one to the next."""
    element, wanted = ELEMENTS[benchmark.input_type].itemsize, benchmark.input_bytes
    if benchmark.window_bytes is None or benchmark.stride_bytes is None:
        if label.window_bytes is not None:
            raise DatasetError(f"{where}: samples of {benchmark.name} are not cut into windows.", "Take these out.")
        if length != wanted:
            raise _wrong_length(label.file, length, benchmark, where)
        return length, length
    window = label.window_bytes or benchmark.window_bytes
    stride = label.stride_bytes or benchmark.stride_bytes
    if window != wanted or stride % element:
        raise DatasetError(
            f"{where}: windows of {window} bytes every {stride} bytes; an inference of {benchmark.name} takes {wanted} "
            f"bytes, and a value has {element}.",
            f"The official ones have {benchmark.window_bytes} and {benchmark.stride_bytes}.",
        )
    if length < window or length % element:
        raise _wrong_length(label.file, length, benchmark, where)
    return window, stride


def _wrong_length(file: str, length: int, benchmark: Benchmark, where: str) -> DatasetError:
    wanted = f"{benchmark.input_bytes:,}" + (" or more" if benchmark.window_bytes else "")
    hint = f"{benchmark.name} takes {'x'.join(map(str, benchmark.input_shape))} values of {benchmark.input_type}."
    if benchmark.input_type != "float32" and length == 4 * benchmark.input_elements:
        hint += " These look like float32: quantize or convert them first."
    return DatasetError(f"{where}: {file} has {length:,} bytes, not {wanted}.", hint)
