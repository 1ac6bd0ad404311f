"""The record of a test: what it is made of, its file, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.report.conftest import make_cell, make_run, number

from edgerig.errors import StorageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.tests.make import confusion_of, overlaps, records_of, similarity_of
from edgerig.results.tests.record import RecordedTest, TestedData, decode_record, encode_record
from edgerig.tasks.judgement import Quality
from edgerig.views import Matrix

MATRIX = ((70, 10, 0), (5, 15, 0), (0, 0, 0))
ROW = ("int8", "litert", "local", 0.98, 24.0, 101_664, "measured")


@pytest.fixture
def record(make_record: Callable[..., RecordedTest]) -> RecordedTest:
    return make_record()


def test_similarity_is_intersection_over_union_of_a_confusion_matrix() -> None:
    road, car, sky = overlaps(("road", "car", "sky"), MATRIX)
    assert (road.intersection, road.union, road.similarity) == (70, 85, 70 / 85)
    assert (car.train_id, car.intersection, car.union, car.similarity) == (1, 15, 30, 0.5)
    assert (sky.intersection, sky.union, sky.similarity) == (0, 0, 1.0)  # an empty union counts 1
    assert similarity_of(MATRIX) == 85 / 115
    assert similarity_of(()) is None


def test_the_confusion_of_pixels_is_that_of_the_tasks_matrix() -> None:
    other = Matrix("By size", ("small",), ("large",), ((3,),))
    matrix = Matrix("Pixels by class", ("road", "car", "sky"), ("road", "car", "sky"), MATRIX)
    assert confusion_of(Quality(samples=4, views=(other, matrix)), ()) == (("road", "car", "sky"), MATRIX)
    assert confusion_of(Quality(samples=4), ()) == ((), ())


def test_a_record_has_what_the_cell_measured() -> None:
    cell, _ = make_cell(ROW)
    run = make_run((ROW,)).result
    (record,) = records_of(
        run, name="nightly", description="after the sweep", address="s3://lab/street@7", commit="abc"
    )
    assert (record.name, record.description, record.commit) == ("nightly", "after the sweep", "abc")
    assert (record.run, record.cell, record.date) == (run.name, run.cells[0].id, run.cells[0].started)
    assert record.dataset == TestedData(
        name="mnist", address="s3://lab/street@7", task=run.dataset.task, fingerprint=run.dataset.fingerprint
    )
    assert record.accuracy == next(each.value for each in run.cells[0].quality.metrics if each.name == "accuracy")
    assert sum(map(sum, record.confusion)) == run.cells[0].quality.samples
    assert record.similarity == similarity_of(run.cells[0].quality.confusion)
    assert record.images == run.cells[0].measured_samples
    assert record.platform.target == cell.target
    assert record.platform.software == "litert " + run.cells[0].runtime_version + " int8"
    assert record.model.sha256 == run.cells[0].artifact.sha256


def test_image_time_is_the_sum_of_its_stages_of_one_kind() -> None:
    run = make_run((ROW,)).result
    latency = msgspec.structs.replace(
        run.cells[0].latency,
        steady=number(0.020),
        preprocessing=number(0.004),
        transport=number(0.001),
        postprocessing=number(0.002),
    )

    def recorded(**changes: Any) -> RecordedTest:
        cell = msgspec.structs.replace(run.cells[0], latency=msgspec.structs.replace(latency, **changes))
        (record,) = records_of(msgspec.structs.replace(run, cells=(cell,)))
        return record

    assert isinstance(whole := recorded().image_time, Measurement)
    assert whole.value == pytest.approx(0.027)
    assert whole.kind == "measured"
    batch = recorded(per_sample=number(0.005))
    assert isinstance(batch.inference, Measurement)
    assert batch.inference.value == 0.005
    assert isinstance(batch.image_time, Measurement)
    assert batch.image_time.value == pytest.approx(0.012)
    # An emulator's time is never added to the host's.
    mixed = recorded(steady=number(0.020, kind="emulated")).image_time
    assert mixed == Unavailable("its stages are of several kinds: emulated, measured")
    assert recorded(transport=Unavailable("no clock")).image_time == Unavailable("transport: no clock")


def test_a_record_is_read_back_as_it_was_and_has_one_name(record: RecordedTest) -> None:
    file = encode_record(record)
    assert file == encode_record(record)
    assert file.name.startswith("20260314T092600000000Z-")
    assert decode_record(file.name, file.data) == record
    other = encode_record(msgspec.structs.replace(record, description="another"))
    assert other.name != file.name


def test_dates_of_other_zones_are_named_in_utc(record: RecordedTest) -> None:
    east = msgspec.structs.replace(record, date="2026-03-14T10:26:00.5+01:00")
    assert encode_record(east).name.startswith("20260314T092600500000Z-")
    with pytest.raises(StorageError, match="no date of a test"):
        encode_record(msgspec.structs.replace(record, date="yesterday"))


def test_a_number_that_json_has_not_is_refused(record: RecordedTest) -> None:
    with pytest.raises(StorageError, match="accuracy is nan"):
        encode_record(msgspec.structs.replace(record, accuracy=float("nan")))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_that_was_cut_off_is_named(record: RecordedTest, share: float) -> None:
    file = encode_record(record)
    with pytest.raises(StorageError, match=f"{file.name} was cut off or changed"):
        decode_record(file.name, file.data[: int(share * len(file.data))])


def test_foreign_files_are_named(record: RecordedTest) -> None:
    from edgerig.files import sha256

    def named(data: bytes) -> str:
        return f"20260314T092600000000Z-{sha256(data)[:16]}.json"

    file = encode_record(record)
    for name, data, reason in (
        ("notes.json", b"{}", "none that edgerig gives"),
        (named(b"[1]"), b"[1]", "no record"),
        (named(b"\xff"), b"\xff", "no record"),
        (named(b'{"version": 99}'), b'{"version": 99}', "layout 99"),
        (named(b'{"version": 1}'), b'{"version": 1}', "no record"),
    ):
        with pytest.raises(StorageError, match=reason):
            decode_record(name, data)
    lopsided = file.data.replace(b'"confusion": [', b'"confusion": [[1], ')
    with pytest.raises(StorageError, match="not square"):
        decode_record(f"20260314T092600000000Z-{sha256(lopsided)[:16]}.json", lopsided)
    huge = file.data.replace(b'"accuracy": 0.', b'"accuracy": 9e300, "_": 0.')
    with pytest.raises(StorageError, match="no record"):
        decode_record(f"20260314T092600000000Z-{sha256(huge)[:16]}.json", huge)
