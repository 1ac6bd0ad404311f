from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.judge import judge, judge_firmware, judge_kind, judge_machine
from edgerig.measure.machine import MachineState
from edgerig.measure.stats import summarize

QUIET = MachineState(
    host="h",
    system="Linux",
    architecture="aarch64",
    cpu="c",
    cores=4,
    cores_total=4,
    load_1min=0.1,
    governor="performance",
    busy_seconds=100.0,
    stolen_seconds=0.0,
    own_seconds=10.0,
    uptime_seconds=1000.0,
)
STEADY = summarize(np.full(200, 1e-3))


def later(state: MachineState = QUIET, seconds: float = 10.0, **changes: Any) -> MachineState:
    """``state`` after a measurement that kept one core busy."""
    after = {
        "uptime_seconds": state.uptime_seconds + seconds,
        "busy_seconds": state.busy_seconds + seconds,
        "own_seconds": state.own_seconds + seconds,
    }
    return msgspec.structs.replace(state, **{**after, **changes})


def test_nothing_is_said_where_nothing_speaks_against_it() -> None:
    assert judge(QUIET, later(), 1, STEADY, "perf_counter_ns, 1 ns") == []
    assert judge(QUIET, later(), 4, STEADY, "perf_counter_ns, 1 ns") == []
    assert judge_machine(QUIET) == []


def only(warnings: list[str], words: str) -> None:
    assert len(warnings) == 1, warnings
    assert words in warnings[0]


BUILD = {
    "fpu": "fpv5-sp-d16",
    "debug": "no",
    "optimization": "-O2",
    "clock_hz": "216000000",
    "board_clock_hz": "216000000",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fpu": "off"}, "without the board's FPU"),
        ({"optimization": "-O0"}, "built with -O0"),
        ({"debug": "yes", "optimization": "-Og"}, "debug build"),
        ({"clock_hz": "16000000"}, "at 16 MHz; the board is made for 216 MHz"),
        ({"clock_hz": "288000000"}, "overclocked: 288 of 216 MHz"),
        ({"clock_set_hz": "16000000"}, "takes its clock for 216 MHz and has set it to 16 MHz"),
    ],
)
def test_firmware_that_was_built_badly(change: dict[str, str], words: str) -> None:
    good, bad = (msgspec.structs.replace(QUIET, packages=packages) for packages in (BUILD, {**BUILD, **change}))
    assert judge(good, later(), 1, STEADY) == []
    only(judge(bad, later(), 1, STEADY), words)
    assert judge_firmware(msgspec.structs.replace(QUIET, packages={**BUILD, "fpu": "none"})) == []


def test_more_threads_than_cores() -> None:
    only(judge(QUIET, later(), 5, STEADY), "5 threads on 4 cores")


def test_others_that_competed_are_told_by_the_time_they_used() -> None:
    only(judge(QUIET, later(busy_seconds=QUIET.busy_seconds + 10 + 38), 1, STEADY), "3.8 of 4 cores")


def test_others_on_cores_that_were_free_did_not_compete() -> None:
    assert judge(QUIET, later(busy_seconds=QUIET.busy_seconds + 10 + 28), 1, STEADY) == []


def test_own_work_on_all_cores_is_not_others() -> None:
    after = later(busy_seconds=QUIET.busy_seconds + 40, own_seconds=QUIET.own_seconds + 40)
    assert judge(QUIET, after, 4, STEADY) == []


def test_without_counters_the_load_before_is_judged() -> None:
    blind = msgspec.structs.replace(QUIET, busy_seconds=None, own_seconds=None, load_1min=6.0)
    only(judge(blind, blind, 1, STEADY), "load of 6.0 on 4 cores")
    assert judge(msgspec.structs.replace(blind, load_1min=1.0), blind, 1, STEADY) == []


def test_a_span_shorter_than_the_counters_can_tell_is_judged_by_load() -> None:
    after = later(seconds=0.05, busy_seconds=QUIET.busy_seconds + 4)
    assert judge(QUIET, after, 1, STEADY) == []


