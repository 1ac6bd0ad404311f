from collections.abc import Callable
from pathlib import Path

import pytest

Put = Callable[[str, str], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file of the kernel below ``tmp_path``."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.fixture
def raspberry_pi(put: Put, tmp_path: Path) -> Path:
    core = "processor\t: {}\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"
    put("proc/cpuinfo", "\n".join(core.format(index) for index in range(4)) + "\nModel\t\t: Raspberry Pi 4 Model B\n")
    put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    put("proc/meminfo", "MemTotal:        3884324 kB\nMemFree:          100 kB\nMemAvailable:    3000000 kB\n")
    put("proc/loadavg", "0.42 0.30 0.20 1/150 1234\n")
    put("proc/stat", "cpu  1000 10 200 50000 30 5 15 0 0 0\ncpu0 1 2 3 4\n")
    put("proc/version", "Linux version 6.6.31+rpt-rpi-v8\n")
    for index in range(4):
        put(f"sys/devices/system/cpu/cpu{index}/cpufreq/scaling_governor", "ondemand\n")
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000\n")
    put("sys/class/thermal/thermal_zone0/temp", "61342\n")
    put("sys/class/hwmon/hwmon0/temp1_input", "-273000\n")
    put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    return tmp_path
