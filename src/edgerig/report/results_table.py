"""Recorded tests as one table: software and hardware against accuracy, similarity and time, with confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from edgerig import __version__
from edgerig.measure.kinds import Kind, Unavailable
from edgerig.report.figures import number
from edgerig.report.privacy import anonymous
from edgerig.report.tables import Column, Table, Value, if_any, make_table, share
from edgerig.report.units import when
from edgerig.report.values import Figure
from edgerig.results.round_warnings import kind_of_warning
from edgerig.results.tests.make import ACCURACIES
from edgerig.results.tests.record import RecordedTest
from edgerig.views import Matrix

#: Version of the table's JSON document.
TABLE_VERSION = 1
#: Classes up to which a matrix and the similarity of each class are shown; JSON has all.
MOST_CLASSES = 30
_LEGEND = (
    "Accuracy is the share of right pixels, or of right samples; similarity the sum of the classes' intersections over "
    "the sum of their unions. Inference time is that of one image on the device; image time is the time of everything: "
    "preprocessing, transport, inference and postprocessing."
)


class ResultsTable(msgspec.Struct, frozen=True, kw_only=True):
    """All content of the report.

    Attributes:
        table: A row for each test. classes: similarity by class, a column for each test.
        matrices: Confusion of each test that has one, titled by what the test is of.
        notes: What the reader has to know.
        tests: The records behind it.
    """

    version: int = TABLE_VERSION
    title: str = "Results"
    edgerig: str = __version__
    table: Table
    classes: tuple[Table, ...]
    matrices: tuple[Matrix, ...]
    notes: tuple[str, ...]
    tests: tuple[RecordedTest, ...]


def _share(test: RecordedTest, names: Sequence[str], value: float | None = None) -> Figure | None:
    """The metric of one of ``names`` with its interval, else ``value``. What an emulator predicted is emulated."""
    inference = test.inference
    kind: Kind = "measured" if isinstance(inference, Unavailable) or inference.kind == "measured" else "emulated"
    metric = next((metric for metric in test.metrics if metric.name in names), None)
    low, high = (metric.low, metric.high) if metric else (None, None)
    value = metric.value if metric else value
    if value is None:
        return None
    return number(value, "1", kind=kind, low=low, high=high, detail=f"over {test.images:,} images")


def _target(test: RecordedTest) -> Value:
    return test.platform.target if test.platform.target not in ("", "local") else None


def _batch(test: RecordedTest) -> Value:
    return test.batch if test.batch > 1 else None


#: The columns, declared once for all formats.
RESULTS: tuple[Column[RecordedTest], ...] = (
    Column("software", lambda test: test.platform.software or "not told", align="left", head=True, rank=0),
    Column("hardware", lambda test: test.platform.processor or "not told", align="left", rank=0),
    Column("target", _target, if_any, align="left", rank=2),
    Column("images", lambda test: test.images, rank=0),
    Column("accuracy", lambda test: _share(test, ACCURACIES, test.accuracy), if_any, interval=True, rank=0),
    Column("similarity", lambda test: _share(test, ("similarity",), test.similarity), if_any, interval=True, rank=0),
    Column(
        "similarity without background",
        lambda test: _share(test, ("similarity_foreground",)),
        if_any,
        interval=True,
        rank=3,
    ),
    Column(
        "inference time",
        lambda test: test.inference,
        key="inference_time",
        short="inference time",
        interval=True,
        rank=0,
    ),
    Column("image time", lambda test: test.image_time, key="image_time", short="image time", rank=1),
    Column("batch", _batch, if_any, rank=2),
    Column("test", lambda test: test.name, align="left", rank=3),
    Column("model", lambda test: test.model.name, align="left", rank=3),
    Column("dataset", lambda test: test.dataset.address or test.dataset.name, align="left", rank=3),
    Column("date", lambda test: Figure(text=when(test.date), exact=test.date), align="left", rank=3),
)


def results_table(tests: Sequence[RecordedTest], *, everything: bool = False) -> ResultsTable:
    """The table of tests, in the order of software, hardware and date.

    Args:
        tests: The records; those of one run and cell count once.
        everything: A row for every test, instead of the latest of each network on each platform and dataset.
    """
    tests = anonymous(_distinct(tests))
    shown = sorted(tests if everything else _latest(tests), key=_order)
    labels = _labels(shown)
    notes = [_LEGEND] if shown else ["No test is in the history yet."]
    if len(shown) < len(tests):
        notes.append(f"Of {len(tests):,} tests these are the latest of each network on each platform and dataset.")
    wide = [label for label, test in zip(labels, shown, strict=True) if len(test.confusion) > MOST_CLASSES]
    if wide:
        notes.append(f"More than {MOST_CLASSES} classes are too many for a matrix: {', '.join(wide)}.")
    if any(test.source != "edgerig" for test in shown):
        notes.append("Tests that were imported have one time around everything, as their program measured it.")
    notes += _warnings(shown, labels)
    return ResultsTable(
        table=make_table(RESULTS, shown, name="results", title="Results", reasons=False),
        classes=_by_class(shown, labels),
        matrices=tuple(
            Matrix(f"Confusion: {label}", names := _names(test), names, test.confusion)
            for label, test in zip(labels, shown, strict=True)
            if 0 < len(test.confusion) <= MOST_CLASSES
        ),
        notes=tuple(notes),
        tests=tuple(shown),
    )


def _distinct(tests: Sequence[RecordedTest]) -> tuple[RecordedTest, ...]:
    """Each test once, whether it came out of a bundle, a history, or both; a history tells its name."""
    by_identity: dict[tuple[str, ...], RecordedTest] = {}
    for test in sorted(tests, key=lambda test: test.name != test.run):
        identity = (test.run, test.run_date, test.cell) if test.run else (test.date, test.name, *_platform(test))
        by_identity[identity] = test
    return tuple(by_identity.values())


def _warnings(tests: Sequence[RecordedTest], labels: Sequence[str]) -> Iterator[str]:
    """Every kind of warning once, with the tests that it is about; of numbers that differ the first one's."""
    kinds: dict[str, tuple[str, list[str]]] = {}
    for label, test in zip(labels, tests, strict=True):
        for warning in test.warnings:
            kinds.setdefault(kind_of_warning(warning), (warning, []))[1].append(label)
    for text, about in kinds.values():
        yield f"\N{WARNING SIGN} {', '.join(dict.fromkeys(about))}: {text}"


