"""TFLite files: the FlatBuffer read with all bounds checked, since the file is not trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, Quantization
from edgerig.errors import ModelError
from edgerig.models.graph.types import ODD_BITS, Graph, Operator, Tensor

IDENTIFIER = b"TFL3"
MAX_DIMENSIONS = 32
#: Operators that the schema does not have, and whose options are numbers by name, as a flexbuffer.
FLEXIBLE = frozenset({"TFLite_Detection_PostProcess"})

T = TypeVar("T")


def read_tflite(data: bytes, name: str, subgraph: int = 0) -> Graph:
    """A subgraph, usually the main one, of the TFLite file with the content ``data``.

    Raises:
        ModelError: It is not a TFLite file, or is corrupt, or has no such subgraph.
    """
    return _guarded(data, name, subgraph, lambda file: file.graph())


def read_tflite_weights(data: bytes, name: str, subgraph: int = 0) -> dict[int, NDArray[Any]]:
    """The constant tensors of a subgraph by tensor index, in the tensors' own shapes and dtypes.

    int4 and int2 come unpacked as int8. Types that numpy does not have come as flat uint8 of their bytes.
    Buffers that are outside the FlatBuffer (by offset and size) are read from there.

    Raises:
        ModelError: It is not a TFLite file, or is corrupt.
    """
    return _guarded(data, name, subgraph, lambda file: file.weights())


def read_tflite_network(data: bytes, name: str, subgraph: int = 0) -> tuple[Graph, dict[int, NDArray[Any]]]:
    """What `read_tflite` and `read_tflite_weights` give, of a file that is gone through once.

    Raises:
        ModelError: It is not a TFLite file, or is corrupt.
    """
    return _guarded(data, name, subgraph, lambda file: (file.graph(), file.weights()))


def _guarded(data: bytes, name: str, subgraph: int, read: Callable[[_TfliteFile], T]) -> T:
    if data[4:8] != IDENTIFIER:
        what = "is empty" if not data else "is not a TFLite file: it does not carry the identifier TFL3"
        raise ModelError(f"{name} {what}.", "Is it the right file, and was it copied whole?")
    try:
        return read(_TfliteFile(data, name, subgraph))
    except ModelError:
        raise
    except Exception as error:
        # The FlatBuffers library checks no bounds: a wrong offset raises struct.error, IndexError, TypeError, ...
        raise _corrupt(name, "an offset in it leads nowhere") from error


def _corrupt(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is corrupt: {why}.", "Was it copied whole? Make or fetch it again.")


class _TfliteFile:
    """A file that is being read."""

    def __init__(self, data: bytes, name: str, subgraph: int) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.data, self.name, self.schema = data, name, schema
        # Every element of a vector takes at least one byte of the file. A larger count is damage, and counting up to
        # it could take hours.
        self.budget = len(data)
        self.model = schema.Model.GetRootAs(data, 0)
        if self.count(self.model.SubgraphsLength()) <= subgraph or subgraph < 0:
            raise self.corrupt(f"it has no subgraph {subgraph}" if subgraph else "it holds no network")
        self.subgraph = self.model.Subgraphs(subgraph)
        self.buffers = self.model.BuffersLength()
        #: Of each tensor its bytes in the file, and whether these are sparse.
        self.contents: list[tuple[bytes | memoryview, bool]] = []
        self.main = subgraph == 0
        self.tensors = self.read_tensors()

    def corrupt(self, why: str) -> ModelError:
        return _corrupt(self.name, why)

    def count(self, length: int) -> int:
        """``length``, checked against what the file can contain."""
        self.budget -= length
        if length < 0 or self.budget < 0:
            raise self.corrupt("a vector in it is longer than the file")
        return length

    def ints(self, vector: Any) -> tuple[int, ...]:
        """A vector of numbers; empty where FlatBuffers returns 0 for a missing one."""
        if isinstance(vector, int):
            return ()
        self.count(len(vector))
        return tuple(vector.tolist())

    def text(self, value: bytes | None) -> str:
        return (value or b"").decode(errors="replace")

    # ---- the graph

    def graph(self) -> Graph:
        inputs = self.indices(self.subgraph.InputsAsNumpy(), "input")
        outputs = self.indices(self.subgraph.OutputsAsNumpy(), "output")
        if not outputs and self.main:
            raise self.corrupt("the network has no output")
        subgraphs = self.model.SubgraphsLength()
        metadata = {"version": str(self.model.Version())}
        if description := self.text(self.model.Description()):
            metadata["description"] = description
        if subgraphs > 1:
            metadata["subgraphs"] = str(subgraphs)
        return Graph(
            name=self.text(self.subgraph.Name()) or "main",
            format="tflite",
            tensors=tuple(self.tensors),
            operators=tuple(self.read_operators()),
            inputs=inputs,
            outputs=outputs,
            metadata=metadata,
        )

    def read_tensors(self) -> list[Tensor]:
        types = _names(self.schema.TensorType)
        tensors = []
        for index in range(self.count(self.subgraph.TensorsLength())):
            tensor = self.subgraph.Tensors(index)
            shape = self.ints(tensor.ShapeAsNumpy())
            if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
                raise self.corrupt(f"tensor {index} has the shape {list(shape)[:MAX_DIMENSIONS]}")
            if tensor.ExternalBuffer():
                raise ModelError(
                    f"{self.name} keeps the content of tensor {index} ({self.text(tensor.Name())}) in another file.",
                    "Write the weights into the .tflite file: edgerig takes a network as one file.",
                )
            kind = tensor.Type()
            if kind not in types:
                raise self.corrupt(f"tensor {index} has the unknown type {kind}")
            parameters = tensor.Quantization()
            quantization = self.quantization(parameters, index, len(shape))
            details = self.quantization_details(parameters, index)
            content = self.buffer(tensor.Buffer())
            read = Tensor(
                index=index,
                name=self.text(tensor.Name()),
                shape=shape,
                dtype=types[kind].lower(),
                quantization=quantization,
                quantization_details=details,
                constant=len(content) > 0,
                variable=bool(tensor.IsVariable()),
            )
            self.contents.append((content, read.constant and tensor.Sparsity() is not None))
            self.check_content(read)
            tensors.append(read)
        return tensors

    def check_content(self, tensor: Tensor) -> None:
        content, sparse = self.contents[tensor.index]
        checkable = tensor.constant and not sparse and ODD_BITS.get(tensor.dtype) != 0
        if checkable and len(content) != tensor.nbytes:
            raise self.corrupt(
                f"tensor {tensor.index} ({tensor.name}) needs {tensor.nbytes} bytes and the file holds {len(content)}"
            )

    def quantization(self, parameters: Any, index: int, rank: int) -> Quantization | None:
        if parameters is None or parameters.ScaleLength() == 0:
            return None
        scales, zeros = self.ints(parameters.ScaleAsNumpy()), self.ints(parameters.ZeroPointAsNumpy())
        if not zeros:
            zeros = (0,) * len(scales)
        if len(zeros) == 1:
            zeros *= len(scales)
        if len(zeros) != len(scales) or not all(map(math.isfinite, scales)):
            raise self.corrupt(f"tensor {index} has scales and zero points that do not belong together")
        # Some writers give a bias the axis of the weights that it belongs to. A vector has only one axis.
        axis = 0 if rank == 1 else parameters.QuantizedDimension()
        return Quantization(scales, zeros, axis if len(scales) > 1 else None)

    def quantization_details(self, parameters: Any, index: int) -> str:
        """How a tensor is quantized other than by its own scales and zero points; empty if it is not."""
        kind = parameters.DetailsType() if parameters is not None else 0
        if not kind:
            return ""
        name = _names(self.schema.QuantizationDetails).get(kind)
        if name is None:
            raise self.corrupt(f"tensor {index} is quantized in an unknown way")
        return name

    def read_operators(self) -> list[Operator]:
        codes = self.read_codes()
        operators = []
        for index in range(self.count(self.subgraph.OperatorsLength())):
            raw = self.subgraph.Operators(index)
            if not 0 <= raw.OpcodeIndex() < len(codes):
                raise self.corrupt(f"operator {index} has a code that the file does not list")
            op, custom = codes[raw.OpcodeIndex()]
            inputs = self.indices(raw.InputsAsNumpy(), f"operator {index}", optional=True)
            outputs = self.indices(raw.OutputsAsNumpy(), f"operator {index}", optional=True)
            within = self.indices(raw.IntermediatesAsNumpy(), f"operator {index}", optional=True)
            options = {**self.options(raw), **(self.custom_options(raw, custom) if op == "CUSTOM" else {})}
            name = next((self.tensors[output].name for output in outputs if output >= 0), "")
            operators.append(
                Operator(
                    index=index,
                    op=op,
                    name=name or op,
                    inputs=inputs,
                    outputs=outputs,
                    options=options,
                    intermediates=within,
                )
            )
        return operators

    def read_codes(self) -> list[tuple[str, str]]:
        known = _names(self.schema.BuiltinOperator)
        codes = []
        for index in range(self.count(self.model.OperatorCodesLength())):
            raw = self.model.OperatorCodes(index)
            # Old writers fill only the byte-sized field, new ones both, with a marker in the old one.
            code = max(raw.BuiltinCode(), raw.DeprecatedBuiltinCode())
            if code not in known:
                raise self.corrupt(f"it uses the unknown operator code {code}")
            codes.append((known[code], self.text(raw.CustomCode())))
        return codes

    def indices(self, vector: Any, where: str, optional: bool = False) -> tuple[int, ...]:
        indices = self.ints(vector)
        for index in indices:
            if not (-1 if optional else 0) <= index < len(self.tensors):
                raise self.corrupt(f"{where} names tensor {index} of {len(self.tensors)}")
        return indices

    def options(self, operator: Any) -> dict[str, Any]:
        for union, kind, table in (
            ("BuiltinOptions", operator.BuiltinOptionsType(), operator.BuiltinOptions),
            ("BuiltinOptions2", operator.BuiltinOptions2Type(), operator.BuiltinOptions2),
        ):
            if not kind:
                continue
            name = _names(getattr(self.schema, union)).get(kind)
            table_position = table()
            if name is None or table_position is None:
                raise self.corrupt("an operator has options of an unknown kind")
            options = getattr(self.schema, name)()
            options.Init(table_position.Bytes, table_position.Pos)
            unpacked = vars(getattr(self.schema, name + "T").InitFromObj(options))
            named = {_snake(key): value for key, value in unpacked.items()}
            return {key: self.option(key, value) for key, value in named.items()}
        return {}

    def custom_options(self, operator: Any, code: str) -> dict[str, Any]:
        """The options of an operator that the schema does not have, where it is one whose options are known."""
        if code not in FLEXIBLE or not self.count(operator.CustomOptionsLength()):
            return {"custom_code": code}
        from flatbuffers import flexbuffers

        root = flexbuffers.GetRoot(bytearray(operator.CustomOptionsAsNumpy().tobytes()))
        if not root.IsMap:
            raise self.corrupt(f"the options of {code} have no names")
        entries = zip(root.AsMap.Keys, root.AsMap.Values, strict=True)
        numbers = {str(key.Value): entry.Value for key, entry in entries if entry.IsNumeric or entry.IsBool}
        return {**numbers, "custom_code": code}

    def option(self, key: str, value: Any) -> Any:
        """An option as plain Python; values of the most common enumerations by name."""
        enumerations = {
            "padding": self.schema.Padding,
            "fused_activation_function": self.schema.ActivationFunctionType,
            "mode": self.schema.MirrorPadMode,
        }
        if isinstance(value, np.ndarray):
            return list(self.ints(value))
        if isinstance(value, bytes):
            return self.text(value)
        if key in enumerations and isinstance(value, int):
            return _names(enumerations[key]).get(value, value)
        return value if isinstance(value, int | float | bool | str | None) else str(value)

    # ---- content

    def buffer(self, index: int) -> bytes | memoryview:
        """The bytes of a buffer, inside the FlatBuffer or outside of it; empty if it has none."""
        if not 0 <= index < self.buffers:
            raise self.corrupt(f"it names buffer {index} of {self.buffers}")
        raw = self.model.Buffers(index)
        # Writers put 0 and 1 there as placeholders before they know the offset.
        if raw.Offset() > 1:
            if raw.Offset() + raw.Size() > len(self.data):
                raise self.corrupt(f"buffer {index} lies beyond its end")
            return memoryview(self.data)[raw.Offset() : raw.Offset() + raw.Size()]
        content = raw.DataAsNumpy()
        if index == 0 and not isinstance(content, int) and len(content):
            # LiteRT takes buffer 0 for "no content", as the schema says; TFLite Micro reads what is there.
            raise self.corrupt("its first buffer, which stands for 'no content', has some, and a tensor names it")
        return b"" if isinstance(content, int) else memoryview(content)

    def weights(self) -> dict[int, NDArray[Any]]:
        return {
            tensor.index: _array(tensor, *self.contents[tensor.index]) for tensor in self.tensors if tensor.constant
        }


def _array(tensor: Tensor, content: bytes | memoryview, sparse: bool) -> NDArray[Any]:
    flat = np.frombuffer(content, np.uint8)
    if sparse:
        return flat
    if tensor.dtype in ("int4", "int2"):
        bits = ODD_BITS[tensor.dtype]
        parts = [((flat >> shift) << (8 - bits)).view(np.int8) >> (8 - bits) for shift in range(0, 8, bits)]
        return np.stack(parts, -1).reshape(-1)[: tensor.elements].reshape(tensor.shape)
    if tensor.dtype not in ITEM_SIZES:
        return flat
    return np.frombuffer(content, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)


@cache
def _names(enumeration: type) -> dict[int, str]:
    """Number to name of a generated enumeration class."""
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


@cache
def _snake(name: str) -> str:
    """The schema's own spelling of a name that the Python generator wrote in camel case."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
