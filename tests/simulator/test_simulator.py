"""The simulated STM32F746: it counts exactly, its chip behaves as start-up code expects, and crashes are told."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.needs import need

from edgerig.artifact import TensorSpec
from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings, Firmware, Network
from edgerig.boards.network import built_in_sample
from edgerig.errors import MissingExtraError, ModelError, TargetError
from edgerig.install import install_command
from edgerig.simulator import alignment
from edgerig.simulator import counter as counters
from edgerig.simulator import native as natives
from edgerig.simulator import simulator as simulators
from edgerig.simulator.alignment import Alignment, NativeAlignment
from edgerig.simulator.counter import Counter, NativeCounter, decode
from edgerig.simulator.native import native_library
from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator

BOARD = load_board("stm32f746")


@pytest.fixture
def simulator(firmware: Firmware) -> Simulator:
    made = Simulator(firmware.elf, BOARD)
    made.run()
    return made


def ask(simulator: Simulator, line: bytes) -> str:
    simulator.read(CONSOLE)
    simulator.write(CONSOLE, line + b"\n")
    simulator.run()
    return simulator.read(CONSOLE).decode()


def test_firmware_starts_and_says_what_it_is(simulator: Simulator) -> None:
    text = simulator.read(CONSOLE).decode()
    assert "STM32F746-Discovery" in text
    assert text.endswith("> ")
    assert simulator.read(WIRE).startswith(b"\xa5ERG")
    assert simulator.resets == 0
    assert simulator.faults == []


@pytest.mark.slow
def test_firmware_brings_the_clock_tree_to_its_clock(simulator: Simulator, network: Network) -> None:
    assert simulator.clock_hz == 216_000_000
    for build_settings, clock, divisor in (
        (BuildSettings(clock_hz=16_000_000), 16_000_000, 16_000_000 / 115_200),
        (BuildSettings(clock_hz=100_000_000), 100_000_000, 50_000_000 / 115_200),
        # From the crystal, and from the internal oscillator; the bus is slower, so that it stays within its limit.
        (BuildSettings(overclock=285), 285_000_000, 71_250_000 / 115_200),
        (BuildSettings(overclock=288), 288_000_000, 72_000_000 / 115_200),
    ):
        built = build_firmware(BOARD, network, None, build_settings)
        other = Simulator(built.elf, BOARD)
        other.run()
        assert other.clock_hz == built.clock_hz == clock
        assert other.divisor(WIRE) == round(divisor)
        assert ("overclocked" in built.build) == (clock > 216_000_000)


@pytest.mark.slow
def test_a_clock_that_was_never_set_is_found_out(network: Network, tmp_path: Path) -> None:
    mine = tmp_path / "slow"
    shutil.copytree(BOARD.folder, mine)
    code = (mine / "board.c").read_text()
    assert "    start_clock();\n" in code
    (mine / "board.c").write_text(
        code.replace("    start_clock();\n", "    (void)start_clock;\n").replace("../common/", "")
    )
    board = load_board(str(mine))
    simulator = Simulator(build_firmware(board, network, None).elf, board)
    simulator.run()
    assert simulator.clock_hz == 16_000_000


def test_console_prints_the_network(simulator: Simulator) -> None:
    text = ask(simulator, b"CMD=1")
    for part in (
        "0123456789abcdef",
        "int8 [1, 16]",
        "scale 0.500000, zero point -3",
        "FULLY_CONNECTED",
        "160",
        "arena 26 B",
    ):
        assert part in text


def test_console_runs_the_built_in_sample_and_times_layers(simulator: Simulator) -> None:
    text = ask(simulator, b"CMD=2")
    assert "sixteen numbers" in text
    assert "sums" in text
    assert "signs" in text
    assert "TOTAL TIME=" in text
    # Weights {1, 2, 3} and {4, 5} on 0, 1, 2 ..: 8 and 5, of which 256ths are 0.
    assert "Out[0]:     0  -1.000000" in text
    assert text.count("Out[") == 10


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "wanted"), [("int8", range(-128, -112)), ("uint8", range(16))])
def test_console_makes_a_ramp_where_no_sample_is_built_in(
    write_network: Callable[..., Network], dtype: str, wanted: range
) -> None:
    network = replace(write_network(input=dtype), sample=b"", sample_name="a ramp of numbers")
    made = build_firmware(BOARD, network, None)
    simulator = Simulator(made.elf, BOARD)
    simulator.run()
    assert "a ramp of numbers" in ask(simulator, b"CMD=2")
    values = simulator.peek(simulator.call("model_input", 0), 16)
    assert values == bytes(value & 255 for value in wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
def test_only_digits_take_flash_for_a_sample(dtype: str) -> None:
    assert built_in_sample((TensorSpec("x", (1, 96, 96, 3), dtype, None),))[0] == b""
    assert len(built_in_sample((TensorSpec("x", (1, 28, 28, 1), "float32", None),))[0]) == 4 * 28 * 28


def test_console_makes_a_ramp_of_floats(write_network: Callable[..., Network]) -> None:
    network = replace(write_network(input="float32", arena="static _Alignas(4) int8_t in[16]"), sample=b"")
    simulator = Simulator(build_firmware(BOARD, network, None).elf, BOARD)
    simulator.run()
    ask(simulator, b"CMD=2")
    values = np.frombuffer(simulator.peek(simulator.call("model_input", 0), 16), np.float32)
    np.testing.assert_array_equal(values, np.arange(4, dtype=np.float32) / np.float32(255))


def test_console_tells_build_and_stack_and_helps_with_the_rest(simulator: Simulator, firmware: Firmware) -> None:
    text = ask(simulator, b"CMD=3")
    for name, value in firmware.build.items():
        assert name in text
        assert value in text
    assert "of 4096 B used" in text
    for nonsense in (b"CMD=9", b"CMD", b"cmd=1", b"CMD=11", b"x" * 200):
        assert "CMD=2  run the built-in sample" in ask(simulator, nonsense)
    # A line that is mended on the way.
    assert "arena 26 B" in ask(simulator, b"CMX\x7fD=1")


def test_console_restarts_the_board(simulator: Simulator) -> None:
    text = ask(simulator, b"CMD=4")
    assert simulator.resets == 1
    assert "edgerig-firmware" in text
    assert "arena 26 B" in ask(simulator, b"CMD=1")


def test_counts_of_functions_add_up_to_all_instructions(simulator: Simulator) -> None:
    assert sum(simulator.by_function().values()) == simulator.instructions
    simulator.clear_counts()
    before = simulator.instructions
    simulator.call("model_run")
    counts = simulator.by_function()
    assert sum(counts.values()) == simulator.instructions - before
    assert set(counts) <= {"model_run", "layer_0", "layer_1"}
    assert simulator.count("model_run") == simulator.count("model_run") > 500


def test_calls_are_taken_down_with_what_they_call(simulator: Simulator) -> None:
    run = simulator.symbols["model_run"]
    simulator.watch([run])
    ask(simulator, b"CMD=1")
    assert simulator.take_calls() == []
    count = simulator.count("model_run")
    (call,) = simulator.take_calls()
    assert (call.address, call.instructions) == (run, count)
    assert count / 2 <= call.cycles < 3 * count
    assert simulator.take_calls() == []


def test_functions_take_arguments_and_give_results(simulator: Simulator) -> None:
    place = BOARD.memory.ram.origin + 0x10000
    assert simulator.call("memset", place, 0x5A, 37) == place
    assert simulator.peek(place, 40) == b"\x5a" * 37 + bytes(3)
    with pytest.raises(TargetError, match="no function 'model_walk'"):
        simulator.call("model_walk")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(0, 9), st.integers(0, 9), st.integers(-40, 40))
def test_copies_are_those_of_c(firmware: Firmware, count: int, start: int, to: int, apart: int) -> None:
    board = _shared(firmware)
    base = BOARD.memory.ram.origin + 0x20000
    content = bytes((7 * i + 3) & 0xFF for i in range(256))
    for name, source, target in (("memcpy", start, 128 + to), ("memmove", 100 + start, 100 + start + apart)):
        board.poke(base, content)
        assert board.call(name, base + target, base + source, count) == base + target
        wanted = bytearray(content)
        wanted[target : target + count] = content[source : source + count]
        assert board.peek(base, 256) == bytes(wanted)


_boards: dict[str, Simulator] = {}


def _shared(firmware: Firmware) -> Simulator:
    """One board for all examples: to start one takes longer than what is tested."""
    if firmware.folder not in _boards:
        _boards[firmware.folder] = Simulator(firmware.elf, BOARD)
        _boards[firmware.folder].run()
    return _boards[firmware.folder]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**40))
def test_ticks_become_nanoseconds_exactly(firmware: Firmware, ticks: int) -> None:
    board = _shared(firmware)
    low = board.call("clock_nanoseconds", ticks & 0xFFFF_FFFF, ticks >> 32)
    high = board._engine.reg_read(board._registers.UC_ARM_REG_R1)
    del high  # restored by then: the low half is enough to tell a rounding error
    exact = ticks * 1_000_000_000 / 216_000_000
    # 2^-33 off in the factor: 1 ns in 8 s.
    assert abs((low - round(exact) + 2**31) % 2**32 - 2**31) <= 1 + exact * 2**-33


def test_crash_enters_the_fault_handler_and_restarts(simulator: Simulator) -> None:
    simulator.read(CONSOLE)
    simulator._pc = 0x0808_0001  # erased flash: FFFF FFFF is no instruction
    simulator.run()
    assert simulator.resets == 1
    (fault,) = simulator.faults
    assert fault.pc == 0x0808_0000
    assert "HardFault" in str(fault)
    assert "> " in simulator.read(CONSOLE).decode()


def test_stack_that_runs_over_is_a_crash_with_the_address(simulator: Simulator) -> None:
    registers, engine = simulator._registers, simulator._engine
    engine.reg_write(registers.UC_ARM_REG_SP, BOARD.memory.ram.origin + 8)
    simulator.write(CONSOLE, b"CMD=1\n")
    simulator.run()
    assert simulator.faults[0].what == "write"
    assert simulator.faults[0].address is not None
    assert simulator.faults[0].address < BOARD.memory.ram.origin
    assert simulator.resets == 1
    assert "arena" in ask(simulator, b"CMD=1")


#: Which of these accesses a Cortex-M7 refuses at an odd address: Armv7-M Architecture Reference Manual, A3.2.1.
ACCESSES = {
    "ldmia %0, {r2, r3}": True, "ldmia.w %0, {r2, r8}": True, "stmia.w %0, {r2, r8}": True, "ldrd r2, r3, [%0]": True,
    "strd r2, r3, [%0]": True, "vldr s0, [%0]": True, "vldr d0, [%0]": True, "vstr s0, [%0]": True,
    "vldmia %0, {s0-s3}": True, "vstmia %0, {d0-d1}": True, "ldr r2, [%0]": False, "ldr.w r8, [%0]": False,
    "ldmdb %0, {r2, r8}": True, "ldrd r2, r3, [%0, #8]": True, "ldrd r2, r3, [%0, #-8]": True,
    "vldr s0, [%0, #8]": True, "vldmdb %0!, {s0-s1}": True, "ldrexb r2, [%0]": False,
    "vmov d0, r2, r3": False, "vmov r2, r3, d0": False,
    "str r2, [%0]": False, "ldrh r2, [%0]": False, "ldrsh.w r2, [%0]": False, "strb r2, [%0]": False,
}  # fmt: skip


@pytest.fixture
def accessing(write_network: Callable[..., Network]) -> Firmware:
    """A firmware whose network makes the access number ``in[14]`` at ``in[in[15]]``; its sample makes a bad one."""
    cases = "".join(
        f'case {i}: __asm volatile("{code}" : : "r"(&in[in[15]]) : "r2", "r3", "r8", "s0", "s1", "s2", "s3", "memory");'
        " break; "
        for i, code in enumerate(ACCESSES)
    )
    arena = "static int8_t in[16] __attribute__((aligned(4)))"
    network = write_network(arena=arena, layer=f"switch (in[14]) {{ {cases} default: break; }}")
    return build_firmware(BOARD, replace(network, sample=bytes(14) + bytes([0, 1])), None)


@pytest.mark.parametrize("native", [True, False])
def test_access_to_words_that_the_chip_refuses_is_a_fault(
    accessing: Firmware, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if native:
        need("cc")
    if not native:
        monkeypatch.setattr(alignment, "native_library", lambda name: None)
    board = Simulator(accessing.elf, BOARD)
    board.run()
    assert type(board._alignment) is (NativeAlignment if native else Alignment)
    place = board.call("model_input", 0)
    for number, (code, refused) in enumerate(ACCESSES.items()):
        for watched in (False, True):
            board.watch_alignment(watched)
            for offset in range(4):
                faulty = watched and refused and (place + offset) % 4 != 0
                board.poke(place + 14, bytes([number, offset]))
                told = len(board.faults)
                if faulty:
                    with pytest.raises(TargetError, match="unaligned access"):
                        board.call("model_run")
                    assert board.faults[-1].function in ("layer_1", "model_run"), code
                    assert board.faults[-1].address in range(place + offset, place + offset + 16), code
                else:
                    board.call("model_run")
                assert len(board.faults) == told + faulty, f"{code} at {offset}"


def test_unaligned_access_enters_the_fault_handler_with_its_status(accessing: Firmware) -> None:
    board = Simulator(accessing.elf, BOARD)
    board.watch_alignment(True)
    board.run()
    ask(board, b"CMD=2")
    assert board.resets == 1
    assert [fault.what for fault in board.faults] == ["unaligned access"]
    status = int.from_bytes(board.peek(board.symbols["processor_last_fault"] + 12, 4), "little")
    assert status == 1 << 24  # UNALIGNED, of the usage faults
    board.watch_alignment(False)
    assert "TOTAL TIME=" in ask(board, b"CMD=2")


def test_stack_is_painted_and_its_peak_grows_with_use(simulator: Simulator) -> None:
    before = simulator.call("processor_stack_peak")
    bottom = simulator.symbols["er_stack_bottom"]
    assert simulator.peek(bottom, 4) == bytes.fromhex("3cc3a55a")
    assert 100 < before < 2000
    simulator.poke(bottom + 1024, b"\0\0\0\0")
    assert simulator.call("processor_stack_peak") == 4096 - 1024


def test_memory_survives_a_reset_and_starts_are_counted(simulator: Simulator) -> None:
    place = BOARD.memory.ram.origin + 0x4_0000
    simulator.poke(place, b"still here")
    kept = simulator.symbols["processor_last_fault"] + 24
    first = int.from_bytes(simulator.peek(kept, 4), "little")
    ask(simulator, b"CMD=4")
    assert simulator.peek(place, 10) == b"still here"
    assert int.from_bytes(simulator.peek(kept, 4), "little") == first + 1


@contextmanager
def signal_after(seconds: float, handler: Callable[[int, object], object]) -> Iterator[None]:
    """One SIGINT, and who hears of it."""
    before = signal.signal(signal.SIGINT, handler)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, before)


LINES = 2_000


def test_ctrl_c_stops_the_processor_which_can_go_on_and_nothing_is_lost(simulator: Simulator) -> None:
    once = ask(simulator, b"CMD=1")
    simulator.write(CONSOLE, b"CMD=1\n" * LINES)
    with signal_after(0.1, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        simulator.run()
    assert simulator._chip.lines[CONSOLE].waiting, "it was not stopped in the middle"
    simulator.run()
    assert simulator.read(CONSOLE).decode() == once * LINES


def test_a_signal_whose_handler_returns_changes_nothing(simulator: Simulator) -> None:
    once = ask(simulator, b"CMD=1")
    before = simulator.instructions
    ask(simulator, b"CMD=1")
    each = simulator.instructions - before
    came: list[bool] = []
    before = simulator.instructions
    simulator.write(CONSOLE, b"CMD=1\n" * LINES)
    with signal_after(0.1, lambda *_: came.append(bool(simulator._chip.lines[CONSOLE].waiting))):
        simulator.run()
    assert came == [True], "it came too late"
    assert simulator.read(CONSOLE).decode() == once * LINES
    assert simulator.faults == []
    # Between lines it need not wait until it counts as idle.
    assert (simulator.instructions - before) / LINES == pytest.approx(each, rel=0.02)


@pytest.mark.parametrize("make", [counters.make_counter, Counter])
def test_run_in_slices_it_sends_each_byte_once(
    make: Callable[..., Counter], firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulators, "make_counter", make)
    simulator = Simulator(firmware.elf, BOARD)
    simulator.run()
    once = ask(simulator, b"CMD=1")
    before = simulator.instructions
    ask(simulator, b"CMD=1")
    each = simulator.instructions - before
    before = simulator.instructions
    simulator.write(CONSOLE, b"CMD=1\n")
    simulator._chip.look_again()
    slices = 0
    while not simulator.idle:
        simulator.go_on(0.0002 if make is Counter else 0.000003)
        slices += 1
    assert slices > 10
    assert simulator.read(CONSOLE).decode() == once
    assert simulator.instructions - before == each


def test_a_call_that_is_interrupted_leaves_the_board_waiting(simulator: Simulator) -> None:
    once = ask(simulator, b"CMD=1")

    def call_for_ever() -> None:
        while True:
            simulator.call("model_run")

    # It comes while unicorn runs, between calls, and on a busy machine before the first.
    for tenths in range(50, 80):
        with pytest.raises(KeyboardInterrupt), signal_after(tenths / 10_000, signal.default_int_handler):
            call_for_ever()
        assert ask(simulator, b"CMD=1") == once


def test_a_call_whose_end_is_interrupted_is_ended_before_the_board_goes_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = ask(simulator, b"CMD=1")

    def interrupted(context: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(simulator._engine, "context_restore", interrupted)
        with pytest.raises(KeyboardInterrupt):
            simulator.call("model_run")
    assert ask(simulator, b"CMD=1") == once


def test_a_firmware_for_another_board_is_refused(network: Network) -> None:
    made = build_firmware(load_board("mps2-an500"), network, None)
    with pytest.raises(TargetError, match="does not fit on STM32F746-Discovery"):
        Simulator(made.elf, BOARD)


def test_what_is_no_firmware_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"no firmware")
    with pytest.raises(ModelError, match="no ELF"):
        Simulator(tmp_path / "x.elf", BOARD)


def test_unicorn_that_is_missing_is_told_by_its_extra(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(MissingExtraError, match="unicorn") as error:
        Simulator(firmware.elf, BOARD)
    assert install_command("boards") in (error.value.hint or "")


# ---- counting


def test_counting_in_c_and_in_python_agree(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    need("cc")
    found: list[Any] = []
    makes: list[Callable[..., Counter]] = [counters.make_counter, Counter]
    for make in makes:
        monkeypatch.setattr(simulators, "make_counter", make)
        board = Simulator(firmware.elf, BOARD)
        board.watch([board.symbols["model_run"], board.symbols["text_put"]])
        board.run()
        ask(board, b"CMD=2")
        ask(board, b"CMD=1")
        found.append((board.instructions, board.cycles, board.by_function(), board.take_calls()))
        assert isinstance(board._counter, NativeCounter) == (make is counters.make_counter)
    assert found[0] == found[1]
    assert found[0][1] > 1000
    assert found[0][3]


def test_without_a_compiler_it_counts_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    native_library.cache_clear()
    try:
        monkeypatch.setattr(natives, "zig_compiler", lambda: None)
        monkeypatch.setattr(natives.shutil, "which", lambda name: None)
        monkeypatch.setattr(natives.files, "digest", lambda value: "f" * 64)
        assert type(counters.make_counter(bytes(16), 0)) is Counter
    finally:
        native_library.cache_clear()


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("00bf", 1),
        ("00bf00bf", 2),
        ("aff30080", 1),
        ("00bfaff3008000bf", 3),
        ("30ee000a", 1),
        ("dff80010", 1),
        ("fee7", 1),
    ],
)
def test_thumb_instructions_are_told_apart_by_length(code: str, count: int) -> None:
    assert decode(bytes.fromhex(code)) == count
