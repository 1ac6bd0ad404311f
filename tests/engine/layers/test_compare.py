"""Layers of a Keras network across engines, out of a bundle that was measured."""

import shutil
from pathlib import Path

import pytest

from edgerig.api import run
from edgerig.engine.layers import LayerComparison, LayerRow, compare_layers, select_cells
from edgerig.files import sha256_file
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.layer_error import LayerError, LayerErrors
from edgerig.report.layer_table import layers_table
from edgerig.results.bundle import Bundle

CELLS = ("float32-litert-local", "int8-litert-local", "int8-micro-local", "onnx-onnxruntime-local")
#: Layers of the network, with shapes and MACs worked out by hand; the softmax of ``classes`` is the tensor ``output``.
LAYERS = (
    ("first", (1, 26, 26, 4), 26 * 26 * 4 * 9),
    ("norm", (1, 26, 26, 4), 26 * 26 * 4),
    ("smaller", (1, 13, 13, 4), 0),
    ("flat", (1, 676), 0),
    ("classes", (1, 3), 676 * 3),
    ("[output]", (1, 3), 0),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers, folder = keras.layers, tmp_path_factory.mktemp("layers")
    with seeded(0):
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(4, 3, activation="relu", name="first"),
                layers.BatchNormalization(name="norm"),
                layers.MaxPooling2D(name="smaller"),
                layers.Flatten(name="flat"),
                layers.Dense(3, activation="softmax", name="classes"),
            ]
        )
    model.save(folder / "net.keras")
    rig = {
        "name": "layers",
        "model": {"file": str(folder / "net.keras")},
        "dataset": "random",
        "matrix": [
            {"compilers": ["float32", "int8"], "runtimes": ["litert"]},
            {"compilers": ["int8"], "runtimes": ["micro"]},
            {"compilers": ["onnx"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"samples": 20, "rounds": 1, "seconds": 0},
    }
    run(rig, out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def comparison(bundle: Path) -> LayerComparison:
    return compare_layers(select_cells(bundle, None))


def row_of(comparison: LayerComparison, name: str) -> LayerRow:
    (row,) = [row for row in comparison.rows if row.name == name]
    return row


@pytest.mark.slow
def test_rows_are_the_layers_of_the_source_network(comparison: LayerComparison) -> None:
    assert tuple(cell.id for cell in comparison.cells) == CELLS
    assert tuple((row.name, row.shape, row.macs) for row in comparison.rows) == LAYERS
    assert [row.named_by for row in comparison.rows] == ["layer"] * 5 + ["tensor"]
    assert "net-" in comparison.notes[0]


@pytest.mark.slow
def test_every_engine_s_operators_stand_at_their_layer(comparison: LayerComparison) -> None:
    first, norm = row_of(comparison, "first"), row_of(comparison, "norm")
    assert [cell.mapped for cell in first.cells] == [("order",), ("order",), ("name",), ("name",)]
    assert [cell.operators[0].split(" ")[0] for cell in first.cells[:2]] == ["Convolution"] * 2
    assert norm.cells[0].operators == ("Multiply (ND)",)
    assert norm.cells[2].operators == ("MUL",)
    # The C compiler moves no bytes for a reshape.
    assert isinstance(row_of(comparison, "flat").cells[2].time, Unavailable)


@pytest.mark.slow
def test_no_time_of_a_profile_is_lost_or_counted_twice(comparison: LayerComparison, bundle: Path) -> None:
    for index, cell in enumerate(Bundle(bundle).result().cells):
        assert isinstance(cell.layers, tuple)
        shown = [operator for row in comparison.rows for operator in row.cells[index].operators]
        shown += [operator.op for operator in comparison.unmapped if operator.cell == index]
        assert sorted(shown) == sorted(layer.op for layer in cell.layers)
    micro = Bundle(bundle).result().cells[2]
    assert isinstance(micro.layers, tuple)
    times = [row.cells[2].time for row in comparison.rows]
    total = sum(time.value for time in times if isinstance(time, Measurement))
    assert total == pytest.approx(
        sum(layer.time.value for layer in micro.layers if isinstance(layer.time, Measurement))
    )


@pytest.mark.slow
def test_without_the_source_the_names_are_the_files(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "run")
    for path in (tmp_path / "run" / "artifacts").glob("*.keras"):
        path.write_bytes(b"another file")
    selections = select_cells(tmp_path / "run", "int8-micro-local")
    assert [row.named_by for row in compare_layers(selections).rows] == ["layer"] * 5 + ["tensor"], "as the run kept it"
    (tmp_path / "run" / "cells" / "int8-micro-local" / "layer_map.json").unlink()
    comparison = compare_layers(selections)
    assert [row.name for row in comparison.rows] == [name for name, *_ in LAYERS]
    assert [row.named_by for row in comparison.rows] == ["scope"] * 5 + ["tensor"]
    assert row_of(comparison, "first").macs == 26 * 26 * 4 * 9
    assert comparison.notes[0].startswith("The source network is not in the bundle")


@pytest.mark.slow
def test_errors_are_those_of_the_file_that_was_deployed(bundle: Path) -> None:
    int8 = select_cells(bundle, None, ["int8-*"])
    comparison = compare_layers(int8, errors=True)
    litert, micro = (cell.errors for cell in comparison.cells)
    assert isinstance(litert, LayerErrors)
    assert isinstance(micro, LayerErrors)
    assert litert.samples == micro.samples == 20
    assert litert.where == "device"
    assert litert.own_where == micro.where == "host"
    assert litert.notes == ("Its outputs are, bit by bit, those on local by litert.",), "by XNNPACK, as it was measured"
    assert micro.notes[0] == "Its outputs are, bit by bit, those on local by micro."
    assert micro.notes[1].endswith("cannot be: runtime micro gives no tensors between layers.")
    labels = {heading.key: heading.label for heading in layers_table(comparison).headings}
    assert labels["int8-litert-local SQNR"] == "SQNR, device"
    assert labels["int8-litert-local own SQNR"] == "own SQNR, host"
    assert labels["int8-micro-local largest error"] == "largest error, host"
    for row in comparison.rows:
        if row.name in ("first", "norm", "classes"):
            errors = [cell.error for cell in row.cells]
            assert all(isinstance(error, LayerError) for error in errors), errors
            assert all(isinstance(error.own_sqnr, Measurement) for error in errors if isinstance(error, LayerError))
    folders = [Bundle(bundle).cell(selection.cell.id) for selection in int8]
    stamps = [(folder / "layer_errors.json").stat().st_mtime_ns for folder in folders]
    assert compare_layers(int8, errors=True) == comparison
    assert [(folder / "layer_errors.json").stat().st_mtime_ns for folder in folders] == stamps, "read, not measured"


@pytest.mark.slow
def test_errors_of_a_format_whose_float_network_is_not_there_are_unavailable(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "run")
    (selection,) = select_cells(tmp_path / "run", "int8-litert-local")
    parent = selection.cell.artifact.origins[-1].parent
    for path in (tmp_path / "run" / "artifacts").glob("*.tflite"):
        if sha256_file(path) == parent:
            path.unlink()
    (tmp_path / "run" / "cells" / "int8-litert-local" / "layer_errors.json").unlink(missing_ok=True)
    comparison = compare_layers([selection], errors=True)
    errors = comparison.cells[0].errors
    assert isinstance(errors, Unavailable)
    assert "does not hold the float tflite network" in errors.reason
