"""ncnn's files: layers out of the .param, weights in the .bin, and the ends in an .ends.json that edgerig writes.

The .param is text: a magic number, the numbers of layers and blobs, then a line for each layer with its type, its name,
how many blobs it takes and gives, their names, and its parameters as ``key=value``. It tells neither shapes nor types
of a network's inputs and outputs, nor whether ncnn's arrays hold the batch axis; the .ends.json does.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from edgerig.errors import ModelError
from edgerig.formats.base import Specification
from edgerig.tensors import TensorSpec

MAGIC = "7767517"
#: Largest .param in bytes: it has no weights.
LARGEST = 1 << 26
#: What stands before weights that are stored in float16.
_FLOAT16 = struct.pack("<I", 0x01306B47)
#: Layers that may compute in int8, and the key of the parameter that says so.
_INT8_KEYS = {"Convolution": 8, "Convolution1D": 8, "ConvolutionDepthWise": 8, "InnerProduct": 8, "Gemm": 18, "LSTM": 8,
              "GRU": 8, "RNN": 8, "MultiHeadAttention": 18, "Embed": 18}  # fmt: skip


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer: its type and name, the blobs that it takes and gives, its parameters by key."""

    kind: str
    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    parameters: Mapping[str, str]

    @property
    def is_int8(self) -> bool:
        """Whether its weights, and with them its arithmetic, are int8."""
        key = _INT8_KEYS.get(self.kind)
        return key is not None and self.parameters.get(str(key), "0") != "0"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of the network.

    Attributes:
        name: What it is called in the network that was compiled. blob: In ncnn's file.
        shape, dtype: Of one inference, batch axis included; -1 where only the engine knows.
        batch: The batch axis that ncnn's array lacks; None where it has it as a dimension.
    """

    name: str
    blob: str
    shape: tuple[int, ...]
    dtype: str
    batch: int | None = None

    @property
    def spec(self) -> TensorSpec:
        """As a tensor."""
        return TensorSpec(name=self.name, shape=self.shape, dtype=self.dtype)


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """What the .ends.json holds; ``weights``: bytes of the .bin, since ncnn does not notice one that was cut."""

    inputs: Annotated[tuple[End, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[End, ...], msgspec.Meta(min_length=1)]
    weights: int


class NcnnFile(msgspec.Struct, frozen=True):
    """A network's layers, its ends, and whether its weights are stored in float16."""

    layers: tuple[Layer, ...]
    ends: Ends
    float16: bool

    def specification(self) -> Specification:
        """Inputs, outputs and scheme."""
        return Specification(
            inputs=tuple(end.spec for end in self.ends.inputs),
            outputs=tuple(end.spec for end in self.ends.outputs),
            scheme="int8" if any(layer.is_int8 for layer in self.layers) else "float16" if self.float16 else "float32",
        )

    def operators(self) -> Counter[str]:
        """How often each type of layer occurs, without inputs and copies of references."""
        return Counter(layer.kind for layer in self.layers if layer.kind not in ("Input", "Split"))


def ends_file(path: Path) -> Path:
    """The file with the ends of the network ``path``."""
    return path.with_suffix(".ends.json")


def read_ncnn(path: Path) -> NcnnFile:
    """The network ``path``, a .param with the files beside it.

    Raises:
        ModelError: It is no such network, a file is missing or of another length, or the ends are of another network.
    """
    with path.open("rb") as stream:
        layers = read_layers(stream.read(LARGEST + 1), path.name)
    ends, weights = _read_ends(path), path.with_suffix(".bin")
    size = weights.stat().st_size
    if size != ends.weights:
        raise ModelError(
            f"{weights.name} has {size:,} B, and {ends.weights:,} B belong to {path.name}.",
            "Is it complete, and of this network?",
        )
    blobs = {blob for layer in layers for blob in layer.gives}
    unknown = [end.blob for end in (*ends.inputs, *ends.outputs) if end.blob not in blobs]
    if unknown:
        raise ModelError(f"{path.name} has no {unknown[0]!r}, which {ends_file(path).name} names.")
    return NcnnFile(layers, ends, _FLOAT16 in weights.read_bytes())


def read_layers(data: bytes, file: str) -> tuple[Layer, ...]:
    """The layers in the content of a .param.

    Raises:
        ModelError: It is no .param, or ends too early.
    """
    if len(data) > LARGEST:
        raise ModelError(f"{file} has more than {LARGEST:,} B; a .param has no weights, and is shorter.")
    lines = [line.split() for line in data.decode(errors="replace").splitlines() if line.strip()]
    try:
        if lines[:1] != [[MAGIC]]:
            raise ValueError(f"it does not begin with {MAGIC}")
        if len(lines) < 2:
            raise ValueError("it ends there")
        count, _ = (int(word) for word in lines[1])
        layers = tuple(_layer(words) for words in lines[2:])
    except ValueError as error:
        raise ModelError(f"{file} is no .param of ncnn: {error}.", "Is it complete?") from error
    if len(layers) != count:
        raise ModelError(f"{file} should have {count} layers, and has {len(layers)}.", "Is it complete?")
    return layers


def _layer(words: list[str]) -> Layer:
    if len(words) < 4:
        raise ValueError(f"the line of {words[-1]!r} is too short")
    kind, name, takes, gives = words[0], words[1], int(words[2]), int(words[3])
    blobs, rest = words[4 : 4 + takes + gives], words[4 + takes + gives :]
    if len(blobs) != takes + gives or min(takes, gives) < 0:
        raise ValueError(f"the line of {name!r} is too short")
    if not all("=" in word for word in rest):
        raise ValueError(f"the parameters of {name!r} are no pairs")
    parameters = dict(word.split("=", 1) for word in rest)
    return Layer(kind=kind, name=name, takes=tuple(blobs[:takes]), gives=tuple(blobs[takes:]), parameters=parameters)


def _read_ends(path: Path) -> Ends:
    file = ends_file(path)
    try:
        return msgspec.json.decode(file.read_bytes(), type=Ends)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path.name} lacks {file.name}, which tells its inputs and outputs.",
            "Compile the ONNX file with edgerig, `--to ncnn`, or write that file: docs/engines/ncnn.md.",
        ) from error
    except msgspec.MsgspecError as error:
        raise ModelError(f"{file.name} does not tell the ends of a network: {error}.") from error
