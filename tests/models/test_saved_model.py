"""Which signature of a SavedModel is run, its tensors, and what is said where TensorFlow is missing."""

import importlib.util
from pathlib import Path

import pytest

from edgerig.errors import MissingExtraError, ModelError
from edgerig.formats import format_of
from edgerig.models.files import open_artifact
from edgerig.models.graph.saved_model import Signature, SignatureTensor
from edgerig.models.saved_model import left_out, signature_of, tensors_of
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, value: bytes | int) -> bytes:
    """A field of a protocol buffer: a number, or bytes after their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def saved(folder: Path, *names: str) -> Path:
    """A SavedModel whose signatures are called ``names``, each of one input and one output, float32 (1, 4)."""
    shape = field(2, field(1, 1)) + field(2, field(1, 4))
    tensor = field(1, b"x:0") + field(2, 1) + field(3, shape)
    signature = field(1, field(1, b"x") + field(2, tensor)) + field(2, field(1, b"y") + field(2, tensor))
    graph = field(1, field(4, b"serve")) + b"".join(
        field(5, field(1, name.encode()) + field(2, signature)) for name in names
    )
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, graph))
    return folder


def tensor(key: str, dtype: str = "float32", shape: tuple[int, ...] | None = (-1, 4)) -> SignatureTensor:
    return SignatureTensor(key=key, name=f"{key}:0", dtype=dtype, shape=shape)


def signature(inputs: list[SignatureTensor], outputs: list[SignatureTensor]) -> Signature:
    return Signature(name="serving_default", method="", inputs=tuple(inputs), outputs=tuple(outputs))


def test_folder_of_any_name_is_a_saved_model_with_its_tensors(tmp_path: Path) -> None:
    folder = saved(tmp_path / "kws_ref_model", "serving_default")
    assert format_of(folder).name == "savedmodel"
    artifact = open_artifact(folder)
    assert [(spec.name, spec.shape, spec.dtype) for spec in artifact.inputs] == [("x", (1, 4), "float32")]
    assert [spec.name for spec in artifact.outputs] == ["y"]


def test_usual_signature_is_run_else_the_only_one(tmp_path: Path) -> None:
    assert signature_of(saved(tmp_path / "a", "train", "serving_default")).name == "serving_default"
    assert signature_of(saved(tmp_path / "b", "mine")).name == "mine"
    with pytest.raises(ModelError, match="c has no signature 'serving_default'; it has first, second"):
        signature_of(saved(tmp_path / "c", "first", "second"))
    with pytest.raises(ModelError, match="it has none"):
        signature_of(saved(tmp_path / "d"))


def test_tensors_are_in_the_order_of_their_names_and_a_free_batch_is_one() -> None:
    inputs, outputs = tensors_of(
        signature([tensor("right"), tensor("left", "int32", (-1, 7))], [tensor("b", shape=(-1, -1)), tensor("a")]),
        "net",
    )
    assert [(spec.name, spec.shape) for spec in inputs] == [("left", (1, 7)), ("right", (1, 4))]
    assert [(spec.name, spec.shape) for spec in outputs] == [("a", (1, 4)), ("b", (1, -1))]


def test_outputs_that_are_no_numbers_are_left_out_and_told() -> None:
    texts = signature([tensor("x")], [tensor("y"), tensor("labels", "string")])
    assert [spec.name for spec in tensors_of(texts, "net")[1]] == ["y"]
    assert left_out(texts) == ("labels: string",)
    with pytest.raises(ModelError, match="No output of net is a tensor of numbers"):
        tensors_of(signature([tensor("x")], [tensor("labels", "string")]), "net")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (tensor("x", "string"), "no tensor of numbers of a known rank: string"),
        (tensor("x", shape=None), "rank unknown"),
        (tensor("x", shape=(-1, -1, 3)), r"has the shape \[-1, -1, 3\]: only the batch axis may be free"),
    ],
)
def test_inputs_that_cannot_be_fed_are_named(bad: SignatureTensor, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        tensors_of(signature([bad], [tensor("y")]), "net")


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_without_tensorflow_it_is_refused_by_name(tmp_path: Path) -> None:
    folder = saved(tmp_path / "net", "serving_default")
    with pytest.raises(MissingExtraError, match="savedmodel needs tensorflow, which is not installed") as error:
        make("runtime", "savedmodel", Runtime, {}).load(folder)
    assert "tensorflow" in (error.value.hint or "")
