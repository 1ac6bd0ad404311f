"""Times of operators, as ExecuTorch records them (ETDump): its kernels, and within XNNPACK each operator."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.pte_file import KERNELS, XNNPACK, Program
from edgerig.runtimes.operator_times import operator_time

METHOD = "ExecuTorch's events (ETDump); mean"
CLOCK = "ExecuTorch's ticks"
#: What an event is called that is a call of a delegate, or a step around kernels.
_AROUND = ("DELEGATE_CALL", "Method::execute", "OPERATOR_CALL", "Method::init", "Program::load_method")


def layers_of(program: Any, contents: Program, count: int) -> list[LayerTime] | Unavailable:
    """The operators of the last ``count`` of the runs that ``program`` has recorded."""
    from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc

    with tempfile.TemporaryDirectory(prefix="edgerig-etdump-") as folder:
        file = Path(folder) / "events.etdp"
        program.write_etdump_result_to_file(str(file), "")
        blocks = deserialize_from_etdump_flatcc(file.read_bytes()).run_data
    runs = [run for run in (_events(block, contents) for block in blocks) if run]
    if len(runs) < count:
        return Unavailable(f"ExecuTorch recorded {len(runs)} of {count} runs")
    runs = runs[-count:]
    names = [event[:3] for event in runs[0]]
    if any([event[:3] for event in run] != names for run in runs):
        return Unavailable("ExecuTorch ran other operators from sample to sample")
    layers = []
    for index, (name, op, placement) in enumerate(names):
        seconds = sum(run[index][3] for run in runs) / count * 1e-9
        time: Quantity
        if placement == KERNELS:
            time = Measurement(value=seconds, unit="s", kind="measured", method=METHOD, clock=CLOCK, n=count)
        else:
            time = operator_time(seconds, METHOD, CLOCK, count)
        layers.append(LayerTime(index=index, name=name, op=op, time=time, placement=placement))
    return layers


def _events(block: Any, contents: Program) -> list[tuple[str, str, str, int]]:
    """Name, type, placement and ns of each operator of a run; empty for a block that is no run."""
    events = [event.profile_event for event in block.events or [] if event.profile_event]
    if not any(event.name == "Method::execute" for event in events):
        return []
    rows = []
    for event in events:
        within = event.delegate_debug_id_str
        if within is None and event.name in _AROUND:
            continue
        if within is None and event.delegate_debug_id_int not in (-1, None):
            within = f"{event.name or 'operator'} {event.delegate_debug_id_int}"
        name = within or event.name or "operator"
        # XNNPACK says "Convolution (NHWC, F32) IGEMM #1".
        op = name.partition(" (")[0] if within else name.removeprefix("native_call_").partition(".")[0]
        placement = (contents.delegates[0] if len(contents.delegates) == 1 else XNNPACK) if within else KERNELS
        rows.append((name.removeprefix("native_call_"), op, placement, event.end_time - event.start_time))
    return rows
