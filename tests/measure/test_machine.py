import os
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from edgerig.measure import linux
from edgerig.measure.machine import MachineState, observe


def test_a_raspberry_pi_is_described(raspberry_pi: Path) -> None:
    state = observe(raspberry_pi)
    assert state.cpu == "Raspberry Pi 4 Model B Rev 1.4 (Cortex-A72)"
    assert state.memory_bytes == 3884324 * 1024
    assert state.memory_free_bytes == 3000000 * 1024
    assert state.load_1min == 0.42
    assert state.governor == "ondemand"
    assert state.frequency_hz == 1.5e9
    assert state.temperature_c == pytest.approx(61.342)
    assert state.throttled is True
    assert state.throttle_events is None
    assert state.virtual is None
    assert state.on_battery is None
    ticks = os.sysconf("SC_CLK_TCK")
    assert state.busy_seconds == pytest.approx((1000 + 10 + 200 + 5 + 15) / ticks)
    assert state.stolen_seconds == 0


def test_a_machine_that_tells_nothing_is_all_none(tmp_path: Path) -> None:
    state = observe(tmp_path)
    for field in (
        "memory_bytes",
        "load_1min",
        "governor",
        "frequency_hz",
        "temperature_c",
        "throttled",
        "throttle_events",
        "on_battery",
        "virtual",
        "busy_seconds",
        "own_seconds",
    ):
        assert getattr(state, field) is None, field
    assert state.cores >= 1
    assert state.cpu


def test_this_machine_can_be_observed_and_sent() -> None:
    state = observe()
    assert state.cores >= 1
    assert state.python.startswith("3.")
    assert "numpy" in state.packages
    assert state.time.endswith("+00:00")
    assert msgspec.json.decode(msgspec.json.encode(state), type=MachineState) == state


def test_an_older_state_without_the_newer_fields_is_still_read() -> None:
    old = b'{"host":"h","system":"s","architecture":"a","cpu":"c","cores":4}'
    assert msgspec.json.decode(old, type=MachineState).busy_seconds is None


def test_files_full_of_nonsense_do_no_harm(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    for name in ("proc/cpuinfo", "proc/meminfo", "proc/stat", "sys/class/thermal/thermal_zone0/temp"):
        put(name, "nonsense \xff : : 12x\n")
    put("sys/devices/platform/soc/soc:firmware/get_throttled", "what?")
    put("sys/fs/cgroup/cpu.max", "much of it")
    state = observe(tmp_path)
    assert state.memory_bytes is None
    assert state.temperature_c is None
    assert state.throttled is None


def test_a_sensor_that_cannot_be_read_is_left_out(raspberry_pi: Path) -> None:
    # A folder in place of the file fails as a sensor without data does.
    (raspberry_pi / "sys/class/hwmon/hwmon1/temp1_input").mkdir(parents=True)
    assert linux.temperature_c(raspberry_pi) == pytest.approx(61.342)


@pytest.mark.parametrize(
    ("text", "now"), [("0x0", False), ("0", False), ("0x50000", False), ("0x4", True), ("1", True)]
)
def test_only_the_bits_of_now_mean_throttled(tmp_path: Path, put, text: str, now: bool) -> None:  # type: ignore[no-untyped-def]
    put("sys/devices/platform/soc/soc:firmware/get_throttled", text)
    assert linux.throttled(tmp_path) is now


@pytest.mark.parametrize(
    ("quota", "expected"), [("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", None)]
)
def test_a_control_group_limits_the_cores(tmp_path: Path, put, quota: str, expected: int | None) -> None:  # type: ignore[no-untyped-def]
    put("proc/self/cgroup", "0::/app/one\n")
    put("sys/fs/cgroup/app/cpu.max", quota)
    put("sys/fs/cgroup/app/one/cpu.max", "max 100000")
    allowed = len(os.sched_getaffinity(0))
    assert linux.cores(tmp_path) == (allowed if expected is None else min(expected, allowed))


def test_the_older_control_groups_limit_the_cores_too(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("proc/self/cgroup", "4:cpu,cpuacct:/box\n")
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "100000")
    put("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000")
    assert linux.cores(tmp_path) == 1
    put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1")
    assert linux.cores(tmp_path) == len(os.sched_getaffinity(0))


def test_a_control_group_limits_the_memory(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\n")
    put("sys/fs/cgroup/memory.max", "1000000")
    put("sys/fs/cgroup/memory.current", "400000")
    assert linux.memory(tmp_path) == (1000000, 600000)


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({"BAT0": ("Battery", "status", "Discharging"), "AC": ("Mains", "online", "0")}, True),
        ({"BAT0": ("Battery", "status", "Charging"), "AC": ("Mains", "online", "1")}, False),
        ({"BAT0": ("Battery", "status", "Full")}, False),
        ({"AC": ("Mains", "online", "1")}, False),
        ({}, None),
    ],
)
def test_the_battery_is_seen(tmp_path: Path, put, supplies, expected: bool | None) -> None:  # type: ignore[no-untyped-def]
    for name, (kind, file, text) in supplies.items():
        put(f"sys/class/power_supply/{name}/type", kind)
        put(f"sys/class/power_supply/{name}/{file}", text)
    assert linux.on_battery(tmp_path) is expected


