"""Input and output tensors of a network: shape, type and quantization."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from edgerig.errors import ModelError

T = TypeVar("T")

#: Bytes per element of each type that a network's input or output may have.
ITEM_SIZES = {
    "float32": 4, "float16": 2, "float64": 8, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
}  # fmt: skip

#: Schemes of networks whose numbers nobody has shortened: they can be what others are compared with.
ORIGINAL_SCHEMES = frozenset({"float32", "float64"})

#: Order of the axes of a batch of images: channels last, or channels first.
Layout = Literal["nhwc", "nchw"]


class Quantization(msgspec.Struct, frozen=True):
    """Affine quantization, ``real = scale * (q - zero_point)``, per tensor or per channel of ``axis``.

    As in TFLite's quantization specification (ai.google.dev/edge/litert/models/quantization_spec). Code for per-tensor
    quantization uses `scale` and `zero_point`, which refuse a per-channel tensor; code for per-channel quantization
    uses `scales` and `zero_points`, broadcast over the tensor's axes by `spread`.

    Attributes:
        scales: One, or one for each channel; above 0.
        zero_points: As many, within the range of the tensor's dtype.
        axis: The axis of the channels; None where there is one scale.

    >>> whole = Quantization((0.5,), (-10,))
    >>> whole.scale * (-8 - whole.zero_point)  # the real number that -8 stands for
    1.0
    >>> channels = Quantization((0.5, 0.25), (0, 0), axis=0)
    >>> channels.per_channel, channels.spread(4)
    (True, (2, 1, 1, 1))
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
        """The scale of a tensor with per-tensor quantization.

        Raises:
            ModelError: There is one per channel, or none.
        """
        return _only(self.scales, "scale")

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor with per-tensor quantization.

        Raises:
            ModelError: There is one per channel, or none.
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
        if self.axis is None:
            raise ModelError(
                f"A tensor has {count} scales, which are not those of its channels: they are of blocks, or of several "
                "operators that read it.",
                "Quantize the tensor as a whole, or channel by channel.",
            )
        if not -rank <= self.axis < rank or len(self.zero_points) != count:
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

    An axis of size -1 is known only to the engine, or still to be set. ``layout`` of an input for images is ``"nhwc"``
    (channels last, as datasets provide them) or ``"nchw"`` (channels first); it is missing where it was neither
    declared nor follows from the shape.

    >>> image = TensorSpec("image", (1, 28, 28, 1), "float32")
    >>> image.batch, image.elements, image.nbytes, image.call_shape
    (1, 784, 3136, (28, 28, 1))
    >>> TensorSpec("batch", (8, 10), "int8").call_shape  # a batch of eight is one inference
    (8, 10)
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
        """Samples per inference: the first axis."""
        return self.shape[0] if self.shape else 1

    @property
    def call_shape(self) -> tuple[int, ...]:
        """The shape of one inference as it is counted and sent: all but a batch axis of 1."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.elements * ITEM_SIZES[self.dtype]


def why_not_carried(
    state: Mapping[str, str], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> str | None:
    """Why outputs of a network cannot be inputs of the next inference; None if all can.

    Args:
        state: For each input that is one, the name of the output that it comes from.
        inputs, outputs: All of the network's.

    >>> ends = [TensorSpec(name, (1, 4), "float32") for name in ("h_in", "h_out", "x")]
    >>> why_not_carried({"h_in": "h_out"}, [ends[0], ends[2]], ends[1:2])
    >>> why_not_carried({"h_in": "h_out"}, [ends[0], ends[2]], [TensorSpec("h_out", (1, 8), "float32")])
    "'h_out' has the shape [1, 8], and 'h_in' [1, 4]"
    """
    ins, outs = {spec.name: spec for spec in inputs}, {spec.name: spec for spec in outputs}
    for name, output in state.items():
        if name not in ins:
            return f"{name!r} is no input; there are {', '.join(ins)}"
        if output not in outs:
            return f"{output!r} is no output; there are {', '.join(outs)}"
        into, out = ins[name], outs[output]
        if not _may_equal(into.shape, out.shape):
            return f"{output!r} has the shape {list(out.shape)}, and {name!r} {list(into.shape)}"
        for what in ("dtype", "quantization"):
            if getattr(into, what) != getattr(out, what):
                return f"{output!r} and {name!r} differ in {what}: {_as_text(out, what)} and {_as_text(into, what)}"
    if len(state) == len(ins):
        return "no input is left that a sample could be given to"
    return None


def _may_equal(shape: Sequence[int], partly_known: Sequence[int]) -> bool:
    """Whether a shape may turn out to be another, in which -1 is an axis that only the engine knows."""
    if tuple(partly_known) == (-1,):
        return True
    return len(shape) == len(partly_known) and all(b in (a, -1) for a, b in zip(shape, partly_known, strict=True))


def _as_text(spec: TensorSpec, what: str) -> str:
    if what == "dtype" or spec.quantization is None:
        return spec.dtype if what == "dtype" else "none"
    return f"scale {spec.quantization.scales[0]:.6g}, zero point {spec.quantization.zero_points[0]}"
