"""Layers of cells set beside each other: by name and work, never by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.report.conftest import DEMO, make_cell

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.layer_key import LayerKey
from edgerig.measure.profile import LayerTime
from edgerig.results.layers.compare import ABSENT, OTHER_WORK, MappedCell, compare_mapped
from edgerig.results.layers.layer_map import (
    RULES,
    FileOperator,
    LayerMap,
    MappedRow,
    SourceLayer,
    SourceNetwork,
    read_layer_map,
    total_macs,
    work_of,
    write_layer_map,
)
from edgerig.results.layers.types import LayerComparison
from edgerig.results.types import CellResult

#: An operator of a profile: its layers (none: the engine added it), microseconds, output, MACs.
Row = tuple[str, float, tuple[int, ...] | None, int | None]
SOURCE = SourceNetwork(
    "net.keras",
    "0" * 64,
    (
        SourceLayer("pad", (1, 10, 10, 3), 0),
        SourceLayer("conv", (1, 8, 8, 4), 6912),
        SourceLayer("norm", (1, 8, 8, 4), 256),
        SourceLayer("out", (1, 2), 512),
    ),
)


@pytest.fixture
def cell() -> CellResult:
    return make_cell(DEMO[0])[0]


def mapped(cell: CellResult, rows: list[Row], source: SourceNetwork | None = None, bundle: str = "run") -> MappedCell:
    """``cell`` with such a profile, each row of which is one operator of the file."""
    profile = tuple(
        LayerTime(
            index=index,
            name=f"row {index}",
            op="op",
            time=Measurement(value=micro * 1e-6, unit="s", kind="measured", method="m"),
        )
        for index, (_, micro, _, _) in enumerate(rows)
    )
    operators = tuple(
        FileOperator(
            index=index, op="op", scope=key(name, "scope"), layer=layer_of(name, source), shape=shape, macs=macs
        )
        for index, (name, _, shape, macs) in enumerate(rows)
        if name
    )
    layer_map = LayerMap(
        rules=RULES,
        artifact=cell.artifact.sha256,
        source=source,
        operators=operators,
        profile=tuple(
            MappedRow(name=f"row {index}", operator=index, mapped="name")
            if name
            else MappedRow(name=f"row {index}", operator=None, reason="the engine added it")
            for index, (name, *_) in enumerate(rows)
        ),
    )
    return MappedCell(bundle=bundle, cell=msgspec.structs.replace(cell, layers=profile), layer_map=layer_map)


def key(name: str, named_by: Any) -> LayerKey:
    return LayerKey(tuple(name.split(" + ")), named_by)


def layer_of(name: str, source: SourceNetwork | None) -> LayerKey | None:
    return None if source is None else key(name, "layer")


def times(comparison: LayerComparison) -> dict[str, list[float | str]]:
    """By row: microseconds of each cell, or why there are none."""
    return {
        row.name: [
            round(cell.time.value * 1e6, 6) if isinstance(cell.time, Measurement) else cell.time.reason
            for cell in row.cells
        ]
        for row in comparison.rows
    }


def test_fused_inserted_and_reordered_operators_are_set_beside_nothing_else(cell: CellResult) -> None:
    plain = [("pad", 3.0, None, None), ("conv", 90.0, None, None), ("norm", 5.0, None, None), ("out", 4.0, None, None)]
    fused = [
        ("", 1.0, None, None),
        ("out", 8.0, None, None),
        ("pad + conv", 45.0, None, None),
        ("norm", 2.0, None, None),
        ("", 0.5, None, None),
    ]
    comparison = compare_mapped([mapped(cell, plain, SOURCE), mapped(cell, fused, SOURCE)])
    assert times(comparison) == {
        "pad": [3.0, "the file has it elsewhere: pad + conv"],
        "conv": [90.0, "the file has it elsewhere: pad + conv"],
        "pad + conv": ["the file has it elsewhere: conv, pad", 45.0],
        "norm": [5.0, 2.0],
        "out": [4.0, 8.0],
    }
    assert [(each.cell, each.time, each.reason) for each in comparison.unmapped] == [
        (1, msgspec.structs.replace(each.time, value=value), "the engine added it")
        for each, value in zip(comparison.unmapped, (1e-6, 0.5e-6), strict=True)
        if isinstance(each.time, Measurement)
    ]


def test_layers_that_run_in_one_row_of_a_profile_are_one_row_of_the_table(cell: CellResult) -> None:
    """One file by two engines: the second runs the convolution and the layer behind it in one, by the latter's name."""
    rows = [("pad", 3.0, None, None), ("conv", 90.0, None, None), ("norm", 5.0, None, None), ("out", 4.0, None, None)]
    alone, other = mapped(cell, rows, SOURCE), mapped(cell, rows, SOURCE)
    assert isinstance(other.layer_map, LayerMap)
    assert isinstance(other.cell.layers, tuple)
    profile = (*other.layer_map.profile[:1], msgspec.structs.replace(other.layer_map.profile[2], fused=(1,)))
    fused = msgspec.structs.replace(
        other,
        layer_map=msgspec.structs.replace(other.layer_map, profile=(*profile, other.layer_map.profile[3])),
        cell=msgspec.structs.replace(other.cell, layers=(*other.cell.layers[:1], *other.cell.layers[2:])),
    )
    assert times(compare_mapped([alone, fused])) == {
        "pad": [3.0, 3.0],
        "conv": [90.0, "the file has it elsewhere: conv + norm"],
        "norm": [5.0, "the file has it elsewhere: conv + norm"],
        "conv + norm": ["the file has it elsewhere: conv, norm", 5.0],
        "out": [4.0, 4.0],
    }
    row = next(row for row in compare_mapped([fused]).rows if row.name == "conv + norm")
    assert (row.shape, row.macs) == ((1, 8, 8, 4), 6912 + 256)


