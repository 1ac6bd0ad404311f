"""Engine files of TensorRT: a plan, behind what it is bound to: the device and version that built it.

The file is `MAGIC`, the length of the header as 4 bytes (little endian), the header in JSON, and the plan.
"""

from __future__ import annotations

import struct

import msgspec

from edgerig.artifact import TensorSpec
from edgerig.errors import ModelError

MAGIC = b"edgerig TensorRT\n"
_LENGTH = struct.Struct("<I")
#: Longest header, in bytes.
_LONGEST = 1 << 20


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is bound to, and what it takes and gives.

    Attributes:
        version: Of TensorRT. device: The GPU's name. capability: Its compute capability, such as ``8.7``.
        precision: The type that was asked for: ``float32``, ``float16`` or ``int8``.
        bytes: Of the plan.
    """

    version: str
    device: str
    capability: str
    precision: str
    bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def packed(bound: Bound, plan: bytes) -> bytes:
    """An engine file."""
    header = msgspec.json.encode(bound)
    return MAGIC + _LENGTH.pack(len(header)) + header + plan


def unpacked(data: bytes, name: str) -> tuple[Bound, bytes]:
    """What the engine file ``data`` is bound to, and its plan.

    Raises:
        ModelError: It is none, or was cut short.
    """
    hint = "Compile it again on the device: edgerig compile net.onnx --to tensorrt."
    if not data.startswith(MAGIC):
        raise ModelError(f"{name} is no engine file of edgerig's compiler tensorrt.", hint)
    start = len(MAGIC) + _LENGTH.size
    try:
        (length,) = _LENGTH.unpack_from(data, len(MAGIC))
        if length > _LONGEST:
            raise ModelError(f"{name} is damaged: its header is said to have {length:,} bytes.", hint)
        bound = msgspec.json.decode(data[start : start + length], type=Bound)
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} is damaged: {error}.", hint) from error
    plan = data[start + length :]
    if len(plan) != bound.bytes:
        raise ModelError(f"{name} is damaged: {len(plan):,} bytes of a plan of {bound.bytes:,} are there.", hint)
    return bound, plan


def why_not_here(bound: Bound, version: str, device: str, capability: str) -> str | None:
    """Why the plan does not run on that version and device, or None."""
    if (bound.device, bound.capability) != (device, capability):
        return (
            f"was built for {bound.device} (compute capability {bound.capability}); this device is {device} "
            f"({capability})"
        )
    if bound.version != version:
        return f"was built by TensorRT {bound.version}; this is {version}"
    return None
