"""Whether a record read from a journal can be one of its session: types are right, but are the values?"""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.datasets.mlperf_tiny.benchmarks import PERFORMANCE_FILES, Benchmark
from edgerig.suites.mlperf_tiny.runner.accuracy import LARGEST_ROUNDING, result_counts
from edgerig.suites.mlperf_tiny.runner.journal import RecordCheck
from edgerig.suites.mlperf_tiny.runner.records import FileRecord, Record, SessionKey, WindowRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample

#: By how much shares of classes may miss a sum of 1: they were divided by their sum.
_SUM = 1e-6


def record_check(key: SessionKey, benchmark: Benchmark, samples: Sequence[Sample], *, with_energy: bool) -> RecordCheck:
    """What says why a record is none of the session.

    Args:
        key: Of the session.
        samples: All of them, in the order in which they are run.
        with_energy: Whether a window has its energy at once, as beside a power monitor that is not read at the end.
    """

    def check(record: Record) -> str:
        if isinstance(record, FileRecord) != (key.mode == "accuracy"):
            return f"it is no record of {key.mode} mode"
        if isinstance(record, FileRecord):
            return _other_sample(record, samples) or _wrong_outputs(record, benchmark, samples[record.index])
        if isinstance(record, WindowRecord):
            return _other_sample(record, samples[:PERFORMANCE_FILES]) or _wrong_window(
                record, key, benchmark, with_energy
            )
        return ""

    return check


def _other_sample(record: FileRecord | WindowRecord, samples: Sequence[Sample]) -> str:
    if record.index >= len(samples):
        return f"its index is {record.index}, and {len(samples)} files are run"
    sample = samples[record.index]
    if (record.file, record.label) != (sample.name, sample.label):
        return f"its index is that of {sample.name} with the label {sample.label}, and its file is another"
    return ""


def _wrong_outputs(record: FileRecord, benchmark: Benchmark, sample: Sample) -> str:
    windows = len(sample.windows())
    if len(record.outputs) != windows:
        return f"it has results of {len(record.outputs)} inferences, and {sample.name} takes {windows}"
    anomaly = benchmark.quality.metric == "auc"
    count = 1 if anomaly else benchmark.outputs
    if any(len(outputs) != count for outputs in record.outputs):
        return f"an inference of {benchmark.name} has {count} results, and it has others"
    if anomaly:
        return "a squared error is negative" if any(outputs[0] < 0 for outputs in record.outputs) else ""
    if benchmark.quality.metric == "events":
        return ""
    shares = all(abs(sum(outputs) - 1) <= _SUM and min(outputs) >= -LARGEST_ROUNDING * 2 for outputs in record.outputs)
    return "" if shares else "its results are no shares of classes"


def _wrong_window(record: WindowRecord, key: SessionKey, benchmark: Benchmark, with_energy: bool) -> str:
    if record.warm_up != key.warm_up:
        return f"its warm-up is {record.warm_up}, and the session's {key.warm_up}"
    if record.seconds < key.window_seconds:
        return f"its window lasts {record.seconds:g} s, and {key.window_seconds:g} s are asked for"
    if len(record.outputs) not in result_counts(benchmark):
        return f"it has {len(record.outputs)} results"
    if (record.energy is not None) != with_energy:
        return "it has no energy" if with_energy else "it has an energy that nothing measured"
    if record.energy is not None and (record.energy.seconds <= 0 or record.energy.samples < 1):
        return "its energy is of no time"
    return ""