def test_the_battery_of_a_mouse_is_not_the_machines(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("sys/class/power_supply/mouse/type", "Battery")
    put("sys/class/power_supply/mouse/scope", "Device")
    put("sys/class/power_supply/mouse/status", "Discharging")
    assert linux.on_battery(tmp_path) is None


def test_virtual_machines_and_containers_are_told(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    assert linux.virtual(tmp_path) is None
    put(".dockerenv", "")
    assert linux.virtual(tmp_path) == "container"
    put("proc/cpuinfo", "model name : X\nflags\t\t: fpu hypervisor avx\n")
    assert linux.virtual(tmp_path) == "unknown hypervisor"
    put("sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert linux.virtual(tmp_path) == "QEMU"
    put("proc/version", "Linux version 5.15 (Microsoft@Microsoft.com)")
    assert linux.virtual(tmp_path) == "WSL"


def test_throttling_of_all_cores_is_counted(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    for index, count in enumerate((3, 4)):
        put(f"sys/devices/system/cpu/cpu{index}/thermal_throttle/core_throttle_count", str(count))
    assert linux.throttle_events(tmp_path) == 7


def test_big_and_little_cores_are_both_named(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("proc/cpuinfo", "CPU implementer : 0x41\nCPU part : 0xd05\n\nCPU implementer : 0x41\nCPU part : 0xd0b\n")
    assert linux.cpu_model(tmp_path) == "Cortex-A55 + Cortex-A76"


def test_an_unknown_arm_core_is_named_by_its_number(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    put("proc/cpuinfo", "CPU implementer : 0x41\nCPU part : 0xfff\n")
    assert linux.cpu_model(tmp_path) == "Arm part 0xfff"


def test_own_time_counts_this_process_and_its_children(tmp_path: Path, put) -> None:  # type: ignore[no-untyped-def]
    def stat(pid: int, ticks: str) -> None:
        put(f"proc/{pid}/stat", f"{pid} (a (strange) name) S 1 1 1 0 -1 4194304 1 2 3 4 {ticks} 20 0 1 0 99\n")

    own = os.getpid()
    stat(own, "100 50 7 3")
    stat(900001, "10 0 0 0")
    stat(900002, "1 1 1 1")
    put(f"proc/{own}/task/{own}/children", "900001 ")
    put("proc/900001/task/900001/children", "900002")
    put("proc/900002/task/900002/children", f"{own}")
    assert linux.own_seconds(tmp_path) == pytest.approx((160 + 10 + 4) / os.sysconf("SC_CLK_TCK"))


def test_children_that_end_meanwhile_are_no_error() -> None:
    """Of two hundred children some end between being listed and being looked at."""

    def start_children() -> None:
        for _ in range(200):
            subprocess.run(["true"], check=True)

    starting = threading.Thread(target=start_children)
    starting.start()
    try:
        while starting.is_alive():
            assert linux.own_seconds(Path("/")) > 0
    finally:
        starting.join()
