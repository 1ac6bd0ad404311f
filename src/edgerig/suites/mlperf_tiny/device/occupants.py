"""Who else uses a terminal of this machine: a getty that offers a login there, or any other process.

On a getty's line, the host's commands become user names and the login prompt becomes the device's answer.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

_PROCESSES = Path("/proc")
_GETTY = re.compile(r"\w*getty|login|sulogin")
_UNIT = re.compile(r"/([^/]+\.service)$", re.MULTILINE)
#: Systemd's unit of a login on a serial line, by the line's name.
_GETTY_UNIT = "serial-getty@{}.service"
#: Major numbers of the terminals that programs open in pairs (Documentation/admin-guide/devices.txt of Linux).
_PSEUDO_TERMINALS = range(136, 144)
_SYSTEMCTL_SECONDS = 5.0


class Occupant(msgspec.Struct, frozen=True):
    """A process on the line, or a unit of systemd that puts one there.

    Attributes:
        name: Of the program.
        process: Its number; None of a unit without a process at the moment.
        unit: The unit that it belongs to, if systemd started it as a service.
    """

    name: str
    process: int | None
    unit: str | None

    @property
    def is_getty(self) -> bool:
        """Whether it offers a login."""
        return _GETTY.fullmatch(self.name) is not None or (self.unit is not None and "getty" in self.unit)

    @property
    def words(self) -> str:
        """The program, its process and its unit."""
        parts = [f"process {self.process}" if self.process is not None else "", self.unit or ""]
        return f"{self.name} ({', '.join(part for part in parts if part)})"

    @property
    def remedy(self) -> str:
        """How to stop it, and to keep it away."""
        if self.unit is not None:
            return f"sudo systemctl stop {self.unit}; to keep it away after a restart: sudo systemctl mask {self.unit}"
        return f"sudo kill {self.process}"


def occupants(path: Path) -> list[Occupant]:
    """Who has the terminal ``path`` open or as its controlling terminal, but this process; gettys come first.

    Files of other users' processes are seen by root alone; a getty is found by its terminal, which everyone may see.
    """
    try:
        device = path.stat()
    except OSError:
        return []
    if not stat.S_ISCHR(device.st_mode) or os.major(device.st_rdev) not in _terminal_majors():
        return []
    others = [
        _occupant(process)
        for process in _process_folders()
        if int(process.name) != os.getpid() and _uses(process, device.st_rdev)
    ]
    unit = _GETTY_UNIT.format(path.resolve().name)
    if not any(other.unit == unit for other in others) and _is_active(unit):
        others.append(Occupant("getty", None, unit))
    return sorted(others, key=lambda other: not other.is_getty)


def is_pseudo_terminal(path: Path) -> bool:
    """Whether it is one end of a pair, which has no bit rate."""
    with contextlib.suppress(OSError):
        return os.major(path.stat().st_rdev) in _PSEUDO_TERMINALS
    return False


def kernel_console(path: Path) -> bool:
    """Whether the kernel prints its messages there."""
    with contextlib.suppress(OSError):
        consoles = Path("/proc/consoles").read_text().split("\n")
        return any(line.split(" ", 1)[0] == path.resolve().name for line in consoles)
    return False


def modem_manager() -> Occupant | None:
    """ModemManager, if it runs: it opens new USB ports and sends them commands of modems."""
    for process in _process_folders():
        if _name(process) == "ModemManager":
            return _occupant(process)
    return None


def _terminal_majors() -> set[int]:
    """Major numbers of all kinds of terminals that the kernel has a driver for."""
    return {int(fields[2]) for line in Path("/proc/tty/drivers").read_text().splitlines() if (fields := line.split())}


def _process_folders() -> Iterator[Path]:
    return (folder for folder in _PROCESSES.iterdir() if folder.name.isdecimal())


def _uses(process: Path, device: int) -> bool:
    return _terminal(process) == device or _has_open(process, device)


def _terminal(process: Path) -> int:
    """The device number of its controlling terminal, 0 if it has none."""
    try:
        # The program's name, in brackets, may hold anything: count from behind it.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return int(fields[4])
    except (OSError, ValueError, IndexError):
        return 0


def _has_open(process: Path, device: int) -> bool:
    try:
        handles = list((process / "fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        with contextlib.suppress(OSError):
            status = handle.stat()
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == device:
                return True
    return False


def _occupant(process: Path) -> Occupant:
    units: list[str] = []
    with contextlib.suppress(OSError):
        units = _UNIT.findall((process / "cgroup").read_text())
    return Occupant(_name(process), int(process.name), units[0] if units else None)


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process that has ended"


def _is_active(unit: str) -> bool:
    """Whether systemd runs it, or is about to start it again."""
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        return False
    try:
        state = subprocess.run(
            ["systemctl", "show", "--property=ActiveState", "--value", unit],
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_SECONDS,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return False
    return state in ("active", "activating", "reloading")
