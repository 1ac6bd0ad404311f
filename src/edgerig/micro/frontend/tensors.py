"""The scales of a tensor of the file, checked; those of a type that is not quantized mean nothing."""

from __future__ import annotations

from edgerig.artifact import Quantization
from edgerig.errors import CompileError, ModelError
from edgerig.micro.arithmetic.requantize import RANGES
from edgerig.models.graph.types import Tensor

#: Types whose scale and zero point mean something.
QUANTIZED = frozenset({"int4", "int8", "uint8", "int16", "int32", "int64"})

#: Scales below it, and those above its reciprocal, are those of no real network.
SMALLEST_SCALE = 1e-37


def quantization_of(tensor: Tensor) -> Quantization | None:
    """What is to be believed of a tensor's quantization; None for types that are not quantized.

    Raises:
        ModelError: Scales and zero points do not fit the tensor's shape or type.
        CompileError: It is quantized in blocks, or in another way that the compiler does not know.
    """
    if tensor.dtype not in QUANTIZED:
        return None
    called = f"Tensor {tensor.index} ({tensor.name})"
    if tensor.quantization_details:
        raise CompileError(
            f"{called} is quantized by {tensor.quantization_details}, which the C compiler does not know.",
            "Quantize it as a whole, or channel by channel.",
        )
    quantization = tensor.quantization
    if quantization is None:
        return None
    if quantization.per_channel:
        channels = (
            tensor.shape[quantization.axis]
            if quantization.axis is not None and 0 <= quantization.axis < len(tensor.shape)
            else 1
        )
        if len(quantization.scales) != channels:
            raise ModelError(
                f"{called} has {len(quantization.scales)} scales for {channels} channels.",
                "Quantize the network again.",
            )
    if not all(SMALLEST_SCALE < scale < 1 / SMALLEST_SCALE for scale in quantization.scales):
        raise ModelError(f"{called} has a scale that is not above 0, or no number.")
    low, high = RANGES.get(tensor.dtype, (0, 0))
    if not all(low <= zero <= high for zero in quantization.zero_points):
        raise ModelError(f"{called} has a zero point that its type does not have.")
    if tensor.dtype == "int16" and any(quantization.zero_points):
        raise CompileError(
            f"{called} is int16 and has the zero point {next(filter(None, quantization.zero_points))}.",
            "Integers of 16 bits are quantized symmetrically, with the zero point 0: quantize the network again.",
        )
    return quantization
