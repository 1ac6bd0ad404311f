"""Signatures of SavedModels, whose protocol buffers Google's library wrote; and of files that are none."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import ModelError
from edgerig.models.graph import saved_model
from edgerig.models.graph.saved_model import Signature, SignatureTensor, is_saved_model, read_saved_model

#: The messages that matter: name, then number, name, type and whether there are many. A type in capitals is a message.
MESSAGES: dict[str, list[tuple[int, str, str, bool]]] = {
    "Dim": [(1, "size", "int64", False), (2, "name", "string", False)],
    "Shape": [(2, "dim", "Dim", True), (3, "unknown_rank", "bool", False)],
    "TensorInfo": [
        (1, "name", "string", False),
        (2, "dtype", "int32", False),
        (3, "tensor_shape", "Shape", False),
    ],
    "TensorEntry": [(1, "key", "string", False), (2, "value", "TensorInfo", False)],
    "SignatureDef": [
        (1, "inputs", "TensorEntry", True),
        (2, "outputs", "TensorEntry", True),
        (3, "method_name", "string", False),
    ],
    "SignatureEntry": [(1, "key", "string", False), (2, "value", "SignatureDef", False)],
    "MetaInfo": [(4, "tags", "string", True), (5, "tensorflow_version", "string", False)],
    "MetaGraph": [
        (1, "meta_info", "MetaInfo", False),
        (2, "graph", "bytes", False),
        (5, "signature", "SignatureEntry", True),
        (9, "ratio", "double", False),
        (10, "half", "float", False),
    ],
    "SavedModel": [(1, "schema", "int64", False), (2, "meta_graphs", "MetaGraph", True)],
}


@pytest.fixture(scope="module")
def new() -> Any:
    """Makes a message of a name with fields; Google's own library writes it."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, many in fields:
            own = kind in MESSAGES
            message.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL,
                type=kinds.TYPE_MESSAGE if own else getattr(kinds, f"TYPE_{kind.upper()}"),
                type_name=f".t.{kind}" if own else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda kind, /, **values: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{kind}"))(**values)


@pytest.fixture
def exported(new: Any, tmp_path: Path) -> Path:
    """The SavedModel of the keyword network, with a graph of 300 kB that nobody needs."""

    def tensor(key: str, name: str, sizes: tuple[int, ...]) -> Any:
        shape = new("Shape", dim=[new("Dim", size=size) for size in sizes])
        return new("TensorEntry", key=key, value=new("TensorInfo", name=name, dtype=1, tensor_shape=shape))

    serving = new(
        "SignatureDef",
        inputs=[tensor("input_1", "serving_default_input_1:0", (-1, 49, 10, 1))],
        outputs=[tensor("dense", "StatefulPartitionedCall:0", (-1, 12))],
        method_name="tensorflow/serving/predict",
    )
    odd = new(
        "SignatureDef",
        inputs=[
            new("TensorEntry", key="text", value=new("TensorInfo", dtype=7, tensor_shape=new("Shape"))),
            new(
                "TensorEntry", key="any", value=new("TensorInfo", dtype=109, tensor_shape=new("Shape", unknown_rank=1))
            ),
            new("TensorEntry", key="new", value=new("TensorInfo", dtype=77)),
        ],
    )
    graph = new(
        "MetaGraph",
        meta_info=new("MetaInfo", tags=["serve"], tensorflow_version="2.6.0"),
        graph=bytes(range(256)) * 1200,
        ratio=0.5,
        half=0.25,
        signature=[
            new("SignatureEntry", key="serving_default", value=serving),
            new("SignatureEntry", key="a", value=odd),
        ],
    )
    (tmp_path / "saved_model.pb").write_bytes(new("SavedModel", schema=1, meta_graphs=[graph]).SerializeToString())
    return tmp_path


def test_signatures_have_names_types_and_shapes(exported: Path) -> None:
    assert is_saved_model(exported)
    (graph,) = read_saved_model(exported)
    assert (graph.tags, graph.version) == (("serve",), "2.6.0")
    odd, serving = graph.signatures
    assert serving == Signature(
        name="serving_default",
        method="tensorflow/serving/predict",
        inputs=(
            SignatureTensor(key="input_1", name="serving_default_input_1:0", dtype="float32", shape=(-1, 49, 10, 1)),
        ),
        outputs=(SignatureTensor(key="dense", name="StatefulPartitionedCall:0", dtype="float32", shape=(-1, 12)),),
    )
    assert [(tensor.key, tensor.dtype, tensor.shape) for tensor in odd.inputs] == [
        ("any", "reference to int64", None),
        ("new", "type 77", None),
        ("text", "string", ()),
    ]


def test_a_file_cut_anywhere_is_refused_or_read_without_what_is_missing(exported: Path) -> None:
    whole = (exported / "saved_model.pb").read_bytes()
    for length in [*range(40), *range(len(whole) - 400, len(whole), 7)]:
        (exported / "saved_model.pb").write_bytes(whole[:length])
        with pytest.raises(ModelError, match="no sound SavedModel"):
            read_saved_model(exported)


@settings(max_examples=300)
@given(data=st.binary(max_size=200), flips=st.lists(st.integers(0, 2**32), max_size=6))
def test_any_bytes_are_read_or_refused(tmp_path_factory: Any, new: Any, data: bytes, flips: list[int]) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    content = bytearray(data + new("SavedModel", meta_graphs=[new("MetaGraph", graph=b"x" * 40)]).SerializeToString())
    for flip in flips:
        content[flip % len(content)] ^= 1 << flip % 8
    (folder / "saved_model.pb").write_bytes(content)
    with contextlib.suppress(ModelError):
        assert isinstance(read_saved_model(folder), tuple)


def test_limits_end_the_reading(new: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(**values: Any) -> None:
        (tmp_path / "saved_model.pb").write_bytes(
            new("SavedModel", meta_graphs=[new("MetaGraph", **values)]).SerializeToString()
        )

    write(meta_info=new("MetaInfo", tags=["x" * 5000]))
    with pytest.raises(ModelError, match="a name of 5,000 bytes"):
        read_saved_model(tmp_path)
    monkeypatch.setattr(saved_model, "MOST_FIELDS", 100)
    write(signature=[new("SignatureEntry", key=str(number)) for number in range(100)])
    with pytest.raises(ModelError, match="more than 100 fields"):
        read_saved_model(tmp_path)
    shape = new("Shape", dim=[new("Dim", size=2)] * 40)
    entry = new("TensorEntry", key="x", value=new("TensorInfo", tensor_shape=shape))
    write(signature=[new("SignatureEntry", key="f", value=new("SignatureDef", inputs=[entry]))])
    monkeypatch.setattr(saved_model, "MOST_FIELDS", 1000)
    with pytest.raises(ModelError, match=r"a tensor has the shape \[2, 2"):
        read_saved_model(tmp_path)


def test_what_is_no_saved_model_is_named(tmp_path: Path) -> None:
    assert not is_saved_model(tmp_path)
    with pytest.raises(ModelError, match="Cannot read"):
        read_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match="it is empty"):
        read_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ModelError, match="it holds no graph"):
        read_saved_model(tmp_path)
