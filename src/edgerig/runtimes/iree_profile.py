"""Times of a module's functions, by IREE's own tools in a process of their own: Python has no access to them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.cpu_module import Bound
from edgerig.models.iree_names import kernel_of
from edgerig.runtimes.base import PROFILE_SAMPLES, Array

#: Seconds that the inferences may take together, and the tools at most.
_WORK, _PATIENCE = 2.0, 60.0
METHOD = "iree-benchmark-module with --device_profiling_mode=host-execution, the first sample again and again; mean"


class _Row(msgspec.Struct, frozen=True):
    """A line of ``iree-profile statistics``."""

    row_type: str = ""
    function_name: str | None = None
    sample_count: int = 0
    invalid_sample_count: int = 0
    total_duration_ns: int = 0
    first_start_time: int = 0


def layers_of(
    module: bytes, bound: Bound, sample: Sequence[Array], threads: int, inference_ns: int
) -> list[LayerTime] | Unavailable:
    """The functions that ran, in the order of their first call, with the time that each takes in an inference.

    Args:
        sample: The inputs, in shapes and types of the network. inference_ns: What an inference takes, roughly.
    """
    from iree.runtime.benchmark import benchmark_exe

    # As many as fit into the time, one at least.
    count = int(np.clip(_WORK * 1e9 / max(inference_ns, 1), 1, PROFILE_SAMPLES))
    benchmark = Path(benchmark_exe())
    with tempfile.TemporaryDirectory(prefix="edgerig-iree-") as name:
        folder = Path(name)
        (folder / "net.vmfb").write_bytes(module)
        command = [str(benchmark), f"--module={folder / 'net.vmfb'}", f"--function={bound.function}"]
        for index, (value, spec) in enumerate(zip(sample, bound.inputs, strict=True)):
            np.save(folder / f"{index}.npy", np.ascontiguousarray(value).reshape(spec.shape))
            command.append(f"--input=@{folder / f'{index}.npy'}")
        device = ["--device=local-sync"]
        if threads > 1:
            device = ["--device=local-task", f"--task_topology_group_count={threads}"]
        profile = folder / "net.ireeprof"
        command += [*device, "--device_profiling_mode=host-execution", f"--device_profiling_output={profile}"]
        reason = _run([*command, f"--benchmark_min_time={count}x"])
        if isinstance(reason, Unavailable):
            return reason
        text = _run([str(benchmark.with_name("iree-profile")), "statistics", "--format=jsonl", str(profile)])
    return text if isinstance(text, Unavailable) else layers_in(text, count, bound)


def layers_in(text: str, count: int, bound: Bound) -> list[LayerTime] | Unavailable:
    """The functions in what ``iree-profile statistics`` tells of ``count`` inferences."""
    rows = [msgspec.convert(line, _Row) for line in map(json.loads, filter(None, text.splitlines()))]
    rows = [row for row in rows if row.row_type == "host_execution_function" and row.function_name]
    if not rows:
        return Unavailable("IREE has recorded no function")
    if any(row.sample_count % count or row.invalid_sample_count for row in rows):
        return Unavailable("IREE has not recorded all inferences")
    known = {kernel.name: kernel for kernel in bound.kernels}
    layers: list[LayerTime] = []
    for row in sorted(rows, key=lambda row: row.first_start_time):
        function = str(row.function_name)
        kernel = known.get(function) or kernel_of(function)
        calls = row.sample_count // count
        method = METHOD if calls == 1 else f"{METHOD}; {calls} calls an inference together"
        seconds = row.total_duration_ns * 1e-9 / count
        time = Measurement(value=seconds, unit="s", kind="measured", method=method, clock="IREE's host clock", n=count)
        layers.append(LayerTime(index=len(layers), name=function, op=kernel.op, time=time))
    return layers


def _run(command: list[str]) -> str | Any:
    """What a tool of IREE's prints, or why it does not."""
    what = Path(command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Unavailable(f"{what} did not end: {error}"[:300])
    if done.returncode:
        return Unavailable(f"{what} failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout
