"""The thing that travels: a deployable file with its tensors, its preprocessing and where it came from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from edgerig import files
from edgerig.errors import ModelError
from edgerig.external_data import self_contained

T = TypeVar("T")

#: Suffix to format of the files that edgerig takes as they are.
FORMATS = {".h5": "keras", ".hdf5": "keras", ".keras": "keras", ".tflite": "tflite", ".onnx": "onnx", ".h": "c-array"}

ITEM_SIZES = {
    "float32": 4, "float16": 2, "float64": 8, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
}  # fmt: skip


#: Order of the axes of a batch of images: channels last, or channels first.
Layout = Literal["nhwc", "nchw"]


class Quantization(msgspec.Struct, frozen=True):
    """Affine quantization, real = scale * (q - zero_point), per tensor or per channel of ``axis``.

    Who needs one scale asks for `scale` and `zero_point`, which refuse a tensor that has one a channel; who knows
    channels takes `scales` and `zero_points` as wholes, spread over the tensor's axes by `spread`.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def per_channel(self) -> bool:
        """Has more than one scale or zero point."""
        return len(self.scales) > 1 or len(self.zero_points) > 1

    @property
    def scale(self) -> float:
        """The scale of a tensor that is quantized as a whole.

        Raises:
            ModelError: There is one a channel, or none.
        """
        return _only(self.scales, "scale")

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that is quantized as a whole.

        Raises:
            ModelError: There is one a channel, or none.
        """
        return _only(self.zero_points, "zero point")

    def spread(self, rank: int) -> tuple[int, ...]:
        """The shape in which scales and zero points broadcast over a tensor of ``rank`` axes; () for one scale.

        Raises:
            ModelError: There are several, and the tensor has no such axis.
        """
        if not self.per_channel:
            return ()
        count = len(self.scales)
        if self.axis is None or not -rank <= self.axis < rank or len(self.zero_points) != count:
            raise ModelError(
                f"{count} scales and {len(self.zero_points)} zero points along axis {self.axis} do not fit a tensor "
                f"of {rank} axes.",
                "Quantize the network again.",
            )
        return tuple(count if axis == self.axis % rank else 1 for axis in range(rank))


def _only(values: tuple[T, ...], what: str) -> T:
    if len(values) != 1:
        raise ModelError(
            f"One {what} is needed, and the tensor has {len(values) or 'none'}.",
            "Quantize the tensor as a whole, not channel by channel.",
        )
    return values[0]


class TensorSpec(msgspec.Struct, frozen=True):
    """An input or output tensor: name, shape (batch included), numpy dtype name and quantization.

    An axis of size -1 is one that only the engine knows, or that is still to be set. ``layout`` of an input for images
    is ``"nhwc"`` (channels last, as datasets give them) or ``"nchw"`` (channels first); it is left out where nobody
    said it and it does not follow from the shape.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    layout: Layout | msgspec.UnsetType = msgspec.UNSET

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def batch(self) -> int:
        """Samples that one inference takes: the first axis."""
        return self.shape[0] if self.shape else 1

    @property
    def call_shape(self) -> tuple[int, ...]:
        """What of the shape belongs to one inference as it is counted and sent: all but a batch axis of 1."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.elements * ITEM_SIZES[self.dtype]


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a raw sample (H, W, C) as the dataset yields it to the network's real-valued input.

    ``x = (raw * scale - mean) / std`` per channel, after resizing to ``resize`` (height, width) where given.
    It is stored with the artifact and hashed, so that host and device cannot differ. Quantizing the result to
    an integer input is not part of it: that follows from the input's `Quantization`.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: tuple[int, int] | None = None

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the declaration."""
        return files.digest(self)[:16]

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a sample of the shape ``shape``, (H, W, C) for an image, after resizing."""
        return (*self.resize, *shape[2:]) if self.resize and len(shape) > 2 else shape


class Origin(msgspec.Struct, frozen=True):
    """What made an artifact: the compiler, its options, the parent's SHA-256 and the library versions."""

    tool: str
    options: dict[str, Any] = {}
    parent: str | None = None
    versions: dict[str, str] = {}
    seconds: float | None = None


