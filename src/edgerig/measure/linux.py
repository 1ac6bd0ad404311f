"""What Linux reports about a machine in ``/proc`` and ``/sys``. Every function returns None if there is no report.

``root`` is ``/``, or a folder that a test filled with the files of some other machine.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from pathlib import Path

#: ``CPU part`` of Arm's own cores (implementer 0x41) on boards that people measure on.
ARM_PARTS = {
    0xB76: "ARM1176", 0xC07: "Cortex-A7", 0xC08: "Cortex-A8", 0xC09: "Cortex-A9", 0xC0F: "Cortex-A15",
    0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57", 0xD08: "Cortex-A72",
    0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76", 0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77",
    0xD40: "Neoverse-V1", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE", 0xD49: "Neoverse-N2", 0xD4F: "Neoverse-V2",
}  # fmt: skip

#: A sensor with a reading outside of this range is not connected.
PLAUSIBLE_C = (-40.0, 150.0)

#: The bits of the Raspberry Pi's ``get_throttled`` that speak of now: under-voltage, frequency capped, throttled,
#: soft temperature limit. The bits from 16 on speak of the past.
PI_THROTTLED_NOW = 0xF


def read(path: Path) -> str | None:
    """The text of a file of the kernel, stripped."""
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """The whole number in a file of the kernel."""
    text = read(path)
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def cpu_model(root: Path) -> str | None:
    """Model of the processor, and on a board the name of the board."""
    info = read(root / "proc/cpuinfo") or ""
    board = read(root / "proc/device-tree/model")
    match = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    model = match[1].strip() if match else _arm_model(info)
    if board and model:
        return f"{board} ({model})"
    return board or model


def _arm_model(cpuinfo: str) -> str | None:
    if not re.search(r"^CPU implementer\s*:\s*0x41\s*$", cpuinfo, re.MULTILINE):
        return None
    parts = {int(part, 16) for part in re.findall(r"^CPU part\s*:\s*(0x[0-9a-f]+)", cpuinfo, re.MULTILINE)}
    return " + ".join(ARM_PARTS.get(part, f"Arm part {part:#x}") for part in sorted(parts)) or None


def cores(root: Path) -> int:
    """Cores that this process may use: by affinity, and by its control group's quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        count = os.cpu_count() or 1
    quota = _cpu_quota(root)
    return max(1, min(count, math.floor(quota + 0.5))) if quota else count


def cores_total() -> int | None:
    """Cores of the machine, whoever may use them."""
    return os.cpu_count()


def _cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that the control group and its parents may use."""
    quotas = []
    for folder in _groups(root, ""):
        limit, _, period = (read(folder / "cpu.max") or "").partition(" ")
        if limit.isdigit() and period.isdigit() and int(period):
            quotas.append(int(limit) / int(period))
    for folder in _groups(root, "cpu"):
        limit_us, period_us = read_int(folder / "cpu.cfs_quota_us"), read_int(folder / "cpu.cfs_period_us")
        if limit_us and period_us and limit_us > 0:
            quotas.append(limit_us / period_us)
    return min(quotas, default=None)


def _groups(root: Path, controller: str) -> list[Path]:
    """Folders of this process's control group and its parents: version 2 for ``""``, else version 1."""
    top = root / "sys/fs/cgroup" / controller
    own = "/"
    for line in (read(root / "proc/self/cgroup") or "").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if controller in names.split(","):
            own = path
    parts = [part for part in own.split("/") if part not in ("", "..")]
    return [top.joinpath(*parts[:length]) for length in range(len(parts), -1, -1)]


def memory(root: Path) -> tuple[int | None, int | None]:
    """Physical and available memory in bytes, not more than the control group grants."""
    sizes = dict(re.findall(r"^(\w+):\s*(\d+) kB", read(root / "proc/meminfo") or "", re.MULTILINE))
    total = int(sizes["MemTotal"]) * 1024 if "MemTotal" in sizes else None
    free = int(sizes["MemAvailable"]) * 1024 if "MemAvailable" in sizes else None
    for folder in _groups(root, ""):
        limit, used = read_int(folder / "memory.max"), read_int(folder / "memory.current")
        if limit is not None and total is not None and limit < total:
            total = limit
            if used is not None and free is not None:
                free = min(free, max(0, limit - used))
    return total, free


