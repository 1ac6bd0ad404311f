import doctest
from pathlib import Path

import pytest

from edgerig.results import variant_names as naming
from edgerig.results.variant_names import distinct_names, id_part


def test_the_examples_hold() -> None:
    assert doctest.testmod(naming).failed == 0


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.tflite", "b.tflite"], ["a", "b"]),
        (["a.tflite", "a.onnx"], ["a.tflite", "a.onnx"]),
        (["x/a.tflite", "y/a.tflite", "b.onnx"], ["x/a", "y/a", "b"]),
        (["r1/out/a.tflite", "r2/out/a.tflite"], ["r1/out/a", "r2/out/a"]),
        (["x/a.tflite", "x/a.onnx", "y/a.onnx"], ["x/a.tflite", "x/a.onnx", "y/a.onnx"]),
        (["net.v2.tflite"], ["net.v2"]),
        (["a.tflite", "./a.tflite"], ["a", "a"]),
        (["z/../x/a.tflite", "y/a.tflite"], ["x/a", "y/a"]),
    ],
)
def test_names_are_as_short_as_they_can_be(paths: list[str], names: list[str]) -> None:
    assert distinct_names(paths) == names


def test_names_differ_as_parts_of_an_id_too() -> None:
    names = distinct_names(["x/a.tflite", "y/a.tflite", "x-a.tflite", "q/x-a.onnx"])
    assert len({id_part(name) for name in names}) == 4


def test_links_keep_the_names_that_the_user_gave_them(tmp_path: Path) -> None:
    (tmp_path / "file.tflite").touch()
    for name in ("one", "two"):
        (tmp_path / f"{name}.tflite").symlink_to(tmp_path / "file.tflite")
    assert distinct_names([str(tmp_path / "one.tflite"), str(tmp_path / "two.tflite")]) == ["one", "two"]
