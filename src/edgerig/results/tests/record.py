"""One test: a network, a dataset and a device, how well the one did on the other, and in what time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from edgerig import files
from edgerig.errors import StorageError
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.results.reading import check_numbers
from edgerig.tasks.judgement import MetricValue
from edgerig.text import harmless_json

#: Version of the record's layout.
RECORD_VERSION = 1
#: Largest record in bytes: the confusion matrix of 1,000 classes takes some 8 MB.
MAX_RECORD = 32 << 20
#: Hex digits of the content's SHA-256 in the name of its file.
_DIGITS = 16
_NAME = re.compile(rf"\d{{8}}T\d{{12}}Z-[0-9a-f]{{{_DIGITS}}}\.json")
_HINT = "It is left as it is; move it away, or write the test again."

Count = Annotated[int, msgspec.Meta(ge=0)]


class ClassOverlap(msgspec.Struct, frozen=True, kw_only=True):
    """How far the network's answers of one class cover the true ones, in pixels, or in samples where one has one class.

    Attributes:
        train_id: The number of the class, as the network learnt it.
        intersection: Where both are of the class. union: where either is.
        similarity: intersection / union (the Jaccard index); 1 for an empty union.
    """

    train_id: Count
    name: str
    intersection: Count
    union: Count
    similarity: float


class TestedModel(msgspec.Struct, frozen=True, kw_only=True):
    """The network: its name, file format, SHA-256 and size in bytes; what of that is unknown is empty or None."""

    __test__ = False  # pytest must not take it for a test class

    name: str
    format: str = ""
    sha256: str = ""
    size: int | None = None


class TestedData(msgspec.Struct, frozen=True, kw_only=True):
    """The samples: the dataset's name, its address with the version where it has one, and the samples' fingerprint."""

    __test__ = False

    name: str
    address: str = ""
    task: str = ""
    fingerprint: str = ""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What ran the network.

    Attributes:
        software: Engine and number format, such as ``litert 2.3.0 int8``.
        processor: Its model. host: name of the machine.
        system: Operating system and architecture.
        target: Address of the device. runtime, threads: the engine and its threads.
    """

    software: str
    processor: str
    host: str = ""
    system: str = ""
    target: str = ""
    runtime: str = ""
    runtime_version: str = ""
    threads: int | None = None

    @property
    def hardware(self) -> str:
        """Processor and machine."""
        return f"{self.processor}, {self.host}" if self.host else self.processor


class RecordedTest(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one test; the content of its file.

    Attributes:
        date: When the measurement began, UTC, ISO 8601.
        name: Name of the test, equal for tests that make one series. description: free text.
        accuracy: Share of right answers: of pixels in segmentation, of samples in classification; None where the task
            has no such number.
        similarity: Sum of the intersections over the sum of the unions of all classes; None without classes.
        metrics: Everything that the task measured, with its intervals.
        classes: Overlap by class. confusion: ``confusion[i][j]`` counts class i answered as j.
        images: Number of samples. batch: of an inference.
        inference: Seconds a sample on the device. image_time: seconds a sample around everything: reading,
            preprocessing, transport, inference and postprocessing. Both tell their kind and method.
        stages: Seconds a sample of what `image_time` is the sum of.
        run, run_date, cell: Name and date of the run, and the id of its cell. commit: of the user's own sources.
        source: ``edgerig``, or where a record was imported from.
    """

    version: int = RECORD_VERSION
    date: str
    name: str
    description: str = ""
    model: TestedModel
    dataset: TestedData
    platform: Platform
    accuracy: float | None = None
    similarity: float | None = None
    metrics: tuple[MetricValue, ...] = ()
    classes: tuple[ClassOverlap, ...] = ()
    confusion: tuple[tuple[Count, ...], ...] = ()
    images: Count
    batch: Annotated[int, msgspec.Meta(ge=1)] = 1
    inference: Quantity = Unavailable("not measured")
    image_time: Quantity = Unavailable("not measured")
    stages: dict[str, Quantity] = {}
    warnings: tuple[str, ...] = ()
    run: str = ""
    run_date: str = ""
    cell: str = ""
    commit: str = ""
    edgerig: str = ""
    source: str = "edgerig"


class RecordFile(msgspec.Struct, frozen=True):
    """A record as it lies in a history: its file's name and the bytes in it."""

    name: str
    data: bytes


def encode_record(record: RecordedTest) -> RecordFile:
    """The file of a record. Equal records have equal files, so that writing one twice does no harm.

    Raises:
        StorageError: The record holds a number that JSON has not, or its date is none.
    """
    files.check_finite(record, f"the record of test {record.name!r}")
    document = harmless_json(msgspec.json.format(msgspec.json.encode(record), indent=1).decode())
    data = document.encode() + b"\n"
    return RecordFile(f"{_moment(record.date):%Y%m%dT%H%M%S%f}Z-{files.sha256(data)[:_DIGITS]}.json", data)


def is_record_name(name: str) -> bool:
    """Whether a file's name is that of a record: time, and the beginning of its content's SHA-256."""
    return _NAME.fullmatch(name) is not None


def decode_record(name: str, data: bytes) -> RecordedTest:
    """The record in ``data``, which is checked against its file's name.

    Raises:
        StorageError: The file is foreign, was cut off or changed, is of another version, or no record.
    """
    if not is_record_name(name):
        raise StorageError(f"{name} is no record of a test: its name is none that edgerig gives.", _HINT)
    if len(data) > MAX_RECORD:
        raise StorageError(f"{name} has {len(data):,} bytes, more than a record has ({MAX_RECORD:,}).", _HINT)
    if files.sha256(data)[:_DIGITS] != name.rpartition("-")[2].removesuffix(".json"):
        raise StorageError(f"{name} was cut off or changed: its content is not the one that its name tells.", _HINT)
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != RECORD_VERSION:
            raise StorageError(
                f"{name} has layout {version}, and this edgerig reads {RECORD_VERSION}.",
                "Read it with the edgerig that wrote it, or a later one.",
            )
        record = msgspec.json.decode(data, type=RecordedTest)
        check_numbers(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise StorageError(f"{name} is no record of a test: {error}.", _HINT) from error
    size = len(record.confusion)
    if any(len(row) != size for row in record.confusion):
        raise StorageError(f"{name} is no record of a test: its confusion matrix is not square.", _HINT)
    return record


class _Version(msgspec.Struct):
    version: int


def _moment(date: str) -> datetime:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError as error:
        raise StorageError(f"{date!r} is no date of a test.", "Give it as ISO 8601: 2026-03-14T09:26:53Z.") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
