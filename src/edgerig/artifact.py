"""The artifact: a deployable file with its tensors, its preprocessing and its origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from edgerig import files, formats
from edgerig.errors import ModelError
from edgerig.tensors import ITEM_SIZES, Layout, Quantization, TensorSpec

__all__ = [
    "ITEM_SIZES",
    "UNTRAINED",
    "WARNING",
    "ZERO_WEIGHTS",
    "Artifact",
    "Layout",
    "Origin",
    "Preprocessing",
    "Quantization",
    "TensorSpec",
    "sidecar_path",
]


#: Option of a training's `Origin` where it had no epoch: the weights are those that the network was built with.
UNTRAINED = "untrained"


#: Option of a compiler's `Origin`: the shares of weights that were 0 before it and after, of a network that was pruned.
ZERO_WEIGHTS = "zero_weights"


#: Option of an `Origin`: what to be warned of at every number of the artifact and of what is made of it.
WARNING = "warning"


#: How an image of another aspect ratio fits into a size, see `Preprocessing`.
Fit = Literal["stretch", "letterbox", "crop", "center"]


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a raw sample (H, W, C) as the dataset yields it to the network's real-valued input.

    ``x = (raw * scale - mean) / std`` per channel, after resizing to ``resize`` (height, width) where given. By ``fit``
    the image is stretched to that size; made as large as fits into it, with ``fill`` around (letterbox); made as small
    as covers it, and cropped at its middle; or, unchanged in scale, put in its middle, padded or cropped (center).
    ``standardize`` makes the mean of each sample 0 and its standard deviation 1, at last.

    It is stored with the artifact and hashed, so that host and device cannot differ. Quantization to an integer input
    is not part of it: that follows from the input's `Quantization`.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: tuple[int, int] | None = None
    fit: Fit = "stretch"
    fill: float = 0.0
    standardize: bool = False

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the declaration; of those that are younger only what is in use."""
        usual = Preprocessing()
        younger = ("fit", "fill", "standardize")
        declared = {
            name: value
            for name, value in msgspec.to_builtins(self).items()
            if name not in younger or value != getattr(usual, name)
        }
        return files.digest(declared)[:16]

    def shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a sample of the shape ``shape``, (H, W, C) for an image, after resizing.

        >>> Preprocessing(resize=(96, 128)).shape_of((480, 640, 3))
        (96, 128, 3)
        """
        return (*self.resize, *shape[2:]) if self.resize and len(shape) > 2 else shape


class Origin(msgspec.Struct, frozen=True):
    """How an artifact was made: the compiler, its options, the parent's SHA-256 and the library versions."""

    tool: str
    options: dict[str, Any] = {}
    parent: str | None = None
    versions: dict[str, str] = {}
    seconds: float | None = None

    @property
    def zero_weights(self) -> tuple[float, float] | None:
        """The shares of weights that were 0 before this step and after it; None where its record has no such."""
        match self.options.get(ZERO_WEIGHTS):
            case [float() | int() as before, float() | int() as after]:
                return float(before), float(after)
        return None


class Artifact(msgspec.Struct, frozen=True):
    """A deployable network: one file, several, or a folder, depending on its format.

    ``path`` is the location of this copy (of several files the one that names the others) and no part of its identity.
    ``sha256`` is the digest of the payload (`edgerig.formats.Format.payload`), for one file its own; ``size`` is the
    total of all files, in bytes.

    ``left_out`` names outputs that are no tensors of numbers, with their types: they are neither read nor compared.
    ``judged_output`` is the index in ``outputs`` of the output that is scored; ``output_named`` says whether
    the user named it. ``format_options`` are the settings of the format's plugin with which the file is read.
    ``state`` names inputs of the file that take an output of the inference before, {input: output}; they are not among
    ``inputs``.
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
    output_named: bool = False
    format_options: dict[str, Any] = {}
    state: dict[str, str] = {}

    @property
    def untrained(self) -> bool:
        """Whether it comes from a training without an epoch, so that its answers mean nothing."""
        return any(origin.options.get(UNTRAINED) is True for origin in self.origins)

    @property
    def file_format(self) -> formats.Format:
        """The plugin of its format, with its settings.

        Raises:
            UnknownNameError: It is not installed.
        """
        return formats.named(self.format, self.format_options)

    def read(self) -> bytes:
        """The payload, checked against its hash: the bytes of the file, or of several files in one.

        Raises:
            ModelError: A file is gone, or changed since the artifact was made.
            UnknownNameError: The plugin of its format is not installed.
        """
        data = self.file_format.payload(Path(self.path))
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
            ModelError: The description is missing or not one of edgerig's.
        """
        try:
            artifact = msgspec.json.decode(sidecar.read_bytes(), type=Artifact)
        except OSError as error:
            raise ModelError(f"Cannot read {sidecar}: {error.strerror}.") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError(f"{sidecar} does not describe an artifact: {error}.") from error
        return msgspec.structs.replace(artifact, path=str(sidecar.parent / artifact.path))


def sidecar_path(path: Path) -> Path:
    """The path of the description of the artifact file ``path``."""
    return path.with_name(path.name + ".json")
