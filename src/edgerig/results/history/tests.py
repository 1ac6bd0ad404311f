"""The entries that the index has of recorded tests.

A test on this machine has a bundle, too, which tells more: where that is indexed, its figures stand for those of the
record that are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgerig.measure.kinds import Measurement
from edgerig.results.history.entries import (
    FIGURES,
    FigureEntry,
    RunEntry,
    data_of,
    figure_of_metric,
    figure_of_quantity,
)
from edgerig.results.tests.record import RecordedTest

#: Beginning of the stamp of a test, whose file never changes.
STAMP = "test-"
#: SQL: whether a row of ``runs`` is a test.
IS_TEST = f"(runs.stamp LIKE '{STAMP}%')"
#: SQL: whether the bundle of a test is indexed, too; and whether it has a figure of the test's.
BUNDLE_IS_THERE = (
    f"({IS_TEST} AND EXISTS (SELECT 1 FROM runs AS whole WHERE whole.rig = runs.rig AND whole.created = runs.created "
    f"AND whole.stamp NOT LIKE '{STAMP}%'))"
)
FIGURE_OF_BUNDLE_IS_THERE = (
    f"({IS_TEST} AND EXISTS (SELECT 1 FROM runs AS whole JOIN figures AS own ON own.run = whole.id WHERE "
    f"whole.rig = runs.rig AND whole.created = runs.created AND whole.stamp NOT LIKE '{STAMP}%' "
    "AND own.cell = figures.cell AND own.metric = figures.metric))"
)


def is_test(entry: RunEntry) -> bool:
    """Whether an entry is that of a recorded test; its ``bundle`` is then the record's file."""
    return entry.stamp.startswith(STAMP)


def stamp_of_test(name: str) -> str:
    """The stamp of the record whose file is called ``name``; it changes with the figures that are indexed."""
    return f"{STAMP}{FIGURES}-{name}"


def entry_of_test(address: str, name: str, record: RecordedTest) -> RunEntry:
    """The entry of a record.

    Args:
        address: Of the history. name: of the record's file there.
        record: What is in it.
    """
    return RunEntry(
        bundle=f"{address}/{name}",
        stamp=stamp_of_test(name),
        rig=record.run or record.name,
        created=record.run_date or record.date,
        commit=record.commit,
        edgerig=record.edgerig,
        dataset=record.dataset.address or record.dataset.name,
        figures=tuple(_figures(record)),
    )


def _figures(record: RecordedTest) -> Iterator[FigureEntry]:
    platform, batches = record.platform, f", batches of {record.batch:,}" if record.batch > 1 else ""
    cell = record.cell or record.model.name
    device = f"{platform.target} ({platform.processor})" if platform.target else platform.processor
    # Of a batch it is the share of a sample, which is another number than the latency of a bundle.
    inference = "inference_of_sample" if batches else "latency"
    for name, quantity in ((inference, record.inference), ("image_time", record.image_time)):
        if isinstance(quantity, Measurement):
            yield figure_of_quantity(cell, device + batches, name, quantity)
    data = data_of(record.images, record.dataset.name, record.dataset.fingerprint)
    metrics = {metric.name: metric for metric in record.metrics}
    for metric in metrics.values():
        yield figure_of_metric(cell, device + data, metric)
    shares = {"similarity": record.similarity}
    if not metrics:
        shares["accuracy"] = record.accuracy
    for name, share in shares.items():
        if share is not None and name not in metrics:
            yield FigureEntry(cell=cell, device=device + data, metric=name, value=share, unit="1", kind="measured")
    if record.model.size is not None:
        yield FigureEntry(
            cell=cell, device=device, metric="size", value=float(record.model.size), unit="B", kind="measured"
        )
