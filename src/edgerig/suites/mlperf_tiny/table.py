"""The table that a run of several benchmarks ends in: quality against target, time, size, and what others published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from edgerig import files
from edgerig.datasets.base import Dataset
from edgerig.datasets.mlperf_tiny.base import TinyDataset
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.errors import EdgerigError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.plugins import find
from edgerig.report.units import show
from edgerig.results.types import CellResult, RunResult
from edgerig.suites.mlperf_tiny.runner.published import PUBLISHED
from edgerig.tasks.judgement import Quality
from edgerig.views import Table

#: Multiply-accumulates that a device does in a second at most, by target: a Cortex-M7 does two of 16 bits in each
#: cycle (SMLAD), here at the board's 216 MHz.
PEAK_MACS = {"sim:stm32f746": 2 * 216e6}
#: Where all results are of this run.
NONE_EARLIER: Mapping[str, str] = MappingProxyType({})
#: Names of the files in the folder of a run.
MARKDOWN, JSON = "mlperf-tiny.md", "mlperf-tiny.json"


class SuiteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A network on a device.

    Attributes:
        benchmark, cell: Its benchmark, and the cell of its run.
        quality: What the benchmark's metric is, in words; None where it was not judged.
        meets: Whether that is the quality asked for; None where nothing can be said, as on seeded samples.
        samples: Samples that were run, and those of the official set that were not.
        seconds, macs_per_second: Of an inference; ``modelled`` where no clock told it.
        share_of_peak: Of the multiply-accumulates that the device does at most; None where that is not known.
        instructions: Of an inference, where they were counted.
        ram, flash: In bytes; on a computer the process's memory, and the file.
    """

    benchmark: str
    cell: str
    quality: str | None
    target: str
    meets: bool | None
    samples: str
    seconds: float | None
    modelled: bool
    instructions: float | None
    ram: float | None
    flash: float | None
    macs_per_second: float | None
    share_of_peak: float | None


def suite_rows(results: Mapping[str, RunResult]) -> list[SuiteRow]:
    """The rows of all runs that are of a benchmark, in their order."""
    rows = []
    for result in results.values():
        benchmark = benchmark_of(result)
        if benchmark is not None:
            rows += [_row(benchmark, result, cell) for cell in result.cells]
    return rows


def benchmark_of(result: RunResult) -> Benchmark | None:
    """The benchmark whose samples a run had; None for other datasets."""
    try:
        dataset = find("dataset", result.dataset.name, Dataset)
    except EdgerigError:
        return None
    return dataset.benchmark if issubclass(dataset, TinyDataset) else None


def suite_lines(results: Mapping[str, RunResult], earlier: Mapping[str, str] = NONE_EARLIER) -> list[str]:
    """The table in lines of a terminal, and what has to be said beside it.

    Args:
        results: By the names of parts, or of a part and a cell of it that an earlier run measured.
        earlier: The folders of those that were not run this time.
    """
    table = [list(HEADINGS), *(_texts(row) for row in suite_rows(results))]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return ["", *lines, *notes(results, earlier), *_published_lines({row.benchmark for row in suite_rows(results)})]