def test_a_hypervisor_that_took_time() -> None:
    only(judge(QUIET, later(stolen_seconds=2.0), 1, STEADY), "hypervisor took 5%")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"governor": "powersave"}, "governor is powersave"),
        ({"on_battery": True}, "battery"),
        ({"temperature_c": 84.0}, "84 °C"),
    ],
)
def test_the_machines_state_is_judged_in_both(change: dict[str, Any], words: str) -> None:
    state = msgspec.structs.replace(QUIET, **change)
    only(judge(state, later(state), 1, STEADY), words)
    only(judge_machine(state), words)


def test_a_virtual_machine_is_told_of_the_machine_and_not_of_each_number() -> None:
    virtual = msgspec.structs.replace(QUIET, virtual="KVM")
    assert "virtual machine (KVM)" in " ".join(judge_machine(virtual))
    assert "virtual machine (KVM)" in " ".join(judge_kind(virtual))
    assert judge(virtual, virtual, 1, None) == judge(QUIET, QUIET, 1, None)


def test_a_container_is_no_virtual_machine() -> None:
    assert judge_machine(msgspec.structs.replace(QUIET, virtual="container")) == []


def test_a_machine_that_does_not_tell_is_not_accused() -> None:
    silent = MachineState(host="h", system="s", architecture="a", cpu="c", cores=1)
    assert judge(silent, silent, 1, STEADY) == []
    assert judge_machine(silent) == []


def test_a_busy_machine_is_not_fit_to_measure() -> None:
    only(judge_machine(msgspec.structs.replace(QUIET, load_1min=2.5)), "load of 2.5 on 4 cores")


@pytest.mark.parametrize("before", [True, False])
def test_throttling_is_told(before: bool) -> None:
    hot = msgspec.structs.replace(QUIET, throttled=True)
    states = (hot, later()) if before else (QUIET, later(throttled=True))
    only(judge(*states, 1, STEADY), "throttled")


def test_throttle_events_during_the_measurement_count_older_ones_do_not() -> None:
    state = msgspec.structs.replace(QUIET, throttle_events=7)
    assert judge(state, later(state), 1, STEADY) == []
    only(judge(state, later(state, throttle_events=8), 1, STEADY), "throttled")


def test_few_samples() -> None:
    only(judge(QUIET, later(), 1, summarize([1e-3] * 5)), "Only 5 samples")
    only(judge(QUIET, later(), 1, summarize([1e-3])), "Only 1 sample:")


def test_a_wide_spread() -> None:
    samples = np.tile([1e-3, 1.5e-3], 100)
    only(judge(QUIET, later(), 1, summarize(samples)), "spread widely")


def test_a_drift_in_either_direction() -> None:
    samples = np.linspace(1e-3, 1.2e-3, 200)
    only(judge(QUIET, later(), 1, summarize(samples)), "longer than the first")
    only(judge(QUIET, later(), 1, summarize(samples[::-1])), "shorter than the first")


def test_a_coarse_clock() -> None:
    only(judge(QUIET, later(), 1, summarize(np.full(50, 5e-6)), "millis, 1000 ns"), "ticks every 1000 ns")
    assert judge(QUIET, later(), 1, summarize(np.full(50, 5e-6)), "perf_counter_ns, 1 ns") == []


def test_no_samples_is_no_distribution_to_judge() -> None:
    assert judge(QUIET, later(), 1, None, "x, 1 s") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("perf_counter_ns, 1 ns", 1e-9),
        ("cycles, 4.6 ns", 4.6e-9),
        ("millis, 1 ms", 1e-3),
        ("a, 2 us", 2e-6),
        ("", None),
    ],
)
def test_the_resolution_is_read_from_the_clocks_name(text: str, seconds: float | None) -> None:
    assert resolution_seconds(text) == (None if seconds is None else pytest.approx(seconds))
