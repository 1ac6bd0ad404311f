"""Which known mistake a device makes with its inputs: its answers against those of its network on this machine.

Samples of keywords are int8 already, with a scale and a zero point; those of images are bytes from 0 to 255. A device
that takes them for something else still answers, and its accuracy falls to about the share of one class. Its network,
or the float one that this came from, is run here on some samples, read rightly and in each way that is known to go
wrong; the reading whose answers are the device's is what the device does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.formats import named
from edgerig.models.files import open_artifact
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork, open_network
from edgerig.suites.mlperf_tiny.runner.records import FileRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample

Bytes = NDArray[np.uint8]
Real = NDArray[np.float32]
#: Most files that are looked at, and how far shares of a class may be apart and still be the same answer: an int8
#: network and its float original differ by some hundredths.
MOST_FILES, TOLERANCE = 64, 0.1
#: Share of files that must match a reading for it to be the device's, and that may match the right one meanwhile.
MATCHED, ALSO_RIGHT = 0.8, 0.5


class InputReading(NamedTuple):
    """A way to make a network's real input out of a sample's bytes: ``words`` complete "the samples are ..."."""

    words: str
    values: Callable[[Bytes, Benchmark], Real]


class InputDiagnosis(NamedTuple):
    """What the comparison says.

    Attributes:
        mistake: In a sentence; empty where none of the known ones was made.
        note: What else it says, in a sentence.
    """

    mistake: str
    note: str


def _signed(data: Bytes) -> Real:
    return data.view(np.int8).astype(np.float32)


def _unsigned(data: Bytes) -> Real:
    return data.astype(np.float32)


def _scaled(numbers: Real, benchmark: Benchmark) -> Real:
    return (benchmark.scale * numbers).astype(np.float32)


def right_values(data: Bytes, benchmark: Benchmark) -> Real:
    """The real input that a sample of integers stands for: ``scale * (q - zero_point)``, of images q = byte - 128."""
    q = _signed(data) if benchmark.input_type == "int8" else _unsigned(data) - 128
    return _scaled(q - benchmark.zero_point, benchmark)


#: Mistakes with samples that are int8 already.
QUANTIZED = (
    InputReading("cast as unsigned bytes, and not dequantized", lambda data, _: _unsigned(data)),
    InputReading("fed as integers into a float network, and not dequantized", lambda data, _: _signed(data)),
    InputReading(
        "cast as unsigned bytes before they are dequantized",
        lambda data, b: _scaled(_unsigned(data) - b.zero_point, b),
    ),
    InputReading("dequantized without the zero point", lambda data, b: _scaled(_signed(data), b)),
    InputReading("dequantized without the scale", lambda data, b: _signed(data) - b.zero_point),
    InputReading(
        "dequantized with the zero point's sign turned", lambda data, b: _scaled(_signed(data) + b.zero_point, b)
    ),
    InputReading(
        "shifted by 128, as if they were an image's bytes",
        lambda data, b: _scaled(_unsigned(data) - 128 - b.zero_point, b),
    ),
)
#: Mistakes with bytes of images.
IMAGES = (
    InputReading("taken for int8, without 128 subtracted", lambda data, b: _scaled(_signed(data) - b.zero_point, b)),
    InputReading("fed from 0 to 255, without the scale", lambda data, _: _unsigned(data)),
    InputReading(
        "fed from 0 to 1, where the network takes 0 to 255", lambda data, _: _unsigned(data) / np.float32(255)
    ),
    InputReading("fed from -128 to 127", lambda data, _: _unsigned(data) - 128),
    InputReading("fed from -1 to 1", lambda data, _: _unsigned(data) / np.float32(127.5) - 1),
    InputReading(
        "fed with red and blue exchanged",
        lambda data, b: right_values(data.reshape(b.input_shape)[..., ::-1].reshape(-1), b),
    ),
)


def open_reference(benchmark: Benchmark, path: Path) -> DeployedNetwork:
    """A device's network on this machine, by the kernels that define its results: the fast ones of daily use differ
    from these by up to a fifth in a class's share, as a device does not.

    Raises:
        As `edgerig.suites.mlperf_tiny.device.network.open_network`.
    """
    runtime = named(open_artifact(path).format).runtime
    return open_network(benchmark, path, runtime, {"kernels": "reference"} if runtime == "litert" else None)


def readings_of(benchmark: Benchmark) -> tuple[InputReading, ...]:
    """The known mistakes with a benchmark's samples; none of samples that are real numbers."""
    known = {"int8": QUANTIZED, "uint8": IMAGES}.get(benchmark.input_type, ())
    data = np.arange(benchmark.input_bytes, dtype=np.uint32).astype(np.uint8)
    right = right_values(data, benchmark) if known else np.zeros(0)
    # What is a mistake with one benchmark may be right with another, whose scale is 1.
    return tuple(reading for reading in known if not np.allclose(reading.values(data, benchmark), right))


def diagnose_inputs(
    benchmark: Benchmark, samples: Sequence[Sample], records: Sequence[FileRecord], network: DeployedNetwork
) -> InputDiagnosis:
    """Compare a device's answers with those of its network on this machine.

    Args:
        benchmark: What was run.
        samples, records: Files, and what the device made of each, in the same order; at least one.
        network: The device's, or the float network that it came from.

    Raises:
        InferenceError: The network fails. DatasetError: A file cannot be read.
    """
    readings = readings_of(benchmark)
    if not readings:
        return InputDiagnosis("", "")
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(len(samples), MOST_FILES)).astype(int))
    inputs = [np.frombuffer(samples[index].windows()[0], np.uint8) for index in chosen]
    theirs = np.array([records[index].outputs[0] for index in chosen])
    right = _matches(theirs, [right_values(data, benchmark) for data in inputs], network)
    count = len(chosen)
    if right >= MATCHED * count:
        return InputDiagnosis("", f"The device answers as its network does here on {right} of {count} files.")
    scores = [_matches(theirs, [reading.values(data, benchmark) for data in inputs], network) for reading in readings]
    best = int(np.argmax(scores))
    if scores[best] >= MATCHED * count and right <= ALSO_RIGHT * count:
        return InputDiagnosis(
            f"The device gets its inputs wrong: the samples are {readings[best].words}. So read, its network gives the "
            f"device's answers here on {scores[best]} of {count} files, and on {right} where the input is "
            f"{benchmark.scale:.5g} * (q - {benchmark.zero_point}), as it must be.",
            "",
        )
    real = network.input.dtype.startswith("float")
    more = "" if real else " The float original would tell more: an integer input clamps what a wrong reading gives."
    return InputDiagnosis(
        "",
        f"The device answers as its network does here on {right} of {count} files only, and no known mistake with "
        f"inputs explains it (the nearest, {readings[best].words}, on {scores[best]}). Is it the same network?{more}",
    )


def _matches(theirs: NDArray[np.float64], inputs: Sequence[Real], network: DeployedNetwork) -> int:
    """On how many inputs the network gives the device's answers, (n, classes): the same class, about as sure."""
    count = 0
    for answer, values in zip(theirs, inputs, strict=True):
        network.load_real(values)
        network.infer(1)
        ours = np.array(network.results(), np.float64)
        total = ours.sum()
        shares = ours / total if total > 0 else ours
        same = shares.argmax() == answer.argmax() and np.abs(shares - answer).max() <= TOLERANCE
        count += int(same)
    return count