class Artifact(msgspec.Struct, frozen=True):
    """A deployable file. ``path`` tells where this copy lies and is no part of its identity.

    ``left_out`` names outputs that are no tensors of numbers, with their types: they are neither read nor compared.
    ``judged_output`` is the place of the one among ``outputs`` that is judged.
    """

    name: str
    format: str
    sha256: str
    size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    path: str
    preprocessing: Preprocessing = Preprocessing()
    classes: tuple[str, ...] = ()
    scheme: str = "float32"
    origins: tuple[Origin, ...] = ()
    left_out: tuple[str, ...] = ()
    judged_output: int = 0

    def read(self) -> bytes:
        """The bytes of the file, checked against its hash; of an ONNX file with its external data inside.

        Raises:
            ModelError: The file is gone, or changed since the artifact was made.
        """
        path = Path(self.path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"Cannot read {self.path}: {error.strerror}.") from error
        if self.format == "onnx":
            data = self_contained(data, path)
        if files.sha256(data) != self.sha256:
            raise ModelError(f"{self.path} is not the file it was: its SHA-256 differs.", "Make the artifact again.")
        return data

    def save(self) -> Path:
        """Write the description beside the file, as ``<file>.json``; returns that path."""
        sidecar = sidecar_path(Path(self.path))
        files.write_json(sidecar, msgspec.structs.replace(self, path=Path(self.path).name))
        return sidecar

    @staticmethod
    def load(sidecar: Path) -> Artifact:
        """Read a description written by `save`.

        Raises:
            ModelError: The description is missing or not one of ours.
        """
        try:
            artifact = msgspec.json.decode(sidecar.read_bytes(), type=Artifact)
        except OSError as error:
            raise ModelError(f"Cannot read {sidecar}: {error.strerror}.") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError(f"{sidecar} does not describe an artifact: {error}.") from error
        return msgspec.structs.replace(artifact, path=str(sidecar.parent / artifact.path))


def sidecar_path(path: Path) -> Path:
    """Where the description of the artifact file ``path`` lies."""
    return path.with_name(path.name + ".json")


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for.

    Raises:
        ModelError: The suffix stands for none; says what the file is where that is known, and how to export it.
    """
    found = FORMATS.get(path.suffix.lower())
    if path.is_dir():
        raise _folder(path)
    if found is None or found == "c-array":
        what, hint = _OTHERS.get(path.suffix.lower(), ("not a model file that edgerig knows", _KNOWN))
        raise ModelError(f"{path.name}: {what}.", hint.format(path=path))
    return found


_KNOWN = "Use a .keras, .h5, .tflite or .onnx file."
_FROM_SAVED_MODEL = (
    "With TensorFlow installed, export it to TFLite: python -c \"import tensorflow as tf; open('model.tflite', 'wb')"
    ".write(tf.lite.TFLiteConverter.from_saved_model('{path}').convert())\""
)
_FROM_TORCH = "Export the network: torch.onnx.export(model, sample, 'model.onnx')."
#: What files with other suffixes usually are, and how to come by one that edgerig takes.
_OTHERS = {
    ".pb": (
        "a graph of TensorFlow, which edgerig does not read",
        "If it lies in a SavedModel, export that folder: tf.lite.TFLiteConverter.from_saved_model(folder). "
        "A frozen graph goes by way of tf.compat.v1.lite.TFLiteConverter.from_frozen_graph.",
    ),
    **dict.fromkeys(
        (".pt", ".pth"),
        (
            "a file of PyTorch, which edgerig does not read",
            "Export the network: torch.onnx.export(model, x, 'x.onnx').",
        ),
    ),
}


def _folder(path: Path) -> ModelError:
    if (path / "saved_model.pb").is_file():
        return ModelError(
            f"{path.name} is a SavedModel of TensorFlow, which edgerig does not read.",
            _FROM_SAVED_MODEL.format(path=path),
        )
    return ModelError(f"{path.name} is a folder, not a model file.", _KNOWN)
