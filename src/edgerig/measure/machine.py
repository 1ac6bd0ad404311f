"""What machine this is, in what state, and whether it is fit to measure."""

from __future__ import annotations

import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edgerig.installed import version
from edgerig.measure import linux

#: The distributions whose versions decide a result.
ENGINES = (
    "ai-edge-litert", "onnxruntime", "tflite-micro", "litert-converter", "litert-quantizer", "onnx", "keras", "jax",
    "numpy", "openvino", "nncf", "torch", "executorch", "tract", "ncnn", "pnnx", "mnn", "iree-base-compiler",
    "iree-base-runtime", "apache-tvm",
)  # fmt: skip


class MachineState(msgspec.Struct, frozen=True, kw_only=True):
    """A machine at one moment. A field is None where the machine does not tell.

    Attributes:
        host: Name of the machine.
        system: Operating system and release.
        cpu: Model of the processor; ``cores`` of it may be used by this process; 0 where it does not tell.
        memory_bytes: Physical memory; ``memory_free_bytes`` of it available.
        load_1min: Load average over the last minute.
        governor: Frequency governor, ``frequency_hz`` the current frequency of the first core.
        temperature_c: Hottest sensor. ``throttled``: whether the machine says that it throttles.
        throttle_events: How often the processor throttled since it was started.
        on_battery: Whether it runs on its battery.
        virtual: The hypervisor or container that it runs in.
        cores_total: Cores of the machine, whoever may use them.
        busy_seconds: Time since the machine's start that all its cores together worked; ``stolen_seconds`` the time
            that a hypervisor took from it; ``own_seconds`` what the observing process and its descendants used;
            ``uptime_seconds`` the clock that these are to be compared with.
        python: Python's version. ``packages``: versions of the engines that are installed.
        time: UTC, ISO 8601.
    """

    host: str
    system: str
    architecture: str
    cpu: str
    cores: int
    cores_total: int | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    load_1min: float | None = None
    governor: str | None = None
    frequency_hz: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    throttle_events: int | None = None
    on_battery: bool | None = None
    virtual: str | None = None
    busy_seconds: float | None = None
    stolen_seconds: float | None = None
    own_seconds: float | None = None
    uptime_seconds: float | None = None
    python: str = ""
    packages: dict[str, str] = {}
    edgerig: str = ""
    time: str = ""


def observe(root: Path = Path("/")) -> MachineState:
    """The state of this machine now. ``root`` is for tests. Takes a few milliseconds, and raises nothing."""
    memory_bytes, memory_free_bytes = linux.memory(root)
    busy_seconds, stolen_seconds = linux.busy_seconds(root)
    return MachineState(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu=linux.cpu_model(root) or platform.processor() or "unknown",
        cores=linux.cores(root),
        cores_total=os.cpu_count(),
        memory_bytes=memory_bytes,
        memory_free_bytes=memory_free_bytes,
        load_1min=linux.load(root),
        governor=linux.governor(root),
        frequency_hz=linux.frequency_hz(root),
        temperature_c=linux.temperature_c(root),
        throttled=linux.throttled(root),
        throttle_events=linux.throttle_events(root),
        on_battery=linux.on_battery(root),
        virtual=linux.virtual(root),
        busy_seconds=busy_seconds,
        stolen_seconds=stolen_seconds,
        own_seconds=linux.own_seconds(root) if busy_seconds is not None else None,
        uptime_seconds=time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None,
        python=platform.python_version(),
        packages=_packages(),
        edgerig=version("edgerig") or "",
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def unknown_machine(host: str) -> MachineState:
    """The state of a machine that reports nothing. 0 cores stands for unknown."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return MachineState(host=host, system="not told", architecture="not told", cpu="not told", cores=0, time=now)


def cores_text(state: MachineState) -> str:
    """The usable cores in words."""
    return "cores not told" if state.cores < 1 else "1 core" if state.cores == 1 else f"{state.cores} cores"


def _packages() -> dict[str, str]:
    versions = {name: version(name) for name in ENGINES}
    return {name: text for name, text in versions.items() if text}
