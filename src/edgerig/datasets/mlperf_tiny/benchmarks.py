"""The five benchmarks of MLPerf Tiny v1.4: what goes in, what comes out, what is asked of them.

Source of the figures: MLCommons' reference implementation and rules of MLPerf Tiny v1.4.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.errors import UnknownNameError

#: Samples measured in performance and energy mode; the score is the median over them.
PERFORMANCE_FILES = 5
#: Seconds that a measured window lasts at least.
WINDOW_SECONDS = 10.0
#: Classes of keyword spotting, in the order of the outputs.
KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
#: Classes of CIFAR-10, in the order of the outputs.
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

#: Classes of the streaming wake word, in the order of the outputs.
WAKE_WORDS = ("marvin", "silence", "unknown")


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What quality a benchmark asks for.

    Attributes:
        metric: ``top1`` and ``auc`` as shares of 1; ``events`` are counts of false positives and false negatives,
            neither of which may exceed ``target``.
        target: The least share, or the most events.
    """

    metric: Literal["top1", "auc", "events"]
    target: float

    @property
    def text(self) -> str:
        """In words."""
        if self.metric == "events":
            return f"at most {self.target:g} false positives and {self.target:g} false negatives"
        return f"top-1 at least {self.target:.0%}" if self.metric == "top1" else f"AUC at least {self.target:g}"


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark.

    Attributes:
        name: What the device answers after ``m-model-``.
        title: What it is about, in a few words.
        input_shape: Of one inference, without the batch.
        input_type: Elements of a sample's file: ``int8`` (already quantized), ``uint8`` or ``float32`` (little endian).
        scale, zero_point: Of the reference network's int8 input.
        outputs: Values of one inference.
        classes: Names of the outputs, where they are classes.
        parameters, macs: Of the reference network.
        quality: The target of the closed division.
        samples: Files of the official accuracy set; 0 where it is one long recording.
        window_bytes, stride_bytes: Where a file is cut into windows whose results are averaged; else None.
        performance_baud: Usual bits a second of the line in performance and accuracy mode.
    """

    name: str
    title: str
    input_shape: tuple[int, ...]
    input_type: Literal["int8", "uint8", "float32"]
    scale: float
    zero_point: int
    outputs: int
    classes: tuple[str, ...] = ()
    parameters: int
    macs: int
    quality: Quality
    samples: int
    window_bytes: int | None = None
    stride_bytes: int | None = None
    performance_baud: int = 115_200

    @property
    def label_classes(self) -> int:
        """Classes of the labels: those of the outputs, or normal and anomalous where a reconstruction is scored."""
        return len(self.classes) or 2

    @property
    def input_elements(self) -> int:
        """Values that go into one inference."""
        elements = 1
        for axis in self.input_shape:
            elements *= axis
        return elements

    @property
    def result_values(self) -> int:
        """Values of a line of results: the outputs, or of an autoencoder their mean squared distance from the input."""
        return 1 if self.name == "ad01" else self.outputs

    @property
    def input_bytes(self) -> int:
        """Bytes of one inference's input as it goes over the line."""
        return self.input_elements * {"int8": 1, "uint8": 1, "float32": 4}[self.input_type]


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="kws01",
            title="keyword spotting",
            input_shape=(49, 10, 1),
            input_type="int8",
            scale=0.5847029089927673,
            zero_point=83,
            outputs=12,
            classes=KEYWORDS,
            parameters=22_604,
            macs=2_656_768,
            quality=Quality(metric="top1", target=0.90),
            samples=1000,
        ),
        Benchmark(
            name="vww01",
            title="visual wake words",
            input_shape=(96, 96, 3),
            input_type="uint8",
            scale=1 / 255,
            zero_point=-128,
            outputs=2,
            classes=("non_person", "person"),
            parameters=210_850,
            macs=7_489_664,
            quality=Quality(metric="top1", target=0.80),
            samples=1000,
        ),
        Benchmark(
            name="ic01",
            title="image classification",
            input_shape=(32, 32, 3),
            input_type="uint8",
            scale=1.0,
            zero_point=-128,
            outputs=10,
            classes=CIFAR10,
            parameters=77_706,
            macs=12_501_632,
            quality=Quality(metric="top1", target=0.85),
            samples=200,
        ),
        Benchmark(
            name="ad01",
            title="anomaly detection",
            input_shape=(640,),
            input_type="float32",
            scale=0.3910152316093445,
            zero_point=89,
            outputs=640,
            parameters=265_864,
            macs=264_192,
            quality=Quality(metric="auc", target=0.85),
            samples=248,
            window_bytes=2560,
            stride_bytes=512,
            performance_baud=921_600,
        ),
        Benchmark(
            name="sww01",
            title="streaming wake word",
            input_shape=(30, 1, 40),
            input_type="int8",
            scale=0.003701042616739869,
            zero_point=-128,
            outputs=3,
            classes=WAKE_WORDS,
            parameters=46_883,
            macs=826_368,
            quality=Quality(metric="events", target=8),
            samples=0,
        ),
    )
}


def benchmark_named(name: str) -> Benchmark:
    """The benchmark ``name``.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, BENCHMARKS)
    return BENCHMARKS[name]
