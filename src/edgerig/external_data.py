"""Merges external weights into ONNX files.

The payload that is hashed, sent and stored in a bundle is one file; so external data are merged when a file is read.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerig.errors import MissingExtraError, ModelError

#: Largest message of Protocol Buffers, in bytes.
LARGEST_FILE = 2**31 - 1
#: Every file with external tensors contains this key.
MARK = b"location"


def self_contained(data: bytes, path: Path) -> bytes:
    """The ONNX file ``path`` with the content ``data``, with external data merged; ``data`` itself if it has none.

    Raises:
        ModelError: A file of external data is missing, too short, or not in the folder of ``path``; or the result
            would exceed the largest ONNX file.
        MissingExtraError: There may be external data, and the onnx package is not installed.
    """
    if MARK not in data:
        return data
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(f"Reading {path.name}", "onnx", "onnx") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:
        return data  # its reader reports the fault
    tensors = [tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if not tensors:
        return data
    sizes = [_size(tensor, path) for tensor in tensors]
    if len(data) + sum(sizes) > LARGEST_FILE:
        raise ModelError(
            f"{path.name} has {sum(sizes):,} B of external data; with these inside, it would be larger than the "
            f"{LARGEST_FILE:,} B that an ONNX file can have, and edgerig sends a network as one file.",
            "Take a smaller network, or one of smaller weights.",
        )
    for tensor, size in zip(tensors, sizes, strict=True):
        content = _content(tensor, size, path)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = content
    return bytes(model.SerializeToString(deterministic=True))


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of a model: of its graph, of graphs within operators, and of its functions."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        while graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
        for attribute in [attribute for node in nodes for attribute in node.attribute]:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            yield from attribute.tensors
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs
        nodes = []


def _size(tensor: Any, path: Path) -> int:
    """Size of a tensor's content in bytes, by its shape and type."""
    from onnx import TensorProto

    kind = TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in TensorProto.DataType.values() else "?"
    bits = _bits(kind)
    if bits is None or any(size < 0 for size in tensor.dims):
        raise ModelError(
            f"{path.name}: the tensor {tensor.name!r} has external data, and the type {kind} with the shape "
            f"{list(tensor.dims)}, of which there are none.",
            "The file is damaged: make or fetch it again.",
        )
    elements: int = math.prod(tensor.dims)
    return -(-elements * bits // 8)


def _bits(kind: str) -> int | None:
    """Bits per element of an ONNX type; None for types without a fixed size."""
    known = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128}
    if kind in known:
        return known[kind]
    if kind.startswith(("INT", "UINT", "FLOAT", "BFLOAT")):
        # INT64, UINT4, FLOAT16, BFLOAT16, FLOAT8E4M3FN, FLOAT4E2M1
        digits = kind.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        whole = digits.split("E")[0]
        return int(whole) if whole.isdigit() else None
    return None


def _content(tensor: Any, size: int, path: Path) -> bytes:
    """The bytes of a tensor, read from its file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = _file(entries.get("location", ""), tensor.name, path)
    offset, length = (_number(entries.get(key, ""), key, tensor.name, path) for key in ("offset", "length"))
    if length not in (None, size):
        raise ModelError(
            f"{path.name}: the external data of {tensor.name!r} have {length} B, its shape needs {size} B.",
            "The file and its external data do not belong together: export both again.",
        )
    start = offset or 0
    try:
        if not file.is_file():
            raise FileNotFoundError(errno.ENOENT, "No such file")
        with file.open("rb") as stream:
            # Check the size first: reading allocates memory for all requested bytes.
            enough = start + size <= os.fstat(stream.fileno()).st_size
            stream.seek(start if enough else 0)
            content = stream.read(size) if enough else b""
    except OSError as error:
        raise ModelError(
            f"{path.name} keeps the weights of {tensor.name!r} as external data in {file.name}, which cannot be read: "
            f"{error.strerror}.",
            f"Copy {file.name} into the folder of {path.name}.",
        ) from error
    if len(content) != size:
        raise ModelError(
            f"{path.name}: the external data in {file.name} end before those of {tensor.name!r}, which take {size} B "
            f"from byte {start} on.",
            f"Copy or export {file.name} again: it is not whole, or belongs to another file.",
        )
    return content


def _file(location: str, name: str, path: Path) -> Path:
    """The path of external data: in the folder of the file, or below, with links resolved."""
    folder = path.parent.resolve()
    target = path.parent / location
    inside = location and "\0" not in location and not Path(location).is_absolute()
    if not inside or not target.resolve().is_relative_to(folder) or target.resolve() == folder:
        raise ModelError(
            f"{path.name} says that the external data of {name!r} lie in {location!r}, which is not in its folder.",
            "External data must lie beside the file: save it again with a plain file name as location.",
        )
    return target


def _number(text: str, key: str, name: str, path: Path) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ModelError(
            f"{path.name}: the external data of {name!r} have the {key} {text[:40]!r}, which is no number of bytes.",
            "The file is damaged: make or fetch it again.",
        )
    return int(text)
