"""Times of layers by cutting the network, and by an emulator that the differences are those of the layers' own work."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.api import run
from edgerig.artifact import Artifact
from edgerig.compilers.layer_cuts import Cut, Cutter, cuts_of
from edgerig.engine.layers import compare_layers, select_cells
from edgerig.engine.layers.cut_times import FIRST, ROUNDS, _figures, _Series
from edgerig.engine.layers.mapping import map_profile
from edgerig.engine.layers.maps import LayerMaps
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.profile import LayerTime
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.layers.layer_map import LayerMap
from edgerig.results.layers.stored import read_layer_cuts
from edgerig.results.types import CellResult
from edgerig.targets.resolve import target_for

#: Layers with their multiply-accumulates, worked out by hand: the second has 200 times those of the first.
WORK = {"light": 12 * 12 * 2, "heavy": 10 * 10 * 32 * 18, "smaller": 0}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers, folder = keras.layers, tmp_path_factory.mktemp("cuts")
    with seeded(0):
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                layers.Conv2D(2, 1, name="light"),
                layers.Conv2D(32, 3, name="heavy"),
                layers.MaxPooling2D(name="smaller"),
                layers.Conv2D(4, 1, name="last"),
            ]
        )
    model.save(folder / "net.keras")
    rig = {
        "name": "cuts",
        "model": {"file": str(folder / "net.keras")},
        "dataset": {"use": "random", "shape": [12, 12, 1]},
        "matrix": [
            {"compilers": ["int8"], "runtimes": ["litert"]},
            {"compilers": ["onnx"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"samples": 8, "rounds": 1, "seconds": 0},
    }
    run(rig, out=folder / "run")
    return folder / "run"


@pytest.mark.slow
def test_layers_add_up_to_the_network_in_every_round_and_have_intervals(bundle: Path) -> None:
    selections = select_cells(bundle, None)
    comparison = compare_layers(selections, cut_rounds=3)
    rows = {row.name: row for row in comparison.rows}
    assert {name: rows[name].macs for name in WORK} == WORK
    for index, info in enumerate(comparison.cells):
        cuts = info.cuts
        assert isinstance(cuts, LayerCuts), cuts
        assert (cuts.rounds, len(cuts.seconds)) == (3, 3)
        assert {layer.name for layer in cuts.layers} >= WORK.keys()
        for number in range(3):
            assert sum(layer.seconds[number] for layer in cuts.layers) == pytest.approx(cuts.seconds[number])
        times = [layer.time for layer in cuts.layers]
        for layer, time in zip(cuts.layers, times, strict=True):
            assert isinstance(time, Measurement)
            assert time.kind == "measured"
            assert "cut off behind the layer and before it, 3 fresh processes" in time.method
            assert time.low is not None
            assert time.high is not None
            assert time.low <= time.value == float(np.median(layer.seconds)) <= time.high
            # A layer of some ten nanoseconds may take as many steps of the clock in all rounds.
            assert (time.high > time.low) == (len(set(layer.seconds)) > 1)
            assert rows[layer.name].cells[index].cut == time
        first = [time.warnings for time in times if isinstance(time, Measurement) and time.warnings]
        assert first == [(FIRST,)]
        # Intervals of the layers reach as far as that of their sum: the whole lies within their outer bounds.
        whole = cuts.whole
        assert isinstance(whole, Measurement)
        bounds = [(time.low or 0.0, time.high or 0.0) for time in times if isinstance(time, Measurement)]
        assert sum(low for low, _ in bounds) <= whole.value <= sum(high for _, high in bounds)


@pytest.mark.slow
def test_what_was_measured_is_kept_and_read_again(bundle: Path) -> None:
    selections = select_cells(bundle, None)
    comparison = compare_layers(selections, cut_rounds=3)
    files = [Bundle(bundle).cell(selection.cell.id) / "layer_cuts.json" for selection in selections]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert compare_layers(selections, cut_rounds=3) == comparison
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert all(isinstance(cell.cut, msgspec.UnsetType) for row in compare_layers(selections).rows for cell in row.cells)
    other = msgspec.structs.replace(selections[0].cell.artifact, sha256="f" * 64)
    assert read_layer_cuts(bundle, msgspec.structs.replace(selections[0].cell, artifact=other)) is None


@pytest.mark.slow
def test_neighbouring_cuts_differ_by_the_instructions_of_the_layer(bundle: Path, tmp_path: Path) -> None:
    """By an emulator that counts: what a cut has more than the one before is what the profile of the whole network says
    of the layer, but for the few instructions by which its output is handed over.
    """
    cell, cuts, cutter = cut_up(bundle, "int8-litert-local")
    path = kept_file(bundle, cell)
    profile = counted_profile(open_artifact(path))
    rows = map_profile(profile, read_graph(path))
    # A layer that runs in bands of rows has a row for each of them.
    own: dict[int | None, list[Quantity]] = {}
    for row, layer in zip(rows, profile, strict=True):
        own.setdefault(row.operator, []).append(layer.instructions)
    assert len(rows) > len(own), "convolution and pooling run in bands"
    before = counted = 0.0
    for number, each in enumerate(cuts):
        file = tmp_path / f"{number}.tflite"
        file.write_bytes(cutter.file(each))
        total = instructions(open_artifact(file))
        counts = [count for index in each.operators for count in own.get(index, ())]
        counted += sum(count.value for count in counts if isinstance(count, Measurement))
        if not counts:
            continue  # it runs in the operator behind it
        if number:
            assert total - before == pytest.approx(counted, rel=0.05, abs=2000), each.key
        before, counted = total, 0.0
    assert len(cuts) > len(WORK)


def counted_profile(artifact: Artifact) -> list[LayerTime]:
    with target_for("sim:stm32f746").open(artifact, "micro", {}) as session:
        profile = session.profile([np.zeros(artifact.inputs[0].shape, artifact.inputs[0].dtype)])
    assert not isinstance(profile, Unavailable), profile
    return profile


def instructions(artifact: Artifact) -> float:
    with target_for("sim:stm32f746").open(artifact, "micro", {}) as session:
        session.run([np.zeros(artifact.inputs[0].shape, artifact.inputs[0].dtype)])
        counts = session.counts()
    assert counts is not None
    assert isinstance(counts.instructions, Measurement)
    return counts.instructions.value


def cut_up(bundle: Path, identity: str) -> tuple[CellResult, list[Cut], Cutter]:
    (selection,) = select_cells(bundle, identity)
    layer_map = LayerMaps(bundle).of(selection.cell)
    assert isinstance(layer_map, LayerMap)
    path = kept_file(bundle, selection.cell)
    graph = read_graph(path)
    keys = {operator.index: operator.layer or operator.scope for operator in layer_map.operators}
    return selection.cell, cuts_of(graph, keys), Cutter(path.read_bytes(), graph)


@pytest.mark.slow
def test_a_cut_that_does_not_run_leaves_the_layers_on_either_side_without_a_time(bundle: Path) -> None:
    cell, cuts, _ = cut_up(bundle, "int8-litert-local")
    refused = Unavailable("the network cut there does not run: no kernel")
    file = open_artifact(kept_file(bundle, cell))
    series = _Series(cell, target_for("local"), [], [file, refused, *[file] * (len(cuts) - 2)])
    series.seconds = [[10e-6 * (index + 1) + 1e-7 * number for number in range(3)] for index in range(len(cuts))]
    result = _figures(cuts, series, 3)
    assert isinstance(result, LayerCuts)
    times = [layer.time for layer in result.layers]
    assert [isinstance(time, Unavailable) for time in times[:4]] == [False, True, True, False]
    assert times[1] == times[2] == refused
    series.faults[len(cuts) - 1] = "gone"
    assert _figures(cuts, series, 3) == Unavailable("gone")


@pytest.mark.slow
def test_reasons_stand_where_nothing_can_be_cut(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "run")
    for path in (tmp_path / "run" / "cells").glob("*/layer_cuts.json"):
        path.unlink()
    for path in (tmp_path / "run" / "artifacts").glob("*.tflite"):
        path.unlink()
    (selection,) = select_cells(tmp_path / "run", "int8-litert-local")
    (info,) = compare_layers([selection], cut_rounds=ROUNDS).cells
    assert isinstance(info.cuts, Unavailable)
    assert "does not hold the network" in info.cuts.reason
    emulated = msgspec.structs.replace(selection.cell, target="sim:stm32f746")
    (info,) = compare_layers([msgspec.structs.replace(selection, cell=emulated)], cut_rounds=ROUNDS).cells
    assert info.cuts == Unavailable("its device counts what each layer takes: nothing is to be had by cutting")
