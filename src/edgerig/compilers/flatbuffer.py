"""Unpacks and packs TFLite FlatBuffers: with all buffers inside and aligned, and meaningful tensor names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgerig.errors import ModelError
from edgerig.models.graph.tflite_check import buffers_outside

IDENTIFIER = b"TFL3"
#: The schema's ``force_align`` of buffer data, which the Python writer ignores.
ALIGNMENT = 16
SIGNATURE = "serving_default"


def unpack(data: bytes) -> Any:
    """The file as an object tree (``ModelT``), completed: with the fields that old writers left out, and with all
    content inside that was outside the FlatBuffer.

    Raises:
        ModelError: The bytes are no TFLite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != IDENTIFIER:
        raise ModelError("This is not a TFLite file: it does not carry the identifier TFL3.")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        _put_inside(model, data)
        _make_whole(model, schema)
    except Exception as error:
        raise ModelError("This TFLite file is corrupt: an offset in it leads nowhere.") from error
    return model


def pack(model: Any) -> bytes:
    """The bytes of a ``ModelT``; every buffer starts at a multiple of 16 bytes, so that boards can read it in place."""
    builder = _aligned_builder(sum(0 if b.data is None else len(b.data) for b in model.buffers) + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def in_one_piece(data: bytes, name: str) -> bytes:
    """The file as a board can read it in place: all content inside the FlatBuffer, numbers at aligned addresses.

    Returns ``data`` itself if it is in this form already.

    Raises:
        ModelError: It keeps content in other files, or is corrupt.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(data, 0)
        tensors = list(_tensors(model))
        elsewhere = [tensor for tensor in tensors if tensor.ExternalBuffer()]
        outside = bool(buffers_outside(data)) or any(op.LargeCustomOptionsOffset() > 1 for op in _operators(model))
        misaligned = any(_is_misaligned(model, tensor, schema) for tensor in tensors)
    except Exception as error:
        raise ModelError(f"{name} is corrupt: an offset in it leads nowhere.", "Make or fetch it again.") from error
    if elsewhere or model.ExternalBuffersLength():
        called = ((elsewhere[0].Name() if elsewhere else None) or b"a tensor").decode(errors="replace")
        raise ModelError(
            f"{name} keeps the content of {called!r} in another file, which a board does not have.",
            "Write the weights into the .tflite file.",
        )
    return pack(unpack(data)) if outside or misaligned else data


def _tensors(model: Any) -> Iterator[Any]:
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        yield from (graph.Tensors(position) for position in range(graph.TensorsLength()))


def _operators(model: Any) -> Iterator[Any]:
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        yield from (graph.Operators(position) for position in range(graph.OperatorsLength()))


def _is_misaligned(model: Any, tensor: Any, schema: Any) -> bool:
    """Whether the tensor's content starts at an address from which its numbers cannot be loaded."""
    kinds = schema.TensorType
    sizes = {kinds.FLOAT32: 4, kinds.INT32: 4, kinds.UINT32: 4, kinds.INT64: 8, kinds.UINT64: 8, kinds.FLOAT64: 8,
             kinds.FLOAT16: 2, kinds.BFLOAT16: 2, kinds.INT16: 2, kinds.UINT16: 2}  # fmt: skip
    buffer = model.Buffers(tensor.Buffer())
    if buffer.DataIsNone() or not buffer.DataLength():
        return False
    start = buffer.DataAsNumpy()
    offset = start.__array_interface__["data"][0] - np.frombuffer(buffer._tab.Bytes, np.uint8).ctypes.data
    return bool(offset % sizes.get(tensor.Type(), 1))


def rename_tensors(model: Any, rename: Callable[[str], str]) -> None:
    """Give the tensors of all subgraphs new, unique names."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    for graph in model.subgraphs:
        for index, tensor in enumerate(graph.tensors):
            name = base = rename((tensor.name or b"").decode(errors="replace")) or f"tensor_{index}"
            while name in used:
                numbers[base] = numbers.get(base, 0) + 1
                name = f"{base}_{numbers[base]}"
            used.add(name)
            tensor.name = name.encode()


def name_ends(model: Any) -> None:
    """Name inputs and outputs as the file's only signature does; another tensor of such a name gets a longer one."""
    graph = model.subgraphs[0]
    # By signature, since a converter may have changed the order.
    (signature,) = model.signatureDefs
    entries = (*signature.inputs, *signature.outputs)
    names = {entry.name for entry in entries}
    for tensor in graph.tensors:
        if tensor.name in names:
            tensor.name += b"_inner"
    for entry in entries:
        graph.tensors[entry.tensorIndex].name = entry.name


def ensure_signature(model: Any) -> list[str]:
    """Keep one signature for the main subgraph, adding it if there is none; returns its input names in order.

    Engines that look tensors up by signature refuse files from before signatures existed.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    signature.inputs = [_named(schema, graph, int(index)) for index in graph.inputs]
    signature.outputs = [_named(schema, graph, int(index)) for index in graph.outputs]
    model.signatureDefs = [signature]
    return [entry.name.decode() for entry in signature.inputs]


def _named(schema: Any, graph: Any, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.tensors[index].name, index
    return entry


def _make_whole(model: Any, schema: Any) -> None:
    """Fill in what old writers left out, for readers of object trees that know the newer fields only.

    Old files carry ``deprecated_builtin_code`` alone, from which all operators look like ADD, number 0. LiteRT takes
    the greater of the two codes.
    """
    for code in model.operatorCodes or []:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
        code.version = max(code.version, 1)
    model.operatorCodes = [] if model.operatorCodes is None else model.operatorCodes
    for number, graph in enumerate(model.subgraphs):
        graph.name = graph.name or (b"main" if number == 0 else f"subgraph_{number}".encode())
        for field in ("tensors", "operators", "inputs", "outputs"):
            if getattr(graph, field) is None:
                setattr(graph, field, [])
        for tensor in graph.tensors:
            tensor.shape = [] if tensor.shape is None else tensor.shape
        for operator in graph.operators:
            operator.inputs = [] if operator.inputs is None else operator.inputs
            operator.outputs = [] if operator.outputs is None else operator.outputs
    _empty_first_buffer(model, schema)


def _empty_first_buffer(model: Any, schema: Any) -> None:
    """Buffer 0 means "no content": a tensor that is added later must not become a constant."""
    if not model.buffers:
        model.buffers = [schema.BufferT()]
    model.buffers[0] = schema.BufferT()


def _put_inside(model: Any, data: bytes) -> None:
    for buffer in model.buffers or []:
        if buffer.offset > 1:
            buffer.data = _slice(data, buffer.offset, buffer.size)
        buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            if operator.largeCustomOptionsOffset > 1:
                operator.customOptions = _slice(
                    data, operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
                )
            operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0


def _slice(data: bytes, offset: int, size: int) -> Any:
    if offset + size > len(data):
        raise ValueError(f"{offset} + {size} bytes lie beyond the end at {len(data)}")
    return np.frombuffer(data, np.uint8, size, offset)


def _aligned_builder(size: int) -> Any:
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
        def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802 - the library's name
            if x.dtype != np.uint8:
                return super().CreateNumpyVector(x)
            self.StartVector(1, x.size, ALIGNMENT)
            # `head` is private to a FlatBuffer builder by convention only; its own writer sets it, too.
            self.head -= x.size
            self.Bytes[self.head : self.head + x.size] = x.tobytes()
            self.vectorNumElems = x.size
            return self.EndVector()

    return AlignedBuilder(size)