def write_suite(folder: Path, results: Mapping[str, RunResult], earlier: Mapping[str, str] = NONE_EARLIER) -> None:
    """Write the table of `suite_lines` as Markdown and as JSON into ``folder``.

    Raises:
        StorageError: It cannot be written.
    """
    rows = suite_rows(results)
    head = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    body = ["| " + " | ".join(_texts(row)) + " |" for row in rows]
    published = [
        f"| {entry.benchmark} | {entry.system} | {entry.figure} | {entry.source} |"
        for entry in PUBLISHED
        if entry.benchmark in {row.benchmark for row in rows}
    ]
    parts = ["# MLPerf Tiny", "\n".join([*head, *body]), "\n".join(f"- {note}" for note in notes(results, earlier))]
    if published:
        rule = "| benchmark | system | result | source |\n|---|---|---|---|"
        parts += ["## Published by others", "\n".join([rule, *published])]
    files.write_text(folder / MARKDOWN, "\n\n".join(part for part in parts if part) + "\n")
    document = {"rows": rows, "notes": notes(results, earlier), "published": PUBLISHED}
    files.write_text(folder / JSON, msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")


def notes(results: Mapping[str, RunResult], earlier: Mapping[str, str] = NONE_EARLIER) -> list[str]:
    """What makes the table less than a result of the benchmark."""
    said = []
    seeded = dict.fromkeys(name.partition("/")[0] for name, result in results.items() if _is_seeded(result))
    if seeded:
        said.append(
            f"Samples made from a seed, not the benchmark's: {', '.join(seeded)}. Their quality says nothing of the "
            "target; times, instructions and sizes do not depend on the samples."
        )
    dates = [
        f"{name} ({results[name].finished or 'not finished'}" + (")" if folder == name else f", in {folder})")
        for name, folder in earlier.items()
    ]
    if dates:
        said.append(f"Of an earlier run: {', '.join(dates)}.")
    if any(row.modelled for row in suite_rows(results)):
        said.append("~ Modelled from counted instructions, with the error band that the run's report tells.")
    lost = [f"{name}/{failure.id}" for name, result in results.items() for failure in result.failures]
    if lost:
        said.append(f"Not measured: {', '.join(lost)}.")
    return said


def _published_lines(benchmarks: set[str]) -> list[str]:
    """What others published for these benchmarks, by source and system."""
    lines = []
    for source in dict.fromkeys(entry.source for entry in PUBLISHED if entry.benchmark in benchmarks):
        lines.append(f"Published by others ({source}):")
        systems: dict[str, list[str]] = {}
        for entry in PUBLISHED:
            if entry.source == source and entry.benchmark in benchmarks:
                systems.setdefault(entry.system, []).append(f"{entry.benchmark} {entry.figure}")
        lines += [f"  {system}: {'; '.join(figures)}" for system, figures in systems.items()]
    return lines


HEADINGS = (
    "benchmark",
    "network",
    "quality",
    "asked for",
    "met",
    "samples",
    "an inference",
    "instructions",
    "RAM",
    "flash or file",
    "MACs/s",
    "of peak",
)


def _texts(row: SuiteRow) -> list[str]:
    mark = "~" if row.modelled else ""
    return [
        row.benchmark,
        row.cell,
        row.quality or "-",
        row.target,
        "-" if row.meets is None else "yes" if row.meets else "no",
        row.samples,
        "-" if row.seconds is None else mark + show(row.seconds, "s"),
        "-" if row.instructions is None else f"{row.instructions:,.0f}",
        "-" if row.ram is None else show(row.ram, "B"),
        "-" if row.flash is None else show(row.flash, "B"),
        "-" if row.macs_per_second is None else mark + show(row.macs_per_second, "MACs").removesuffix("MACs").strip(),
        "-" if row.share_of_peak is None else mark + f"{row.share_of_peak:.1%}",
    ]


def _row(benchmark: Benchmark, result: RunResult, cell: CellResult) -> SuiteRow:
    steady = cell.latency.steady
    seconds = steady.value if isinstance(steady, Measurement) else None
    macs = next((model.macs for model in (*result.models, result.model) if model.name == cell.model), result.model.macs)
    rate = macs / seconds if macs and seconds else None
    peak = PEAK_MACS.get(cell.target)
    quality, meets = _judged(benchmark, cell.quality)
    whole = benchmark.samples or result.dataset.test_samples
    fewer = f" of {whole:,}" if cell.quality.samples < whole and not _is_seeded(result) else ""
    return SuiteRow(
        benchmark=benchmark.name,
        cell=cell.id,
        quality=quality,
        target=benchmark.quality.text,
        meets=None if _is_seeded(result) or fewer else meets,
        samples=f"{cell.quality.samples:,}{fewer}" + (" seeded" if _is_seeded(result) else ""),
        seconds=seconds,
        modelled=isinstance(steady, Measurement) and steady.kind == "modelled",
        instructions=_value(cell.instructions),
        ram=_value(cell.memory.get("ram") or cell.memory.get("peak_rss")),
        flash=_value(cell.memory.get("flash")) or float(cell.artifact.size),
        macs_per_second=rate,
        share_of_peak=rate / peak if rate and peak else None,
    )


def _judged(benchmark: Benchmark, quality: Quality) -> tuple[str | None, bool | None]:
    """The benchmark's metric in words, and whether it is as good as asked for."""
    if benchmark.quality.metric == "events":
        return _events(benchmark, quality)
    wanted = {"top1": "accuracy", "auc": "auc"}[benchmark.quality.metric]
    value = next((metric.value for metric in quality.metrics if metric.name == wanted), None)
    if value is None:
        return None, None
    text = f"top-1 {value:.1%}" if wanted == "accuracy" else f"AUC {value:.3f}"
    return text, value >= benchmark.quality.target


def _events(benchmark: Benchmark, quality: Quality) -> tuple[str | None, bool | None]:
    """Counts of a stream's table of events: a row has a class, its events, those missed, and false reports."""
    tables = [view for view in quality.views if isinstance(view, Table) and view.title == "Events"]
    if not tables:
        return None, None
    missed = sum(int(row[2]) for row in tables[0].rows if isinstance(row[2], int))
    false = sum(int(row[3]) for row in tables[0].rows if isinstance(row[3], int))
    return f"{false} false, {missed} missed", max(missed, false) <= benchmark.quality.target


def _is_seeded(result: RunResult) -> bool:
    return bool(result.dataset.options.get("seeded"))


def _value(quantity: Quantity | msgspec.UnsetType | None) -> float | None:
    return quantity.value if isinstance(quantity, Measurement) else None
