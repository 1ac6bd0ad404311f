"""LiteRT's per-operator profile, through the C interface of the library in its wheel.

LiteRT's Python interface has no profiler, but ``libLiteRt.so`` does. Its C interface is not stable and a wrong call
ends the process, so that this runs in a separate process (``python -m edgerig.runtimes.litert_profile``) and only
with versions of the wheel whose interface is known.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.installed import version
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array
from edgerig.runtimes.operator_times import operator_time

#: Versions of ai-edge-litert for which the calls below were tested.
KNOWN_VERSIONS = ("2.3.0",)
#: Seconds after which the child is ended.
TIMEOUT = 120.0
WARM_UP = 5
METHOD = (
    "LiteRT's own profiler in a process of its own, with XNNPACK and the same threads; mean of all runs, each up to "
    "1 us too short"
)

_CPU = 1
_LOCK_WRITE = 1
#: Size reserved for a LiteRtRankedTensorType, which is smaller.
_TYPE_BYTES = 512

#: A row of the profile's first table: type, start, first, average in ms, share, cumulated share, memory, calls, name.
_ROW = re.compile(
    r"^\s*(?P<op>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<ms>[\d.]+)\s+(?P<share>[\d.]+)%\s+[\d.]+%\s+[\d.]+\s+(?P<calls>\d+)"
    r"\s+\[(?P<kind>\w+)\]:(?P<number>\d+)\s*$"
)
_TOTAL = re.compile(r"^Timings \(microseconds\):.*\bcurr=(\d+)", re.MULTILINE)


def profile(
    path: Path, threads: int, specs: Sequence[TensorSpec], samples: Sequence[Array]
) -> list[LayerTime] | Unavailable:
    """Profile the network ``path`` in a child process.

    Args:
        specs: The inputs.
        samples: For each input an array (n, 1, ...) of that input's dtype.
    """
    installed = version("ai-edge-litert")
    if installed not in KNOWN_VERSIONS:
        known = ", ".join(KNOWN_VERSIONS)
        return Unavailable(
            f"LiteRT {installed} has no profiler for Python, and its library's is known for {known} only"
        )
    with tempfile.TemporaryDirectory(prefix="edgerig-profile-") as folder:
        given, answer = Path(folder) / "inputs.npz", Path(folder) / "profile.json"
        arrays: dict[str, Any] = {f"input{index}": array for index, array in enumerate(samples)}
        np.savez(given, **arrays)
        names = json.dumps([spec.name for spec in specs])
        command = [sys.executable, "-m", __name__, str(path), str(threads), str(given), names, str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return Unavailable(f"LiteRT's profiler took longer than {TIMEOUT:.0f} s")
        except OSError as error:
            return Unavailable(f"LiteRT's profiler could not be started: {error}")
        if done.returncode != 0 or not answer.exists():
            words = done.stderr.decode(errors="replace").strip().splitlines()
            return Unavailable(f"LiteRT's profiler failed: {words[-1] if words else f'exit code {done.returncode}'}")
        return parse_summary(json.loads(answer.read_text()))


#: What ran an operator: the delegate that the profiler is given, or a kernel of LiteRT itself.
DELEGATE, BUILTIN = "XNNPACK", "LiteRT's own kernels"


def parse_summary(text: str) -> list[LayerTime] | Unavailable:
    """The operators in LiteRT's text table, in the order of execution."""
    table = text.partition("Run Order")[2].partition("Top by Computation Time")[0]
    rows = [match for match in map(_ROW.match, table.splitlines()) if match]
    if not rows:
        return Unavailable("LiteRT's profiler recorded no operator")
    total = _TOTAL.search(text)
    total_us = float(total[1]) if total else None
    return [
        LayerTime(
            index=index,
            name=f"{row['kind']}:{row['number']}",
            op=row["op"].removeprefix("Delegate/"),
            placement=DELEGATE if row["kind"] == "Delegate" else BUILTIN,
            time=_time(row, total_us),
        )
        for index, row in enumerate(rows)
    ]


def _time(row: re.Match[str], total_us: float | None) -> Quantity:
    calls, us = int(row["calls"]), float(row["ms"]) * 1e3
    # The average has three digits after the point, whole microseconds; the share of the total is finer.
    if total_us is not None and calls:
        finer = float(row["share"]) / 100 * total_us / calls
        us = finer if abs(finer - us) <= 1.0 else us
    return operator_time(us * 1e-6, METHOD, "LiteRT's steady clock", calls)


# ---- executed in the child


class _Library:
    """The functions of the library; a status other than 0 raises."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("ai_edge_litert")
        if spec is None or spec.origin is None:
            raise RuntimeError("ai_edge_litert is not installed")
        self._library = ctypes.CDLL(str(Path(spec.origin).with_name("libLiteRt.so")))

    def __call__(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} gave status {status}")

    def make(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument receives the created object."""
        handle = ctypes.c_void_p()
        self(name, *arguments, ctypes.byref(handle))
        return handle


def summary(path: Path, threads: int, names: Sequence[str], samples: Sequence[Array]) -> str:
    """LiteRT's text tables for one run per sample. May crash the process."""
    call = _Library()
    content = path.read_bytes()
    memory = ctypes.create_string_buffer(content, len(content))
    environment = call.make("LiteRtCreateEnvironment", 0, None)
    model = call.make("LiteRtCreateModelFromBuffer", environment, memory, ctypes.c_size_t(len(content)))
    compiled = call.make("LiteRtCreateCompiledModel", environment, model, _options(call, threads))
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
    for sample in range(len(samples[0])):
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


def _write(call: _Library, buffer: ctypes.c_void_p, sample: Array) -> None:
    size = ctypes.c_size_t()
    call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
    if size.value != sample.nbytes:
        raise RuntimeError(f"an input takes {size.value} bytes, not {sample.nbytes}")
    address = ctypes.c_void_p()
    call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _LOCK_WRITE)
    ctypes.memmove(address, np.ascontiguousarray(sample).ctypes.data, sample.nbytes)
    call("LiteRtUnlockTensorBuffer", buffer)


def main(arguments: Sequence[str]) -> None:
    """``PATH THREADS INPUTS.npz NAMES.json ANSWER.json``: profile and write LiteRT's text."""
    path, threads, given, names, answer = arguments
    with np.load(given) as arrays:
        samples = [arrays[f"input{index}"] for index in range(len(arrays.files))]
    Path(answer).write_text(json.dumps(summary(Path(path), int(threads), json.loads(names), samples)))


if __name__ == "__main__":
    main(sys.argv[1:])
