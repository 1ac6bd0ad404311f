"""Rig files of several rigs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgerig.engine import api
from edgerig.errors import EdgerigError, SpecError, UnknownNameError
from edgerig.rig.document import Document, read_document
from edgerig.rig.parts import parts_of

TWO = """suite: mlperf-tiny
dataset: {seeded: 3}
parts:
  first:
    model: mnist-cnn
    dataset: mlperf-tiny-kws
  second:
    model: {use: mnist-cnn}
    dataset: {use: mlperf-tiny-ic, seeded: 5}
    measure: {rounds: 4}
matrix: {compilers: [int8], runtimes: [litert]}
measure: {rounds: 2, seconds: 3}
"""


def rigs_in(text: str, tmp_path: Path) -> dict[str, Document]:
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    parts = parts_of(read_document(path))
    assert parts is not None
    return parts


def test_a_part_has_what_is_common_under_what_is_its_own(tmp_path: Path) -> None:
    parts = rigs_in(TWO, tmp_path)
    assert list(parts) == ["first", "second"]
    first, second = parts["first"].data, parts["second"].data
    assert first["dataset"] == {"seeded": 3, "use": "mlperf-tiny-kws"}
    assert second["dataset"] == {"seeded": 5, "use": "mlperf-tiny-ic"}
    assert first["measure"] == {"rounds": 2, "seconds": 3}
    assert second["measure"] == {"rounds": 4, "seconds": 3}
    assert first["name"] == "first"
    assert first["matrix"] == second["matrix"]
    assert "suite" not in first


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(TWO.replace("rounds: 4", "rounds: -4").replace("seconds: 3", "second: 3"))
    with pytest.raises(SpecError) as error:
        api.plans(path)
    assert "rig.yaml:12" in error.value.message
    assert "second" in error.value.message
    path.write_text(TWO.replace("rounds: 4", "rounds: -4"))
    with pytest.raises(SpecError, match=r"rig.yaml:10: measure"):
        api.plans(path)


def test_patterns_choose_parts_and_their_cells(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(TWO)

    def cells(*only: str, settings: tuple[str, ...] = ()) -> dict[str, list[str]]:
        several = api.plans(path, only=only, settings=settings)
        assert several is not None
        assert several[1] == "mlperf-tiny"
        return {name: [cell.id for cell in plan.cells] for name, plan in several[0].items()}

    assert list(cells()) == ["first", "second"]
    assert cells("sec*") == {"second": ["int8-litert-local"]}
    assert cells("first/int8-*") == {"first": ["int8-litert-local"]}
    with pytest.raises(UnknownNameError, match=r"third"):
        cells("third")
    with pytest.raises(EdgerigError, match=r"nothing-*"):
        cells("first/nothing-*")
    several = api.plans(path, settings=["dataset.seeded=7", "parts.second.dataset.seeded=8"])
    assert several is not None
    assert [plan.rig.dataset.options["seeded"] for plan in several[0].values()] == [7, 8]


def test_a_single_rig_has_no_parts(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text("model: mnist-cnn\ndataset: mnist\n")
    assert parts_of(read_document(path)) is None
    assert api.plans(path) is None


def test_several_rigs_are_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(TWO)
    with pytest.raises(SpecError, match=r"rig.yaml holds several rigs") as error:
        api.plan(path)
    assert "edgerig run" in str(error.value.hint)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"parts": {}}, "parts is no mapping"),
        ({"parts": ["a"]}, "parts is no mapping"),
        ({"parts": {"a": "mnist-cnn"}}, "parts.a is no rig"),
        ({"parts": {"a/b": {}}}, "'a/b' cannot be the name of a folder"),
        ({"parts": {"..": {}}}, "cannot be the name of a folder"),
        ({"suite": "mlperf-tiny", "model": "mnist-cnn"}, "a suite needs parts"),
        ({"suite": "mlperf-tinny", "parts": {"a": {}}}, "mlperf-tinny"),
    ],
)
def test_what_are_no_parts_is_told(data: dict[str, Any], said: str) -> None:
    with pytest.raises((SpecError, UnknownNameError), match=said):
        api.plans(data)
