"""``tests.json``: what mllib wrote comes in, what edgerig recorded goes out, and comes in again without loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgerig.errors import StorageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.tests.history import open_history
from edgerig.results.tests.record import RecordedTest
from edgerig.results.tests.tests_json import export_tests, import_tests

MakeRecord = Callable[..., RecordedTest]
#: As mllib's tests write them, NaN and floats for counts included.
ROW: dict[str, Any] = {
    "date": "10/05/2021, 09:26:53",
    "name": "unet",
    "description": "TensorRT float16",
    "model": "2021-10-01-dl3",
    "accuracy": 0.946283,
    "class_similarity": {
        "0": {"intersection": 0, "union": 0, "similarity": float("nan")},
        "1": {"intersection": 30, "union": 40, "similarity": 0.75},
    },
    "similarity": 0.668803,
    "confusion": [[0.0, 0.0], [10.0, 30.0]],
    "images": 5000.0,
    "image time": 0.046575,
    "batch size": 1,
    "store address": "192.168.1.5:9000",
    "test bucket": "mllib",
    "platform": "Jetson NX",
}


def write(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps(rows))
    return path


def test_a_row_of_mllib_is_a_record(tmp_path: Path) -> None:
    (record,) = import_tests(write(tmp_path / "tests.json", [ROW]), pytest.fail)
    assert record.date == "2021-10-05T09:26:53+00:00"
    assert (record.name, record.description, record.model.name) == ("unet", "TensorRT float16", "2021-10-01-dl3")
    assert (record.accuracy, record.similarity, record.images, record.batch) == (0.946283, 0.668803, 5000, 1)
    assert record.confusion == ((0, 0), (10, 30))
    assert [(each.train_id, each.intersection, each.union, each.similarity) for each in record.classes] == [
        (0, 0, 0, 1.0),
        (1, 30, 40, 0.75),
    ]
    assert isinstance(record.image_time, Measurement)
    assert (record.image_time.value, record.image_time.unit) == (0.046575, "s")
    # Its time is one around everything: what the inference alone took is not known.
    assert isinstance(record.inference, Unavailable)
    assert record.platform.hardware == "Jetson NX"
    assert record.dataset.address == "192.168.1.5:9000/mllib"


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        ("2026-03-14T01:00:00+02:00", "2026-03-13T23:00:00+00:00"),
        ("2026-03-13T23:30:00Z", "2026-03-13T23:30:00+00:00"),
        ("2026-03-13T23:30:00", "2026-03-13T23:30:00+00:00"),
    ],
)
def test_dates_of_other_time_zones_become_utc(date: str, utc: str, tmp_path: Path) -> None:
    (record,) = import_tests(write(tmp_path / "tests.json", [{**ROW, "date": date}]))
    assert record.date == utc


def test_an_export_has_the_keys_of_mllib_and_comes_back_whole(tmp_path: Path, make_record: MakeRecord) -> None:
    records = [make_record(), make_record(date="2026-03-15T09:26:00Z", image_time=Unavailable("emulated"))]
    emulated = Measurement(value=0.25, unit="s", kind="emulated", method="cycles of an emulator")
    records.append(make_record(date="2026-03-16T09:26:00Z", image_time=emulated))
    assert export_tests(records, tmp_path / "tests.json") == 3
    first, second, third = json.loads((tmp_path / "tests.json").read_text())
    assert third["image time"] is None, "the key is of measured times"
    assert set(ROW) <= set(first)
    assert first["images"] == records[0].images
    assert first["accuracy"] == records[0].accuracy
    assert first["class_similarity"]["3"]["union"] == records[0].classes[3].union
    assert second["image time"] is None
    assert list(import_tests(tmp_path / "tests.json", pytest.fail)) == records


def test_importing_twice_changes_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    file = write(tmp_path / "tests.json", [ROW, {**ROW, "batch size": 8}])
    history = open_history(tmp_path / "history")
    for _ in range(2):
        for record in import_tests(file):
            history.append(record)
        assert len(history.names()) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "yesterday"}, "isoformat"),
        ({"accuracy": 94.6}, "no share"),
        ({"images": -1}, "no count"),
        ({"images": 2.5}, "no count"),
        ({"class_similarity": {"1": {"intersection": 41, "union": 40}}}, "intersection of 41"),
        ({"class_similarity": {"1": {"union": 40}}}, "'intersection' is missing"),
        ({"confusion": 5}, "not iterable"),
        ({"image time": 1e300}, "image_time"),
    ],
)
def test_a_row_that_is_no_test_is_named_and_the_others_come_in(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    said: list[str] = []
    records = list(import_tests(write(tmp_path / "tests.json", [{**ROW, **change}, ROW, 7]), said.append))
    assert len(records) == 1
    assert "row 1 of" in said[0]
    assert reason in said[0]
    assert "row 3 of" in said[1]
    assert "'date' is missing" in said[1]


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    for text, reason in (("[{", "no JSON"), ("{}", "no list"), ("[" * 100_000, "no JSON")):
        (tmp_path / "tests.json").write_text(text)
        with pytest.raises(StorageError, match=reason):
            list(import_tests(tmp_path / "tests.json"))
    with pytest.raises(StorageError, match="cannot be read"):
        list(import_tests(tmp_path / "nothing.json"))
