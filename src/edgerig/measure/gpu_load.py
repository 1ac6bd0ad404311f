"""How busy the machine's GPUs are, where the kernel tells it in a file that is quick to read.

Sources: ``load`` of a Jetson's GPU, in tenths of a percent (NVIDIA's nvgpu driver); ``gpu_busy_percent`` of AMD's
(``Documentation/gpu/amdgpu/thermal.rst``); ``load`` of devfreq, such as ``55@800000000Hz``, of Mali GPUs on Rockchip
boards. NVIDIA's cards have none: that takes a library of theirs (NVML) in the process that is measured.
"""

from __future__ import annotations

from pathlib import Path

from edgerig.measure.linux import read

#: Folder, device in it, file of the device, and the value at which it is fully busy.
_SOURCES = (
    ("sys/devices", "gpu.*", "load", 1000),
    ("sys/devices/platform", "gpu.*", "load", 1000),
    ("sys/devices/platform", "*.gpu", "load", 1000),
    ("sys/devices/platform/bus@0", "*.gpu", "load", 1000),
    ("sys/class/drm", "card*", "device/gpu_busy_percent", 100),
    ("sys/class/devfreq", "*gpu*", "load", 100),
)


def gpu_loads(root: Path = Path("/")) -> dict[str, float]:
    """Share of the time that each GPU was busy, by the name of its device; empty where none tells it."""
    loads: dict[str, float] = {}
    seen: set[Path] = set()
    for folder, devices, file, full in _SOURCES:
        for device in sorted((root / folder).glob(devices)):
            text = (read(device / file) or "").partition("@")[0].strip()
            real = (device / file).resolve()
            if text.isdecimal() and int(text) <= full and real not in seen:
                seen.add(real)
                loads[device.name] = int(text) / full
    return loads
