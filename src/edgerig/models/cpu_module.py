"""Networks that a compiler has made machine code of, for one processor: what they are bound to stands at their end.

The file is what the engine's own tools read (an IREE module, a shared library of TVM); both ignore what follows it.
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec

from edgerig.artifact import TensorSpec
from edgerig.errors import ModelError
from edgerig.measure import cpu_features

MAGIC = b"edgerig CPU module\n"
_LENGTH = struct.Struct("<I")
#: Longest description, in bytes.
_LONGEST = 1 << 24


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """A function of a module that computes a part of the network.

    Attributes:
        name: As the engine calls it, also in its profiles.
        op: What it computes, such as ``matmul``. dtype: Of its arithmetic, empty where the engine does not tell.
    """

    name: str
    op: str
    dtype: str = ""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What a module is bound to, and what it takes and gives.

    Attributes:
        engine: ``iree`` or ``tvm``. version: Of the compiler.
        triple: Such as ``aarch64-linux-gnu``. cpu: LLVM's name of the processor: ``cortex-a72``, ``generic``.
        features: The instruction sets that it may use, by LLVM's names.
        scheme: Of the network it was made from. function: What an inference calls. bytes: Of the module.
        kernels: Its functions; empty where the compiler does not tell.
    """

    engine: str
    version: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    scheme: str
    function: str
    bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    kernels: tuple[Kernel, ...] = ()

    @property
    def machine(self) -> str:
        """``x86_64``, ``aarch64``."""
        return cpu_features.architecture(self.triple)

    @property
    def processor(self) -> str:
        """For people: ``aarch64 (cortex-a72)``."""
        return f"{self.machine} ({self.cpu})"


def packed(bound: Bound, module: bytes) -> bytes:
    """The file of a module."""
    description = msgspec.json.encode(bound)
    return module + description + _LENGTH.pack(len(description)) + MAGIC


def unpacked(data: bytes, name: str, engine: str) -> tuple[Bound, bytes]:
    """What the file ``data`` is bound to, and the module.

    Raises:
        ModelError: It is none of that engine, or was cut short.
    """
    hint = f"Compile the network again: edgerig compile net.onnx --to {engine}."
    if not data.endswith(MAGIC):
        raise ModelError(
            f"{name} is no whole file of edgerig's compiler {engine}, which says for which processor it is.", hint
        )
    end = len(data) - len(MAGIC) - _LENGTH.size
    try:
        (length,) = _LENGTH.unpack_from(data, end)
        if length > min(_LONGEST, end):
            raise ModelError(f"{name} is damaged: its description is said to have {length:,} bytes.", hint)
        bound = msgspec.json.decode(data[end - length : end], type=Bound)
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} is damaged: {error}.", hint) from error
    if bound.engine != engine:
        raise ModelError(f"{name} was compiled for {bound.engine}, not for {engine}.", hint)
    if bound.bytes != end - length:
        raise ModelError(f"{name} is damaged: {end - length:,} bytes of a module of {bound.bytes:,} are there.", hint)
    return bound, data[: end - length]


def why_not_here(bound: Bound, root: Path = Path("/")) -> str | None:
    """Why this machine's processor cannot run the module, or None; ``root`` as in `edgerig.measure.linux`."""
    here = cpu_features.architecture()
    if bound.machine != here:
        return f"is machine code for {bound.processor}; this processor is {here}"
    missing = cpu_features.lacking(here, bound.features, root)
    if missing:
        return f"is machine code for {bound.processor}; this processor lacks {', '.join(missing)}"
    return None


def other_settings(engine: str) -> str:
    """How to compile for another processor."""
    return (
        f"Compile it for this one: edgerig compile net.onnx --to {engine} --option cpu=generic (or the name of the "
        "processor); for another architecture also --option triple=aarch64-linux-gnu."
    )