def load(root: Path) -> float | None:
    """Load average over the last minute."""
    text = read(root / "proc/loadavg")
    return float(text.split()[0]) if text else None


def governor(root: Path) -> str | None:
    """Frequency governor of the cores; more than one name where they differ."""
    files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    names = {text for text in map(read, files) if text}
    return ", ".join(sorted(names)) or None


def frequency_hz(root: Path) -> float | None:
    """Current frequency of the first core."""
    khz = read_int(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    if khz:
        return khz * 1e3
    match = re.search(r"^cpu MHz\s*:\s*([\d.]+)", read(root / "proc/cpuinfo") or "", re.MULTILINE)
    return float(match[1]) * 1e6 if match else None


def temperature_c(root: Path) -> float | None:
    """The hottest sensor of the processor or board."""
    files = [
        *(root / "sys/class/thermal").glob("thermal_zone*/temp"),
        *(root / "sys/class/hwmon").glob("hwmon*/temp*_input"),
    ]
    low, high = PLAUSIBLE_C
    temperatures = [value / 1000 for value in map(read_int, files) if value is not None and low < value / 1000 < high]
    return max(temperatures, default=None)


def throttled(root: Path) -> bool | None:
    """Whether a Raspberry Pi says that it is held back now, by heat or a weak supply."""
    text = read(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if text is None and root == Path("/") and (program := shutil.which("vcgencmd")):
        text = _ask(program)
    try:
        return bool(int(text, 16) & PI_THROTTLED_NOW) if text else None
    except ValueError:
        return None


def _ask(program: str) -> str | None:
    try:
        done = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().removeprefix("throttled=")


def throttle_events(root: Path) -> int | None:
    """How often the processor throttled since it was started (x86)."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [count for count in map(read_int, files) if count is not None]
    return sum(counts) if counts else None


def on_battery(root: Path) -> bool | None:
    """Whether the machine runs on its battery."""
    supplies = sorted((root / "sys/class/power_supply").glob("*"))
    kinds = {supply: read(supply / "type") for supply in supplies}
    # A mouse or a headset has a battery, too; its scope says so.
    own = [s for s, kind in kinds.items() if kind == "Battery" and read(s / "scope") != "Device"]
    if any(read(battery / "status") == "Discharging" for battery in own):
        return True
    mains = [read(s / "online") for s, kind in kinds.items() if kind == "Mains"]
    return False if own or "1" in mains else None


def virtual(root: Path) -> str | None:
    """The hypervisor or the container that this runs in."""
    if "microsoft" in (read(root / "proc/version") or "").lower():
        return "WSL"
    if re.search(r"^flags\s*:.*\bhypervisor\b", read(root / "proc/cpuinfo") or "", re.MULTILINE):
        kind = read(root / "sys/hypervisor/type")
        names = [read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
        return kind or " ".join(name for name in names if name) or "unknown hypervisor"
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return "container"
    return None


def busy_seconds(root: Path) -> tuple[float | None, float | None]:
    """Seconds since the start that all cores together worked, and that the hypervisor took from this machine.

    Field meanings: proc(5), ``/proc/stat``: user nice system idle iowait irq softirq steal guest guest_nice; guest
    time is part of user time.
    """
    first = (read(root / "proc/stat") or "").partition("\n")[0].split()
    if len(first) < 8 or first[0] != "cpu":
        return None, None
    user, nice, system, _, _, irq, softirq, *steal = (int(ticks) for ticks in first[1:9])
    hertz = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / hertz, sum(steal) / hertz


def own_seconds(root: Path) -> float:
    """Seconds that this process and its descendants, those that ended and those alive, used of all cores."""
    total = 0.0
    waiting, seen = [os.getpid()], set()
    hertz = os.sysconf("SC_CLK_TCK")
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        # The name in parentheses may hold spaces; utime, stime, cutime and cstime are fields 14 to 17 of proc(5).
        fields = (read(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
        if len(fields) > 14:
            total += sum(int(ticks) for ticks in fields[11:15]) / hertz
        waiting += _children(root / f"proc/{pid}/task")
    return total


def _children(tasks: Path) -> list[int]:
    """The processes that a process has started, by the folder of its threads; none of one that has just ended."""
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return []
    return [int(child) for thread in threads for child in (read(thread / "children") or "").split()]