def test_a_layer_that_an_engine_folded_away_has_no_number_but_a_reason(cell: CellResult) -> None:
    whole = [("pad", 3.0, None, None), ("conv", 9.0, None, None), ("norm", 5.0, None, None), ("out", 4.0, None, None)]
    folded = [("pad", 3.0, None, None), ("conv", 9.5, None, None), ("out", 4.0, None, None)]
    comparison = compare_mapped([mapped(cell, whole, SOURCE), mapped(cell, folded, SOURCE)])
    assert times(comparison)["norm"] == [5.0, ABSENT]


def test_a_constant_that_is_prepared_first_says_nothing_of_its_layers_place(cell: CellResult) -> None:
    """Files of ONNX dequantize weights wherever they like, and an input has no layer that tells its place."""
    each = mapped(cell, [("norm", 1.0, (4,), 0), ("input", 2.0, (1, 10, 10, 3), 0), ("norm", 3.0, (1, 8, 8, 4), 256)])
    first, *others = each.layer_map.operators  # type: ignore[union-attr]
    constant = msgspec.structs.replace(first, computes=False)
    layer_map = msgspec.structs.replace(each.layer_map, operators=(constant, *others))
    rows = compare_mapped([msgspec.structs.replace(each, layer_map=layer_map)]).rows
    assert [row.name for row in rows] == ["input", "norm"]


def test_layers_of_one_name_that_do_other_work_stand_in_rows_of_their_own(cell: CellResult) -> None:
    first = [("conv", 9.0, (1, 8, 8, 4), 6912)]
    second = [("conv", 70.0, (1, 8, 8, 32), 55296)]
    comparison = compare_mapped([mapped(cell, first), mapped(cell, second, bundle="other")])
    assert [(row.name, row.shape, row.macs) for row in comparison.rows] == [
        ("conv", (1, 8, 8, 4), 6912),
        ("conv", (1, 8, 8, 32), 55296),
    ]
    numbers = [[isinstance(each.time, Measurement) for each in row.cells] for row in comparison.rows]
    assert numbers == [[True, False], [False, True]]
    missing = comparison.rows[0].cells[1].time
    assert isinstance(missing, Unavailable)
    assert missing.reason == OTHER_WORK


def test_channels_may_come_first_or_last_and_what_is_not_known_differs_from_nothing(cell: CellResult) -> None:
    last, first = [("conv", 9.0, (1, 8, 8, 4), 6912)], [("conv", 7.0, (1, 4, 8, 8), None)]
    (row,) = compare_mapped([mapped(cell, first), mapped(cell, last, bundle="other")]).rows
    assert (row.shape, row.macs) == ((1, 4, 8, 8), 6912)
    assert all(isinstance(each.time, Measurement) for each in row.cells)
    assert not work_of((1, 8, 8, 4), 1).agrees(work_of((1, 8, 8, 4), 2))
    assert total_macs([1, None]) is None


def test_two_trainings_of_one_network_are_named_by_its_layers_and_two_networks_are_not(cell: CellResult) -> None:
    rows = [("conv", 9.0, (1, 8, 8, 4), 6912)]
    again = msgspec.structs.replace(SOURCE, sha256="1" * 64)
    other = msgspec.structs.replace(SOURCE, sha256="2" * 64, layers=SOURCE.layers[1:])
    alike = compare_mapped([mapped(cell, rows, SOURCE), mapped(cell, rows, again, "other")])
    assert {row.named_by for row in alike.rows} == {"layer"}
    unlike = compare_mapped([mapped(cell, rows, SOURCE), mapped(cell, rows, other, "other")])
    assert {row.named_by for row in unlike.rows} == {"scope"}
    assert unlike.notes[0].startswith("The files are not of one source network")


def test_a_map_is_read_back_only_for_the_file_and_the_profile_that_it_is_of(cell: CellResult, tmp_path: Path) -> None:
    entry = mapped(cell, [("conv", 9.0, None, None), ("", 1.0, None, None)], SOURCE)
    assert isinstance(entry.layer_map, LayerMap)
    write_layer_map(tmp_path, entry.cell, entry.layer_map)
    assert read_layer_map(tmp_path, entry.cell) == entry.layer_map
    replaced = msgspec.structs.replace(entry.cell.artifact, sha256="f" * 64)
    assert read_layer_map(tmp_path, msgspec.structs.replace(entry.cell, artifact=replaced)) is None
    assert isinstance(entry.cell.layers, tuple)
    fewer = msgspec.structs.replace(entry.cell, layers=entry.cell.layers[:1])
    assert read_layer_map(tmp_path, fewer) is None
    write_layer_map(tmp_path, entry.cell, msgspec.structs.replace(entry.layer_map, rules=RULES - 1))
    assert read_layer_map(tmp_path, entry.cell) is None, "it is made again by the rules of today"
    lost = msgspec.structs.replace(entry.layer_map, operators=())
    write_layer_map(tmp_path, entry.cell, lost)
    assert read_layer_map(tmp_path, entry.cell) is None, "a row of the profile is of no operator"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 99}', b"\xff\xfe"])
def test_a_damaged_map_is_as_none(cell: CellResult, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cells" / cell.id / "layer_map.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read_layer_map(tmp_path, cell) is None
