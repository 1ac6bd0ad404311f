"""``tests.json``: a list of tests in one file, as mllib writes it, for tables and notebooks that read such files.

Its rows have the keys date, name, description, model, accuracy, class_similarity, similarity, confusion, images, "image
time", "batch size", "store address", "test bucket" and platform. Those that edgerig exports have the whole record
besides, so that an import of them loses nothing and repeats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import StorageError
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.results.reading import check_numbers
from edgerig.results.tests.record import ClassOverlap, Platform, RecordedTest, TestedData, TestedModel
from edgerig.text import one_line

#: Key of the whole record in a row that edgerig wrote.
RECORD = "edgerig"
#: Largest file in bytes.
MAX_FILE = 512 << 20
#: How mllib writes dates, which have no time zone and are taken for UTC; others are ISO 8601.
_DATES = ("%m/%d/%Y, %H:%M:%S", "%m/%d/%Y %H:%M:%S")
_METHOD = "as imported: wall time around normalizing, transfer, inference and argmax, divided by the batch"


def export_rows(records: Iterable[RecordedTest]) -> list[dict[str, Any]]:
    """The rows of ``tests.json``. A time that was not measured is null: the key does not tell a kind, and who reads it
    takes it for a measured one. The whole record has it."""
    return [
        {
            "date": record.date,
            "name": record.name,
            "description": record.description,
            "model": record.model.name,
            "accuracy": record.accuracy,
            "class_similarity": {
                str(each.train_id): {
                    "intersection": each.intersection,
                    "union": each.union,
                    "similarity": each.similarity,
                }
                for each in record.classes
            },
            "similarity": record.similarity,
            "confusion": record.confusion,
            "images": record.images,
            "image time": _seconds(record.image_time),
            "batch size": record.batch,
            "store address": record.dataset.address,
            "test bucket": _bucket(record.dataset.address),
            "platform": record.platform.hardware,
            RECORD: record,
        }
        for record in records
    ]


def export_tests(records: Iterable[RecordedTest], path: Path) -> int:
    """Write ``tests.json`` in one step, and return the number of its rows; raises StorageError."""
    rows = export_rows(records)
    files.write_json(path, rows)
    return len(rows)


def import_tests(path: Path, say: Callable[[str], None] = lambda text: None) -> Iterator[RecordedTest]:
    """The tests of a ``tests.json``.

    Args:
        path: The file, of mllib or exported by edgerig.
        say: Receives a message about each row that is no test and is left out.

    Raises:
        StorageError: The file cannot be read or is no list.
    """
    for number, row in enumerate(_rows(path), 1):
        try:
            record = _whole(row[RECORD]) if RECORD in row else _record(row)
            check_numbers(record)
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError, OverflowError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            say(f"left out: row {number} of {path}: {one_line(reason)}")
            continue
        yield record


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_FILE:
            raise StorageError(f"{path} has more than {MAX_FILE:,} bytes.", "Split it.")
        # Numbers that are none (NaN), which Python's writer leaves there, are no numbers of a test.
        rows = json.loads(files.without_mark(path.read_bytes()), parse_constant=lambda _: None)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} is no JSON: {one_line(error)}.", "Was it cut off?") from error
    if not isinstance(rows, list):
        raise StorageError(f"{path} holds no list of tests.", "Give a tests.json as mllib or edgerig writes it.")
    return [row if isinstance(row, dict) else {} for row in rows]


def _whole(value: Any) -> RecordedTest:
    return msgspec.convert(value, RecordedTest)


def _record(row: dict[str, Any]) -> RecordedTest:
    """A row of mllib; raises KeyError, ValueError or TypeError where it is no such."""
    overlaps = row.get("class_similarity") or {}
    address = "/".join(str(row[key]) for key in ("store address", "test bucket") if row.get(key))
    platform = row.get("platform") or ""
    return RecordedTest(
        date=_date(str(row["date"])),
        name=one_line(row.get("name") or "test"),
        description=str(row.get("description") or ""),
        model=TestedModel(name=one_line(row.get("model") or "unknown")),
        dataset=TestedData(name=address or "unknown", address=address),
        platform=Platform(software="", processor=platform if isinstance(platform, str) else json.dumps(platform)),
        accuracy=_share(row.get("accuracy")),
        similarity=_share(row.get("similarity")),
        classes=tuple(_overlap(key, each) for key, each in overlaps.items()),
        confusion=tuple(tuple(_whole_number(count) for count in counts) for counts in row.get("confusion") or ()),
        images=_whole_number(row.get("images") or 0),
        batch=max(1, _whole_number(row.get("batch size") or 1)),
        inference=Unavailable("not told apart from the time around it"),
        image_time=_time(row.get("image time")),
        source="mllib",
    )


def _overlap(key: str, row: dict[str, Any]) -> ClassOverlap:
    intersection, union = _whole_number(row["intersection"]), _whole_number(row["union"])
    if intersection > union:
        raise ValueError(f"class {key} has an intersection of {intersection:,} and a union of {union:,}")
    return ClassOverlap(
        train_id=_whole_number(key),
        name=str(key),
        intersection=intersection,
        union=union,
        similarity=intersection / union if union else 1.0,
    )


def _time(value: Any) -> Quantity:
    if value is None:
        return Unavailable("the imported row has none")
    return Measurement(value=float(value), unit="s", kind="measured", method=_METHOD)


def _share(value: Any) -> float | None:
    """An accuracy or similarity; None where a row has none. Raises ValueError where it is none."""
    if value is None:
        return None
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"{value!r} is no share between 0 and 1")
    return share


def _whole_number(value: Any) -> int:
    """A count; numpy's are often written as 12.0. Raises ValueError where it is none."""
    number = int(value) if isinstance(value, str) else float(value)
    if number != int(number) or number < 0:
        raise ValueError(f"{value!r} is no count")
    return int(number)


def _date(text: str) -> str:
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    moment = datetime.fromisoformat(text)
    # Dates are compared as texts, which needs one time zone.
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()


def _seconds(quantity: Quantity) -> float | None:
    return quantity.value if isinstance(quantity, Measurement) and quantity.kind == "measured" else None


def _bucket(address: str) -> str:
    """The bucket of an address in a store; empty elsewhere.

    >>> _bucket("s3://lab/street@7"), _bucket("data/street@2")
    ('lab', '')
    """
    return address.partition("://")[2].partition("/")[0] if address.startswith("s3://") else ""
