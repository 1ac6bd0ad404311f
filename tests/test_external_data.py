"""ONNX files with weights beside them are read, hashed, copied and sent as one; what leaves the folder is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data

from edgerig.artifact import Artifact
from edgerig.engine.artifacts import place_artifact
from edgerig.errors import ModelError
from edgerig.external_data import self_contained
from edgerig.files import sha256
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_weights
from edgerig.testing.networks import dense_onnx

SHAPE = {"features": 64, "classes": 8}


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A network whose weights lie in ``weights.bin``; ``whole.onnx`` is the same in one file."""
    model = onnx.load(str(dense_onnx(tmp_path / "whole.onnx", **SHAPE)))
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    folder = tmp_path / "apart"
    folder.mkdir()
    onnx.save(model, str(folder / "net.onnx"))
    assert (folder / "weights.bin").stat().st_size > (folder / "net.onnx").stat().st_size
    return folder / "net.onnx"


def edit(path: Path, **entries: str) -> None:
    """Write other entries to the external data of the first tensor."""
    model = onnx.load(str(path), load_external_data=False)
    tensor = model.graph.initializer[0]
    kept = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in kept.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def values(path: Path) -> dict[int, Any]:
    return read_weights(path)


def test_a_file_without_external_data_stays_as_it_is(tmp_path: Path) -> None:
    data = dense_onnx(tmp_path / "net.onnx").read_bytes()
    assert self_contained(data, tmp_path / "net.onnx") is data


def test_weights_are_the_same_as_in_one_file(apart: Path) -> None:
    whole, parts = values(apart.parent.parent / "whole.onnx"), values(apart)
    assert whole.keys() == parts.keys()
    for index in whole:
        np.testing.assert_array_equal(whole[index], parts[index])


def test_hash_and_size_cover_the_external_data(apart: Path) -> None:
    before = open_artifact(apart)
    assert before.size == len(before.read())
    assert before.sha256 == sha256(before.read())
    data = bytearray((apart.parent / "weights.bin").read_bytes())
    data[5] ^= 1
    (apart.parent / "weights.bin").write_bytes(data)
    assert open_artifact(apart).sha256 != before.sha256
    with pytest.raises(ModelError, match="SHA-256"):
        before.read()


def test_a_copy_stands_alone(apart: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    artifact = open_artifact(apart)
    placed = place_artifact(artifact, tmp_path / "bundle")
    (apart.parent / "weights.bin").unlink()
    assert placed.read() == Path(placed.path).read_bytes()
    assert open_artifact(Path(placed.path)).sha256 == artifact.sha256
    assert Artifact.load(Path(placed.path + ".json")).sha256 == artifact.sha256


def refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_artifact(path)
    assert caught.value.hint
    for word in ("net.onnx", "external data", *words):
        assert word in caught.value.message


def test_missing_data_are_named(apart: Path) -> None:
    (apart.parent / "weights.bin").unlink()
    refused(apart, "weights.bin", "No such file")


def test_data_that_end_too_early_are_refused(apart: Path) -> None:
    place = apart.parent / "weights.bin"
    place.write_bytes(place.read_bytes()[:-8])
    refused(apart, "weights.bin", "end before")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "sub/../../secret.bin", "", ".", "..", "a\0b"])
def test_data_outside_the_folder_are_refused(location: str, apart: Path) -> None:
    (apart.parent.parent / "secret.bin").write_bytes(bytes(100_000))
    edit(apart, location=location)
    refused(apart, "not in its folder")


def test_a_link_out_of_the_folder_is_refused(apart: Path) -> None:
    place = apart.parent / "weights.bin"
    place.rename(apart.parent.parent / "elsewhere.bin")
    place.symlink_to(apart.parent.parent / "elsewhere.bin")
    refused(apart, "not in its folder")


def test_data_in_a_folder_below_are_taken(apart: Path) -> None:
    (apart.parent / "sub").mkdir()
    (apart.parent / "weights.bin").rename(apart.parent / "sub" / "weights.bin")
    model = onnx.load(str(apart), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "sub/weights.bin"
    apart.write_bytes(model.SerializeToString())
    assert open_artifact(apart).size > SHAPE["features"] * SHAPE["classes"] * 4


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("offset", "-4", "offset"),
        ("offset", "1e3", "offset"),
        ("offset", "9" * 30, "offset"),
        ("length", "7", "7 B"),
        ("offset", str(2**40), "end before"),
    ],
)
def test_places_that_cannot_be_are_refused(key: str, value: str, word: str, apart: Path) -> None:
    edit(apart, **{key: value})
    refused(apart, word)


def test_what_is_larger_than_a_file_can_be_is_refused_before_it_is_read(apart: Path) -> None:
    model = onnx.load(str(apart), load_external_data=False)
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**20, 2**20])
    apart.write_bytes(model.SerializeToString())
    refused(apart, "2,147,483,647 B")


def test_weights_of_operators_and_of_graphs_within_are_put_inside(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    constant = numpy_helper.from_array(np.arange(4, dtype=np.float32).reshape(1, 4), "c")
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["t"], value=constant)],
        "then",
        [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, [1, 4])],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["e"])],
        "else",
        [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, [1, 4])],
    )
    flag = numpy_helper.from_array(np.array(True), "flag")
    node = helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=other)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    model = helper.make_model(
        helper.make_graph([node], "net", ends[:1], ends[1:], [flag]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    convert_model_to_external_data(model, location="w.bin", size_threshold=0, convert_attribute=True)
    onnx.save(model, str(tmp_path / "net.onnx"))
    whole = self_contained((tmp_path / "net.onnx").read_bytes(), tmp_path / "net.onnx")
    assert np.arange(4, dtype=np.float32).tobytes() in whole
    assert b"w.bin" not in whole
