from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.errors import StorageError
from edgerig.files import write_bytes, write_json
from edgerig.report import load, render
from edgerig.report.load import load_bundle
from edgerig.results.one_round import NO_INTERVAL


@pytest.fixture
def folder(make: Any, tmp_path: Path) -> Path:
    saved: Path = make.save(make.run(rows=make.DEMO[:2]), tmp_path / "bundle")
    return saved


def test_a_finished_bundle_comes_with_the_raw_samples_of_each_cell(folder: Path, make: Any) -> None:
    loaded = load_bundle(folder)
    assert [cell.variant for cell in loaded.result.cells] == ["float32", "float16"]
    assert loaded.result.finished
    for cell in loaded.result.cells:
        assert loaded.samples[cell.id]["times_ns"].shape == (make.SAMPLES,)


def test_an_unfinished_bundle_gives_what_is_there(folder: Path) -> None:
    (folder / "results.json").unlink()
    (folder / "cells" / "float16-litert-local" / "result.json").unlink()
    loaded = load_bundle(folder)
    assert loaded.result.finished is None
    assert [cell.variant for cell in loaded.result.cells] == ["float32"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_bundle_of_before_rounds_is_read_and_has_no_interval_between_processes(
    make: Any, tmp_path: Path, finished: bool
) -> None:
    """Its bootstrap interval is that of one process, and held the true median in one run of six."""
    old = make.run(rows=make.DEMO[:1], version=1)
    saved = make.save(old, tmp_path / "old", finished=finished)
    (cell,) = load_bundle(saved).result.cells
    before = old.result.cells[0].latency.steady
    assert (before.low, cell.latency.steady.low, cell.latency.steady.high) == (
        pytest.approx(before.value, 0.1),
        None,
        None,
    )
    assert cell.latency.steady.value == before.value
    assert "interval" not in cell.latency.steady.method
    assert NO_INTERVAL in cell.warnings
    assert (cell.repetition.planned, cell.rounds) == (1, ())


def test_a_bundle_with_rounds_keeps_its_intervals(folder: Path) -> None:
    cell = load_bundle(folder).result.cells[0]
    assert cell.latency.steady.low < cell.latency.steady.value < cell.latency.steady.high
    assert NO_INTERVAL not in cell.warnings


def test_a_bundle_of_a_later_layout_is_refused(make: Any, tmp_path: Path) -> None:
    saved = make.save(make.run(rows=make.DEMO[:1], version=99), tmp_path / "new")
    with pytest.raises(StorageError, match=r"another version of edgerig .layout 99, this one reads 1 and 2"):
        load_bundle(saved)


def test_a_bundle_without_raw_samples_is_still_a_bundle(folder: Path) -> None:
    (folder / "cells" / "float16-litert-local" / "samples.npz").unlink()
    assert list(load_bundle(folder).samples) == ["float32-litert-local"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere is not a bundle: there is no such folder") as caught:
        load_bundle(tmp_path / "nowhere")
    assert "edgerig run" in (caught.value.hint or "")


def test_a_file_is_no_bundle(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"x")
    with pytest.raises(StorageError, match="is a file, not a bundle"):
        load_bundle(file)


def test_a_foreign_folder_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"neither results\.json nor bundle\.json"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 3}', b"\xff\xfe", b'{"version": 1}'])
def test_damaged_results_are_told_and_the_cells_own_files_read(folder: Path, content: bytes) -> None:
    whole = load_bundle(folder).result
    write_bytes(folder / "results.json", content)
    result = load_bundle(folder).result
    assert result.cells == whole.cells
    assert result.finished is None
    assert any("results.json" in text and "damaged" in text for text in result.warnings)
    (folder / "bundle.json").unlink()
    with pytest.raises(StorageError, match=r"results\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"{", b'{"id": null}', b"[" * 100_000, b'{"seconds": 1e999}'])
def test_a_cell_that_cannot_be_read_is_named_and_the_others_shown(folder: Path, content: bytes) -> None:
    (folder / "results.json").unlink()
    write_bytes(folder / "cells" / "float16-litert-local" / "result.json", content)
    result = load_bundle(folder).result
    assert [cell.variant for cell in result.cells] == ["float32"]
    assert [failure.id for failure in result.failures] == ["float16-litert-local"]
    assert "is damaged" in result.failures[0].message
    report = render([load_bundle(folder)], "md")
    assert "float16-litert-local" in report


def test_a_bundle_of_another_version_is_told(folder: Path) -> None:
    result = load_bundle(folder).result
    write_json(folder / "results.json", msgspec.structs.replace(result, version=99))
    with pytest.raises(StorageError, match="version"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not a zip at all"])
def test_damaged_samples_are_told_and_cost_no_other_cell(folder: Path, content: bytes) -> None:
    file = folder / "cells" / "float16-litert-local" / "samples.npz"
    file.write_bytes(content)
    loaded = load_bundle(folder)
    assert list(loaded.samples) == ["float32-litert-local"]
    assert any("float16-litert-local" in text and "samples.npz" in text for text in loaded.result.warnings)


@pytest.mark.parametrize(
    "arrays",
    [{"labels": np.zeros(3, np.int64)}, {"times_ns": np.zeros((3, 2), np.int64)}, {"times_ns": np.zeros(3)}],
    ids=["missing", "two axes", "not whole"],
)
def test_samples_of_the_wrong_form_are_told(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez(folder / "cells" / "float16-litert-local" / "samples.npz", **arrays)
    loaded = load_bundle(folder)
    assert list(loaded.samples) == ["float32-litert-local"]
    assert any("times_ns" in text for text in loaded.result.warnings)


def test_a_cell_cannot_name_a_file_outside_the_bundle(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", times_ns=np.ones(3, np.int64))
    result = load_bundle(folder).result
    hostile = msgspec.structs.replace(result.cells[0], id="../..")
    write_json(folder / "results.json", msgspec.structs.replace(result, cells=(hostile,)))
    assert load_bundle(folder).samples == {}


def test_raw_samples_beyond_what_is_taken_at_once_are_named_and_not_read(
    folder: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(array.nbytes for array in load_bundle(folder).samples["float32-litert-local"].values())
    # With the headers of the arrays of one cell, and not with those of another.
    monkeypatch.setattr(load, "MAX_SAMPLES", size + 1000)
    loaded = load_bundle(folder)
    assert list(loaded.samples) == ["float32-litert-local"]
    (fault,) = loaded.faults
    assert "float16-litert-local are not shown" in fault
    assert "left of what is taken at once" in fault
    assert render([loaded], "md")
