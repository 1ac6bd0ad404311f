"""The process that profiles a network with LiteRT, for `edgerig.runtimes.litert_profile`:
``python -I -S litert_profiler.py REQUEST.json ANSWER.txt``.

It imports neither numpy nor edgerig, whose imports would take longer than the profile.
"""

from __future__ import annotations

import ctypes
import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

WARM_UP = 5
_CPU = 1
_LOCK_WRITE = 1
#: Size reserved for a LiteRtRankedTensorType, which is smaller.
_TYPE_BYTES = 512


class _Library:
    """The functions of the library; a status other than 0 raises."""

    def __init__(self, path: str | None) -> None:
        if path is None:
            raise RuntimeError("ai_edge_litert is not installed")
        self._library = ctypes.CDLL(path)

    def __call__(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} gave status {status}")

    def make(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument receives the created object."""
        handle = ctypes.c_void_p()
        self(name, *arguments, ctypes.byref(handle))
        return handle


def summary(asked: dict[str, Any]) -> str:
    """LiteRT's text tables for one run per sample. May crash the process."""
    call = _Library(asked["library"])
    names, count = [name for name, _ in asked["inputs"]], asked["samples"]
    samples = [_parts(_content(path), count) for _, path in asked["inputs"]]
    content = _content(asked["network"])
    memory = ctypes.create_string_buffer(content, len(content))
    environment = call.make("LiteRtCreateEnvironment", 0, None)
    model = call.make("LiteRtCreateModelFromBuffer", environment, memory, ctypes.c_size_t(len(content)))
    compiled = call.make("LiteRtCreateCompiledModel", environment, model, _options(call, asked["threads"]))
    signature = call.make("LiteRtGetModelSignature", model, ctypes.c_size_t(0))
    inputs, input_names = _buffers(call, environment, compiled, signature, "Input")
    outputs, _ = _buffers(call, environment, compiled, signature, "Output")
    # The order of the inputs in a signature may differ from the graph's.
    order = [names.index(name) for name in input_names] if sorted(names) == sorted(input_names) else range(len(names))
    zero, counts = ctypes.c_size_t(0), (ctypes.c_size_t(len(inputs)), ctypes.c_size_t(len(outputs)))

    def run(sample: int) -> None:
        for buffer, position in zip(inputs, order, strict=True):
            _write(call, ctypes.c_void_p(buffer), samples[position][sample])
        call("LiteRtRunCompiledModel", compiled, zero, counts[0], inputs, counts[1], outputs)

    for _ in range(WARM_UP):
        run(0)
    profiler = call.make("LiteRtCompiledModelGetProfiler", compiled)
    call("LiteRtStartProfiler", profiler)
    for sample in range(count):
        run(sample)
    call("LiteRtStopProfiler", profiler)
    text = ctypes.c_char_p()
    call("LiteRtGetProfileSummary", profiler, compiled, ctypes.byref(text))
    return (text.value or b"").decode(errors="replace")


def _options(call: _Library, threads: int) -> ctypes.c_void_p:
    options = call.make("LiteRtCreateOptions")
    call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
    libc = ctypes.CDLL(None)
    libc.strdup.restype, libc.strdup.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    for name, toml in (
        (b"runtime_options_string", b"enable_profiling = true\n"),
        (b"xnnpack", b"num_threads = %d\n" % threads),
    ):
        # The library provides the function that frees the text.
        text = ctypes.c_void_p(libc.strdup(toml))
        opaque = call.make("LiteRtCreateOpaqueOptions", name, text, ctypes.cast(libc.free, ctypes.c_void_p))
        call("LiteRtAddOpaqueOptions", options, opaque)
    return options


def _buffers(
    call: _Library, environment: ctypes.c_void_p, compiled: ctypes.c_void_p, signature: ctypes.c_void_p, side: str
) -> tuple[ctypes.Array[ctypes.c_void_p], list[str]]:
    """A buffer for each tensor of one side of the signature, and the tensors' names."""
    count = ctypes.c_size_t()
    call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(count))
    buffers, names = (ctypes.c_void_p * count.value)(), []
    for index in range(count.value):
        position = ctypes.c_size_t(index)
        tensor = call.make(f"LiteRtGetSignature{side}TensorByIndex", signature, position)
        name, kind = ctypes.c_char_p(), ctypes.create_string_buffer(_TYPE_BYTES)
        call("LiteRtGetTensorName", tensor, ctypes.byref(name))
        call("LiteRtGetRankedTensorType", tensor, kind)
        needs = call.make(f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, ctypes.c_size_t(0), position)
        buffers[index] = call.make("LiteRtCreateManagedTensorBufferFromRequirements", environment, kind, needs).value
        names.append((name.value or b"").decode(errors="replace"))
    return buffers, names


def _write(call: _Library, buffer: ctypes.c_void_p, sample: bytes) -> None:
    size = ctypes.c_size_t()
    call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
    if size.value != len(sample):
        raise RuntimeError(f"an input takes {size.value} bytes, not {len(sample)}")
    address = ctypes.c_void_p()
    call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _LOCK_WRITE)
    ctypes.memmove(address, sample, len(sample))
    call("LiteRtUnlockTensorBuffer", buffer)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than this file to read
        return file.read()


def _parts(content: bytes, count: int) -> list[bytes]:
    """``content`` in ``count`` parts of equal length."""
    size = len(content) // count
    return [content[start * size : (start + 1) * size] for start in range(count)]


def main(arguments: Sequence[str]) -> None:
    """``REQUEST.json ANSWER.txt``: profile, and write LiteRT's text."""
    request, answer = arguments
    text = summary(json.loads(_content(request)))
    with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
