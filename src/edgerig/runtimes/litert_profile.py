"""LiteRT's per-operator profile, through the C interface of the library in its wheel.

LiteRT's Python interface has no profiler, but ``libLiteRt.so`` does. Its C interface is not stable and a wrong call
ends the process, so that it is called in a separate process (`edgerig.runtimes.litert_profiler`) and only with
versions of the wheel whose interface is known.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.installed import version
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes import litert_profiler
from edgerig.runtimes.base import Array
from edgerig.runtimes.operator_times import operator_time

#: Versions of ai-edge-litert for which the calls below were tested.
KNOWN_VERSIONS = ("2.3.0",)
#: Seconds after which the child is ended.
TIMEOUT = 120.0
METHOD = (
    "LiteRT's own profiler in a process of its own, with XNNPACK and the same threads; mean of all runs, each up to "
    "1 us too short"
)

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
        request, answer = Path(folder) / "request.json", Path(folder) / "profile.txt"
        request.write_text(json.dumps(_request(path, threads, specs, samples, Path(folder))))
        # Of its own file and of nothing else: the start of the interpreter and of numpy would take longer than it does.
        command = [sys.executable, "-I", "-S", litert_profiler.__file__, str(request), str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return Unavailable(f"LiteRT's profiler took longer than {TIMEOUT:.0f} s")
        except OSError as error:
            return Unavailable(f"LiteRT's profiler could not be started: {error}")
        if done.returncode != 0 or not answer.exists():
            words = done.stderr.decode(errors="replace").strip().splitlines()
            return Unavailable(f"LiteRT's profiler failed: {words[-1] if words else f'exit code {done.returncode}'}")
        return parse_summary(answer.read_text(errors="replace"))


def _request(
    path: Path, threads: int, specs: Sequence[TensorSpec], samples: Sequence[Array], folder: Path
) -> dict[str, object]:
    """What the child is told; the samples of each input are written to a file in ``folder``."""
    library = importlib.util.find_spec("ai_edge_litert")
    inputs = []
    for index, (spec, array) in enumerate(zip(specs, samples, strict=True)):
        file = folder / f"input{index}"
        np.ascontiguousarray(array).tofile(file)
        inputs.append([spec.name, str(file)])
    return {
        "library": str(Path(library.origin).with_name("libLiteRt.so")) if library and library.origin else None,
        "network": str(path),
        "threads": threads,
        "samples": len(samples[0]),
        "inputs": inputs,
    }


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
