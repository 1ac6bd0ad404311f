"""Files that a user brings."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgerig import files
from edgerig.artifact import Origin, Preprocessing, sidecar_path
from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.testing.networks import dense_onnx, dense_tflite, dense_tflite_int8


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return dense_tflite(tmp_path / "net.tflite")


def test_a_bare_file_tells_its_inputs_outputs_and_scheme(net: Path) -> None:
    artifact = open_artifact(net)
    assert (artifact.name, artifact.format, artifact.scheme) == ("net", "tflite", "float32")
    assert [(spec.name, spec.shape, spec.dtype) for spec in artifact.inputs] == [("x", (1, 8), "float32")]
    assert [spec.shape for spec in artifact.outputs] == [(1, 4)]
    assert artifact.sha256 == files.sha256_file(net)
    assert artifact.size == net.stat().st_size
    assert artifact.read() == net.read_bytes()
    assert artifact.preprocessing == Preprocessing()


def test_other_formats_and_quantization(tmp_path: Path) -> None:
    assert open_artifact(dense_onnx(tmp_path / "net.onnx")).format == "onnx"
    quantized = open_artifact(dense_tflite_int8(tmp_path / "q.tflite"))
    assert quantized.scheme == "int8"
    assert quantized.inputs[0].quantization is not None


def test_a_description_beside_the_file_is_used(net: Path) -> None:
    made = msgspec.structs.replace(
        open_artifact(net),
        preprocessing=Preprocessing(scale=1 / 255),
        classes=("a", "b", "c", "d"),
        origins=(Origin(tool="float32"),),
    )
    made.save()
    assert open_artifact(net) == made


def test_what_the_caller_says_goes_first(net: Path) -> None:
    msgspec.structs.replace(open_artifact(net), preprocessing=Preprocessing(scale=3.0), classes=("a",)).save()
    found = open_artifact(net, preprocessing=Preprocessing(scale=2.0), classes=["x", "y"])
    assert found.preprocessing.scale == 2.0
    assert found.classes == ("x", "y")


def test_a_description_of_another_file_is_refused(net: Path) -> None:
    msgspec.structs.replace(open_artifact(net), preprocessing=Preprocessing(scale=3.0)).save()
    dense_tflite(net, seed=1)
    with pytest.raises(ModelError, match=r"describes another file than net\.tflite") as caught:
        open_artifact(net)
    assert "remove net.tflite.json" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"sha256": "0", "inputs": 3}',
        b"[" * 200_000,
        b'{"sha256": "", "inputs": [], "x": ' + b"[" * 200_000,
    ],
)
def test_a_damaged_description_is_refused_and_not_passed_over(net: Path, content: bytes) -> None:
    sidecar_path(net).write_bytes(content)
    with pytest.raises(ModelError, match="does not describe an artifact"):
        open_artifact(net)


@pytest.mark.parametrize("content", [b"[]", b"3", b'{"some": "thing else"}'])
def test_a_json_file_that_is_somebody_elses_does_not_matter(net: Path, content: bytes) -> None:
    sidecar_path(net).write_bytes(content)
    assert open_artifact(net).outputs[0].shape == (1, 4)


def test_a_moved_pair_is_found_at_its_new_place(net: Path, tmp_path: Path) -> None:
    msgspec.structs.replace(open_artifact(net), classes=("kept",)).save()
    (tmp_path / "new").mkdir()
    for path in (net, sidecar_path(net)):
        path.rename(tmp_path / "new" / path.name)
    found = open_artifact(tmp_path / "new" / "net.tflite")
    assert found.classes == ("kept",)
    assert found.read()


@pytest.mark.parametrize("name", ["net.h5", "net.pb", "net", "net.h"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    words = {"net.h5": "not a sound Keras file", "net.pb": "a graph of TensorFlow"}.get(name, "not a model file")
    with pytest.raises(ModelError, match=words) as caught:
        open_artifact(tmp_path / name)
    assert caught.value.hint


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        open_artifact(tmp_path / "net.tflite")


def test_a_truncated_file_is_told(net: Path) -> None:
    net.write_bytes(net.read_bytes()[:-50])
    with pytest.raises(ModelError, match="corrupt"):
        open_artifact(net)
