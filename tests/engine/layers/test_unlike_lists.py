"""One network whose operator lists differ from engine to engine: pads folded, operators fused, conversions inserted."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from edgerig.api import run
from edgerig.engine.layers import compare_layers, select_cells
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.layer_error import LayerError
from edgerig.report import load_bundle
from edgerig.report.build import build
from edgerig.results.bundle import Bundle
from edgerig.results.layers.types import LayerComparison

#: What the operators of a layer may be called, in any engine; beside a layer's own, exporters add changes of layout.
KINDS = {
    "down + down_norm": ("conv",),
    "smaller": ("pool",),
    "deep": ("conv",),
    "larger": ("broadcast", "expand", "resize", "quantize"),
    "joined": ("concat",),
    "up": ("conv",),
    "mean": ("mean", "averagepool"),
    "classes": ("fully", "gemm", "matmul"),
    "[output]": ("softmax",),
}
LAYOUT = ("transpose", "reshape", "flatten")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A U-Net of one step: pad, convolution, normalization and activation, a skip connection."""
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers, folder = keras.layers, tmp_path_factory.mktemp("unlike")
    with seeded(0):
        image = keras.Input((28, 28, 1))
        padded = layers.ZeroPadding2D(1, name="frame")(image)
        skip = layers.BatchNormalization(name="down_norm")(layers.Conv2D(8, 3, name="down")(padded))
        skip = layers.ReLU(name="down_relu")(skip)
        deep = layers.MaxPooling2D(name="smaller")(skip)
        deep = layers.Conv2D(16, 3, padding="same", activation="relu", name="deep")(deep)
        joined = layers.Concatenate(name="joined")([layers.UpSampling2D(name="larger")(deep), skip])
        up = layers.Conv2D(8, 3, padding="same", activation="relu", name="up")(joined)
        mean = layers.GlobalAveragePooling2D(name="mean")(up)
        model = keras.Model(image, layers.Dense(3, activation="softmax", name="classes")(mean))
    model.save(folder / "net.keras")
    rig = {
        "name": "unlike",
        "model": {"file": str(folder / "net.keras")},
        "dataset": "random",
        "matrix": [
            {"compilers": ["float32", "int8"], "runtimes": ["litert"]},
            {"compilers": ["int8"], "runtimes": ["micro"]},
            {"compilers": ["onnx"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"samples": 10, "rounds": 1, "seconds": 0, "layer_errors": 60},
    }
    run(rig, out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def comparison(bundle: Path) -> LayerComparison:
    return compare_layers(select_cells(bundle, None))


@pytest.mark.slow
def test_the_lists_of_operators_differ(bundle: Path) -> None:
    """Else the other tests of this file say nothing: by place, a convolution would stand beside something else."""
    cells = Bundle(bundle).result().cells
    lists = [[layer.op for layer in cell.layers] for cell in cells if not isinstance(cell.layers, Unavailable)]
    assert len(lists) == 4
    assert len({len(operators) for operators in lists}) > 1
    pairs = [(a[:4], b[:4]) for first, second in combinations(lists, 2) for a, b in zip(first, second, strict=False)]
    assert any(a.lower() == "conv" and b.lower() != "conv" for a, b in pairs)


@pytest.mark.slow
def test_beside_a_layer_stands_the_same_layer_or_a_reason(comparison: LayerComparison) -> None:
    numbers = 0
    for row in comparison.rows:
        for cell in row.cells:
            if isinstance(cell.time, Unavailable):
                assert cell.time.reason
                continue
            numbers += 1
            kinds = [operator.lower() for operator in cell.operators]
            assert any(any(kind in operator for kind in KINDS[row.name]) for operator in kinds), (row.name, kinds)
            assert all(any(kind in operator for kind in (*KINDS[row.name], *LAYOUT)) for operator in kinds)
    assert numbers > 2 * len(KINDS) - 4, "the C of edgerig and ONNX Runtime tell the names of their operators"


@pytest.mark.slow
def test_the_report_says_what_the_command_says(bundle: Path, comparison: LayerComparison) -> None:
    report = build([load_bundle(bundle)])
    (view,) = report.layers
    assert report.unlayered == ()
    names = [line.cells[0].text for line in view.table.lines if line.cells[0] is not None]
    assert names[: len(comparison.rows)] == [row.name for row in comparison.rows]
    assert [line.apart for line in view.table.lines] == [False] * len(comparison.rows) + [True]
    for index, variant in enumerate(report.variants):
        (place,) = [
            place
            for place, heading in enumerate(view.table.headings)
            if (heading.of, heading.label) == (variant.anchor, "time")
        ]
        for row, line in zip(comparison.rows, view.table.lines, strict=False):
            figure, time = line.cells[place], row.cells[index].time
            assert figure is not None
            if isinstance(time, Measurement):
                assert figure.value == time.value
            else:
                assert (figure.value, figure.reason) == (None, time.reason)


@pytest.mark.slow
def test_what_ran_a_layer_is_told_where_the_engine_tells_it(comparison: LayerComparison) -> None:
    """The delegate has no operator for the broadcast of the upsampling, which LiteRT runs itself."""
    litert, int8, micro, onnx = (comparison.placements(index) for index in range(4))
    assert litert == int8 == ("LiteRT's own kernels", "XNNPACK")
    assert (micro, onnx) == ((), ("CPUExecutionProvider",))
    (larger,) = [row for row in comparison.rows if row.name == "larger"]
    assert [cell.placement for cell in larger.cells] == [
        ("LiteRT's own kernels",),
        ("LiteRT's own kernels",),
        (),
        ("CPUExecutionProvider",),
    ]


@pytest.mark.slow
def test_errors_and_times_by_cutting_that_the_bundle_holds_stand_in_the_report(bundle: Path) -> None:
    before = build([load_bundle(bundle)]).layers[0].table
    of = [heading.of for heading in before.headings if heading.label.startswith("SQNR, ")]
    assert len(of) == 2, "the run measured the errors of its int8 cells, as the rig wants"
    assert all("int8" in anchor for anchor in of)
    assert "time by cutting" not in {heading.label for heading in before.headings}
    selections = select_cells(bundle, "int8-litert-local")
    measured = compare_layers(selections, errors=True, cut_rounds=3)
    table = build([load_bundle(bundle)]).layers[0].table
    lines = {line.cells[0].text: line for line in table.lines if line.cells[0] is not None}
    shown = 0
    for row in measured.rows:
        (cell,) = row.cells
        for label, quantity in (
            ("time by cutting", cell.cut),
            ("SQNR, device", cell.error.sqnr if isinstance(cell.error, LayerError) else cell.error),
        ):
            (column,) = [
                number
                for number, heading in enumerate(table.headings)
                if heading.label == label and "int8 · litert" in heading.group
            ]
            figure = lines[row.name].cells[column]
            assert figure is not None
            if isinstance(quantity, Measurement):
                assert (figure.value, figure.unit) == (quantity.value, quantity.unit)
                shown += 1
            else:
                assert figure.value is None
    assert shown > len(KINDS)
    assert "Errors of int8-litert-local against" in table.note
    assert "Times by cutting are differences" in table.note
