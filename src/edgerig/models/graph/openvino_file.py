"""OpenVINO's IR: inputs, outputs and scheme out of the XML; weights lie in the .bin beside it.

The XML (version 11) lists layers, each with ports that have a type and dimensions, and edges between ports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from edgerig.errors import ModelError
from edgerig.formats.base import Specification
from edgerig.tensors import TensorSpec

#: Types in the XML and numpy's.
_TYPES = {
    "f32": "float32", "f16": "float16", "f64": "float64", "i8": "int8", "u8": "uint8", "i16": "int16", "u16": "uint16",
    "i32": "int32", "u32": "uint32", "i64": "int64", "u64": "uint64", "boolean": "bool",
    "FP32": "float32", "FP16": "float16", "FP64": "float64", "I8": "int8", "U8": "uint8", "I16": "int16",
    "U16": "uint16", "I32": "int32", "U32": "uint32", "I64": "int64", "U64": "uint64", "BOOL": "bool",
}  # fmt: skip
#: Types of constants that may be weights; those of them in which nothing is quantized, with the name of the scheme.
_SCHEMES = {"f64": "float64", "f32": "float32", "bf16": "bfloat16", "f16": "float16"}
_WEIGHTS = frozenset({*_SCHEMES, "i8", "u8", "i4", "u4", "u2", "u1", "nf4", "f8e4m3", "f8e5m2", "f4e2m1"})
#: Largest XML in bytes: it has no weights.
LARGEST = 1 << 28


class IrFile:
    """The layers of an IR file.

    Args:
        data: The XML. name: The file's, for errors.

    Raises:
        ModelError: It is no IR.
    """

    def __init__(self, data: bytes, name: str) -> None:
        if len(data) > LARGEST:
            raise ModelError(f"{name} has {len(data):,} B; an IR's XML has no weights, and at most {LARGEST:,} B.")
        # An IR has no document type; entities in one could make a small file large.
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ModelError(f"{name} is no IR of OpenVINO: it declares a document type.")
        try:
            self._root = ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            raise ModelError(f"{name} is no IR of OpenVINO: {error}.", "Is it complete?") from error
        if self._root.tag != "net" or self._root.find("layers") is None:
            raise ModelError(f"{name} is no IR of OpenVINO: it holds a <{self._root.tag}>.")
        self.name = name

    def specification(self) -> Specification:
        """Inputs and outputs in the order in which OpenVINO takes and gives them, and the scheme."""
        return Specification(
            inputs=tuple(self._input(layer) for layer in self._layers("Parameter")),
            outputs=tuple(self._output(layer) for layer in self._layers("Result")),
            scheme=self._scheme(),
        )

    def operators(self) -> Counter[str]:
        """How often each type of operator occurs, without ends and constants."""
        kinds = (layer.get("type", "") for layer in self._layers())
        return Counter(kind for kind in kinds if kind not in ("Parameter", "Result", "Const"))

    def _layers(self, kind: str | None = None) -> Iterator[Element]:
        for layer in self._root.iterfind("layers/layer"):
            if kind is None or layer.get("type") == kind:
                yield layer

    def _input(self, layer: Element) -> TensorSpec:
        data = layer.find("data")
        sizes = "" if data is None else data.get("shape", "")
        kind = "" if data is None else data.get("element_type", "")
        # A free axis stands there as ?, or as a range: 1..8.
        shape = tuple(int(size) if size.strip().isdigit() else -1 for size in sizes.split(",") if size.strip())
        # A free batch is 1, as the runtime sets it.
        shape = (1, *shape[1:]) if shape[:1] == (-1,) else shape
        return TensorSpec(name=layer.get("name", ""), shape=shape, dtype=self._dtype(kind, layer))

    def _output(self, layer: Element) -> TensorSpec:
        port = layer.find("input/port")
        if port is None:
            raise ModelError(f"{self.name}: the output {layer.get('name')!r} has no port.")
        shape = tuple(int(dim.text or "-1") for dim in port.iterfind("dim"))
        names = sorted(filter(None, layer.get("output_names", "").split(",")))
        name = names[0] if names else layer.get("name", "")
        return TensorSpec(name=name, shape=shape, dtype=self._dtype(port.get("precision", ""), layer))

    def _dtype(self, kind: str, layer: Element) -> str:
        if kind not in _TYPES:
            raise ModelError(f"{self.name}: {layer.get('name')!r} has the type {kind!r}, which edgerig does not feed.")
        return _TYPES[kind]

    def _scheme(self) -> str:
        """``int8`` where activations are quantized, else the type in which most weights are stored; ``dynamic`` where
        that is one of 8 bits or fewer.

        Small constants are shapes and scales, and none of the weights.
        """
        levels = {
            int(data.get("levels", "256")) for data in self._root.iterfind("layers/layer[@type='FakeQuantize']/data")
        }
        if levels:
            return "int8" if max(levels) <= 256 else "int16x8"
        stored: Counter[str] = Counter()
        for layer in self._layers("Const"):
            data = layer.find("data")
            if data is not None:
                stored[data.get("element_type", "")] += int(data.get("size", "0"))
        weights = {kind: size for kind, size in stored.items() if kind in _WEIGHTS}
        largest = max(weights, key=lambda kind: weights[kind], default="f32")
        return _SCHEMES.get(largest, "dynamic")


def read_ir(path: Path) -> IrFile:
    """The IR file ``path``."""
    return IrFile(path.read_bytes(), path.name)