def _platform(test: RecordedTest) -> tuple[str, ...]:
    platform = test.platform
    return (test.model.name, test.dataset.name, platform.software, platform.processor, platform.target, str(test.batch))


def _latest(tests: Sequence[RecordedTest]) -> list[RecordedTest]:
    return list({(test.name, *_platform(test)): test for test in sorted(tests, key=lambda test: test.date)}.values())


def _order(test: RecordedTest) -> tuple[str, ...]:
    return (test.platform.software, test.platform.processor, test.date, test.name)


def _labels(tests: Sequence[RecordedTest]) -> list[str]:
    """A name for each test: software and hardware, and where these are the same the network, then the date."""
    parts = [
        (test.platform.software or test.name, test.platform.processor, test.model.name, when(test.date))
        for test in tests
    ]
    for length in (2, 3, 4):
        labels = [" · ".join(part for part in each[:length] if part) for each in parts]
        if len(set(labels)) == len(labels):
            break
    return labels


def _names(test: RecordedTest) -> tuple[str, ...]:
    """Of the rows of the confusion matrix: of the classes where there is one for each."""
    names = tuple(each.name for each in test.classes)
    size = len(test.confusion)
    return names if len(names) == size == len(set(names)) else tuple(str(number) for number in range(size))


def _by_class(tests: Sequence[RecordedTest], labels: Sequence[str]) -> tuple[Table, ...]:
    """Similarity by class, in a table for all tests whose classes have the same names."""
    groups: dict[tuple[str, ...], list[tuple[str, RecordedTest]]] = {}
    for label, test in zip(labels, tests, strict=True):
        names = tuple(each.name for each in test.classes)
        if 0 < len(names) <= MOST_CLASSES:
            groups.setdefault(names, []).append((label, test))
    return tuple(
        make_table(
            (
                Column[int]("class", _name_of(names), align="left", head=True),
                *(Column[int](label, _share_of(test)) for label, test in members),
            ),
            range(len(names)),
            name="similarity",
            title="Similarity by class",
        )
        for names, members in groups.items()
    )


def _share_of(test: RecordedTest) -> Callable[[int], Figure]:
    return lambda row: share(test.classes[row].similarity)


def _name_of(names: Sequence[str]) -> Callable[[int], str]:
    return lambda row: names[row]
