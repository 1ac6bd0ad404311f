"""Accuracy mode: every file goes through the device once, as many inferences as it has windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.datasets.mlperf_tiny.sample_folder import stored_values
from edgerig.errors import AnswerError
from edgerig.progress import Progress
from edgerig.suites.mlperf_tiny.runner.device import Device
from edgerig.suites.mlperf_tiny.runner.records import FileRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample
from edgerig.suites.mlperf_tiny.runner.session import Session

#: Seconds that one inference may take: the first one of a large engine was seen to take half a minute.
INFERENCE_SECONDS = 120.0
#: How far below 0 the share of a class may come by the rounding of a quantized output.
LARGEST_ROUNDING = 0.01
_TOO_LARGE = "The device's results go up to {value:g}, which is too large for any result of a network."


def result_counts(benchmark: Benchmark) -> tuple[int, ...]:
    """How many results a device may give for an inference: a reconstruction's error may be made on either side."""
    return (1, benchmark.outputs) if benchmark.quality.metric == "auc" else (benchmark.outputs,)


def run_accuracy(
    device: Device,
    benchmark: Benchmark,
    samples: Sequence[Sample],
    session: Session,
    progress: Progress,
    inference_seconds: float = INFERENCE_SECONDS,
) -> list[FileRecord]:
    """A record for each sample, in their order; those that the session has already are not run again.

    Raises:
        TargetError, AnswerError: The device goes wrong; the session keeps what came before.
        DatasetError: A file cannot be read.
    """
    finished = {record.index: record for record in session.records if isinstance(record, FileRecord)}
    with progress.task(f"{benchmark.name} accuracy", len(samples)) as task:
        task.advance(len(finished), "")
        for index, sample in enumerate(samples):
            if index in finished:
                continue
            device.line.transcript.note(f"file {index + 1} of {len(samples)}: {sample.name}")
            record = _run_file(device, benchmark, sample, index, inference_seconds)
            session.append(record)
            finished[index] = record
            task.advance(1, sample.name)
    return [finished[index] for index in range(len(samples))]


def _run_file(device: Device, benchmark: Benchmark, sample: Sample, index: int, inference_seconds: float) -> FileRecord:
    counts = result_counts(benchmark)
    outputs, seconds = [], 0.0
    timed = True
    for window in sample.windows():
        device.load(window)
        inference = device.infer(1, 0, counts, inference_seconds)
        outputs.append(scores_of(inference.outputs, window, benchmark))
        if inference.device_seconds is None:
            timed = False
        else:
            seconds += inference.device_seconds
    return FileRecord(
        index=index,
        file=sample.name,
        label=sample.label,
        outputs=tuple(outputs),
        seconds=seconds if timed else None,
    )


def scores_of(values: tuple[float, ...], window: bytes, benchmark: Benchmark) -> tuple[float, ...]:
    """What a window's results count as: classes' scores with a sum of 1, or the error of a reconstruction.

    The error is ``mean((x - y)^2)``; a device that makes it itself gives one value.

    Raises:
        AnswerError: Results are negative, or all 0, so that they are no shares, nor a squared error; or too large.
    """
    if benchmark.quality.metric == "auc":
        if len(values) == 1:
            if values[0] < 0:
                raise AnswerError(
                    f"The device's result is {values[0]:g}, and a mean of squared differences is not negative.",
                    "It must be mean((input - output)^2) over the 640 values, or these values themselves.",
                )
            return values
        inputs = stored_values(window, benchmark).reshape(-1).astype(np.float64)
        with np.errstate(over="ignore"):
            error = float(((np.array(values) - inputs) ** 2).mean())
        if not math.isfinite(error):
            raise AnswerError(_TOO_LARGE.format(value=max(values, key=abs)))
        return (error,)
    if benchmark.quality.metric == "events":
        # The reference holds the score of a wake word itself against its threshold.
        return values
    total = sum(values)
    if not math.isfinite(total):
        raise AnswerError(_TOO_LARGE.format(value=max(values, key=abs)))
    # Divided by a sum with negative parts, scores of different samples are on different scales, and AUC compares them.
    if total <= 0 or min(values) < -LARGEST_ROUNDING:
        shown = ",".join(f"{value:g}" for value in values)
        reason = f"add up to {total:g}" if total <= 0 else f"go down to {min(values):g}"
        raise AnswerError(
            f"The device's results {reason}: m-results-[{shown}]. They are no shares of classes.",
            "Does the network end in a softmax, and is its output dequantized?",
        )
    return tuple(value / total for value in values)
