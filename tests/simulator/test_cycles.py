"""Cycle models: instructions are read as the processor runs them, cost what the manuals say, and the error is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.boards.board import board_names, load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings, Firmware
from edgerig.boards.network import network_of
from edgerig.boards.sizes import open_elf
from edgerig.boards.toolchain import find_toolchain
from edgerig.errors import SpecError
from edgerig.models.files import open_artifact
from edgerig.simulator import simulator as simulators
from edgerig.simulator.cores import CORES, m4_block, m7_block
from edgerig.simulator.counter import Counter, decode
from edgerig.simulator.cycles import ANCHORS, cycle_model, leave_one_out
from edgerig.simulator.simulator import CONSOLE, Simulator
from edgerig.simulator.thumb import FIRST_S, FLAGS, Instruction, instructions
from edgerig.testing import networks

BOARD = load_board("stm32f746")
Assemble = Callable[[str], bytes]


def assembled(texts: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Machine code of assembly for a Cortex-M7; each text has a section of its own."""
    numbered, toolchain = dict(enumerate(dict.fromkeys(texts))), find_toolchain()
    lines = [".syntax unified", ".thumb"]
    for number, text in numbered.items():
        lines += [f'.section .text.{number},"ax",%progbits', ".p2align 2", f"here{number}:"]
        # Labels are of one text alone.
        lines += [re.sub(r"\b(here|loop)\b", rf"\g<1>{number}", line.strip()) for line in text.split(";")]
    (folder / "code.S").write_text("\n".join(lines) + "\n")
    machine = toolchain.machine("cortex-m7", "fpv5-sp-d16")
    toolchain.compile(folder / "code.S", folder / "code.o", machine, folder)
    elf = open_elf(folder / "code.o")
    return {text: bytes(elf.get_section_by_name(f".text.{number}").data()) for number, text in numbered.items()}


@pytest.fixture(scope="module")
def assemble(tmp_path_factory: pytest.TempPathFactory) -> Assemble:
    """Machine code of assembly for a Cortex-M7; of all the tables below at once, which takes zig no longer than one."""
    folder = tmp_path_factory.mktemp("asm")
    known = assembled([*OTHERS, *M4, *M7], folder)
    return lambda text: known[text] if text in known else assembled([text], folder)[text]


# ---- what is read of an instruction


def executed(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every instruction that the firmware runs until it has answered its console, once each."""
    monkeypatch.setattr(simulators, "make_counter", Counter)
    board = Simulator(firmware.elf, BOARD)
    board.run()
    board.write(CONSOLE, b"CMD=2\nCMD=3\n")
    board.run()
    found: dict[bytes, None] = {}
    counter: Any = board._counter
    for address, size in counter._blocks:
        start = address - BOARD.memory.flash.origin
        code, place = counter._code[start : start + size], 0
        for one in instructions(code):
            found[code[place : place + one.bytes]] = None
            place += one.bytes
        assert place == size
    return list(found)


@pytest.fixture(scope="module")
def float_firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    path = networks.dense_tflite(tmp_path_factory.mktemp("net") / "dense.tflite", 64, 10)
    return build_firmware(BOARD, network_of(open_artifact(path), BOARD, BuildSettings()), None)


class Processor:
    """A Cortex-M7 that runs single instructions from states of our choosing."""

    RAM, CODE = 0x2000_0000, 0x0800_0000

    def __init__(self) -> None:
        import unicorn
        from unicorn import arm_const

        self.engine: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M7)
        self.engine.mem_map(self.CODE, 0x10000)
        # Words of memory are addresses themselves. The sum of two addresses is one, too.
        for start in (self.RAM, 2 * self.RAM):
            self.engine.mem_map(start, 0x20000)
            self.engine.mem_write(start, (np.arange(0x8000, dtype=np.uint32) * 4 + start).tobytes())
        self.error: type[Exception] = unicorn.UcError
        names = [f"R{i}" for i in range(13)] + ["SP", "LR"]
        self.core = [getattr(arm_const, f"UC_ARM_REG_{name}") for name in names]
        self.floats = [getattr(arm_const, f"UC_ARM_REG_S{i}") for i in range(32)]
        self.flags = arm_const.UC_ARM_REG_XPSR
        self.const = arm_const

    def run(self, code: bytes, state: np.ndarray[Any, Any]) -> list[int]:
        """The registers after one instruction: R0 to R14, a blank, the flags, S0 to S31."""
        engine = self.engine
        engine.mem_write(self.CODE, code + b"\x00\xbf" * 4)
        engine.reg_write(self.const.UC_ARM_REG_C1_C0_2, 0xF00000)
        engine.reg_write(self.const.UC_ARM_REG_FPEXC, 0x4000_0000)
        for register, value in zip((*self.core, *self.floats), state, strict=True):
            engine.reg_write(register, int(value))
        engine.reg_write(self.flags, (engine.reg_read(self.flags) & ~0xF800_0000) | int(state[0]) << 28 & 0xF000_0000)
        engine.emu_start(self.CODE | 1, self.CODE + len(code), count=1)
        values = [engine.reg_read(register) for register in self.core]
        flags = engine.reg_read(self.flags) >> 28
        return [*values, 0, flags, *(engine.reg_read(register) for register in self.floats)]

    @staticmethod
    def state(seed: int) -> np.ndarray[Any, Any]:
        """Addresses in memory in all registers of the processor, small numbers in those of the FPU."""
        rng = np.random.default_rng(seed)
        core = Processor.RAM + 0x8000 + 4 * rng.integers(0, 0x800, 15)
        return np.concatenate([core, rng.normal(1, 4, 32).astype(np.float32).view(np.uint32)]).astype(np.uint64)


#: Where `Processor.run` tells a register of `Instruction`'s sets.
PLACES = {**{i: i for i in range(15)}, FLAGS: 16, **{FIRST_S + i: 17 + i for i in range(32)}}
#: What goes elsewhere or speaks of the processor itself.
LEFT = ("branch", "indirect", "table", "it", "system")


def check(processor: Processor, code: bytes, one: Instruction) -> bool:
    """Whether the processor ran it; what changed must be among its ``writes``, and follow from what it reads alone."""
    try:
        start = processor.state(1)
        after = processor.run(code, start)
    except processor.error:
        return False
    before = [*(int(v) for v in start[:15]), 0, int(start[0]) & 15, *(int(v) for v in start[15:])]
    for register, place in PLACES.items():
        if register != FLAGS and after[place] != before[place]:
            assert one.writes >> register & 1, f"{code.hex()} writes {register}: {one}"
    # With every register that it does not read changed, what it writes is the same.
    read, other, new = one.reads | one.address, start.copy(), processor.state(2)
    for register in [*range(13), *range(FIRST_S, FIRST_S + 32)]:
        if not (read >> register & 1 or (register == 0 and read >> FLAGS & 1)):
            place = register if register < 15 else register - FIRST_S + 15
            other[place] = new[place]
    again = processor.run(code, other)
    for target, where in PLACES.items():
        if one.writes >> target & 1 and target != FLAGS:
            assert again[where] == after[where], f"{code.hex()} reads more than it should: {one}"
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "float"])
def test_registers_of_instructions_are_those_that_a_processor_reads_and_writes(
    kind: str, firmware: Firmware, float_firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against unicorn, for all that two firmwares run: what it decodes has nothing to do with ours."""
    processor, checked = Processor(), 0
    for code in executed(firmware if kind == "int8" else float_firmware, monkeypatch):
        (one,) = instructions(code)
        assert one.bytes == len(code)
        if one.kind in LEFT or one.to_pc:
            continue
        checked += check(processor, code, one)
    assert checked > 300


#: Instructions that the two firmwares may not have.
OTHERS = (
    "smlad r0, r1, r2, r3", "smmlar r0, r1, r2, r3", "smull r0, r1, r2, r3", "smlal r4, r5, r2, r3", "sdiv r0, r1, r2",
    "udiv r0, r1, r2", "mla r0, r1, r2, r3", "mul r0, r1, r2", "muls r1, r2, r1", "sxtb16 r0, r1, ror #8",
    "sxtab16 r0, r1, r2", "pkhbt r0, r1, r2, lsl #16", "ssat r0, #8, r1", "usat r0, #8, r1, asr #3",
    "bfi r0, r1, #3, #4",
    "ubfx r0, r1, #3, #4", "clz r0, r1", "rev r0, r1", "qadd r0, r1, r2", "ldrd r0, r1, [r2, #8]",
    "strd r0, r1, [r2], #8", "ldr r0, [r1, r2, lsl #0]", "ldr r0, [r1], #4", "ldr r0, [r1, #-4]!", "strh r0, [r1, #2]",
    "ldrsb r0, [r1, #1]", "ldm r0!, {r1, r2, r5}", "ldmdb r0, {r1, r2}", "stm r0!, {r1, r2}", "push {r0, r4, lr}",
    "movw r0, #1234", "movt r0, #1234", "adc r0, r1, r2", "rsbs r0, r1, #0", "orr r0, r1, r2, lsl #3", "mvn r0, r1",
    "adr r0, here", "sbc r0, r1", "tst r0, r1", "cmp.w r0, r1, lsl #2", "vldr s0, [r1]", "vldr d3, [r1]",
    "vstr s5, [r1, #4]", "vldmia r0!, {s4-s9}", "vstmia r0, {d2-d3}", "vfma.f32 s0, s1, s2", "vmla.f32 s0, s1, s2",
    "vadd.f32 s0, s1, s2", "vmul.f32 s31, s1, s2", "vdiv.f32 s0, s1, s2", "vsqrt.f32 s0, s1", "vabs.f32 s3, s4",
    "vneg.f32 s0, s1", "vcmp.f32 s0, s1", "vmov.f32 s0, #1.0", "vmov s0, r1", "vmov r1, s0", "vmov s2, s3, r0, r1",
    "vmov r0, r1, s4, s5", "vcvt.s32.f32 s0, s1", "vcvt.f32.s32 s0, s1", "vmaxnm.f32 s0, s1, s2", "vrinta.f32 s0, s1",
    "vfnms.f32 s0, s1, s2", "vmov.f32 s0, s1", "vmov d1, r2, r3",
)  # fmt: skip


@pytest.mark.slow
def test_registers_of_other_instructions_are_right_too(assemble: Assemble) -> None:
    processor = Processor()
    for text in OTHERS:
        code = assemble(text)
        (one,) = instructions(code)
        assert check(processor, code, one), text


def test_every_byte_string_is_read_to_its_end() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        code = rng.integers(0, 256, 2 * int(rng.integers(1, 9)), dtype=np.uint8).tobytes()
        if code[-1] >> 3 >= 0x1D and sum(one.bytes for one in instructions(code[:-2])) == len(code) - 2:
            continue  # it ends in the middle of one
        assert sum(one.bytes for one in instructions(code)) == len(code)
        assert len(instructions(code)) == decode(code)
        for core in CORES.values():
            assert core.block(code) >= 1


# ---- what instructions cost

#: Of the Cortex-M4, by tables 3-1 and 7-1 of its manual; a taken branch costs more where it is taken.
M4 = {
    "add r0, r1, r2": 1, "movw r0, #1": 1, "mul r0, r1, r2": 1, "smlad r0, r1, r2, r3": 1, "smull r0, r1, r2, r3": 1,
    "mla r0, r1, r2, r3": 1, "ssat r0, #8, r1": 1, "ldr r0, [r1]": 2, "ldrb r0, [r1]": 2, "str r0, [r1]": 1,
    "ldr r0, [r1]; ldr r2, [r3]": 3, "ldr r0, [r1]; ldr r2, [r3]; ldr r4, [r5]": 4, "ldr r0, [r1]; ldr r2, [r0]": 4,
    "ldr r0, [r1]; add r2, r0, r0; ldr r3, [r1]": 5, "ldrd r0, r1, [r2]": 3, "ldm r0, {r1, r2, r3, r4}": 5,
    "stm r0, {r1, r2}": 3, "push {r4, r5, lr}": 4, "vldr s0, [r0]": 2, "vldr d0, [r0]": 3, "vldmia r0, {s0-s7}": 9,
    "vstmia r0, {s0-s3}": 5, "vfma.f32 s0, s1, s2": 3, "vmla.f32 s0, s1, s2": 3, "vmul.f32 s0, s1, s2": 1,
    "vadd.f32 s0, s1, s2": 1, "vadd.f32 s0, s1, s2; vadd.f32 s3, s0, s1": 3,
    "vadd.f32 s0, s1, s2; vadd.f32 s3, s4, s5": 2, "vdiv.f32 s0, s1, s2": 14, "vsqrt.f32 s0, s1": 14, "vmov s0, r0": 1,
    "vmov r0, r1, s0, s1": 2, "b here": 1, "bx lr": 1,
}  # fmt: skip


@pytest.mark.parametrize("text", M4)
def test_cortex_m4_takes_what_its_manual_says(text: str, assemble: Assemble) -> None:
    assert m4_block(assemble(text)) == M4[text]


#: Of the Cortex-M7, of the second of two runs in a row: pairs, units that there is one of, and results waited for.
M7 = {
    "add r0, r1, r2; add r3, r4, r5": 1,  # two units for arithmetic
    "add r0, r1, r2; add r3, r0, r5": 2,  # needs the first's result
    "add r0, r1, r2; ldr r3, [r4]": 1,
    "ldr r0, [r1]; ldr r2, [r3]": 1,  # two loads
    "str r0, [r1]; str r2, [r3]": 2,  # one store
    "smlad r0, r1, r2, r0; smlad r3, r1, r2, r3": 2,  # one unit for products
    "smlad r0, r1, r2, r3; smlad r0, r1, r2, r0": 2,  # sums are taken late
    "mul r0, r1, r2; add r3, r0, r0": 3,  # products are not
    "ldrb r0, [r1]; add r2, r0, r0": 3,  # bytes come a cycle later
    "ldm r0, {r1, r2, r3, r4}": 2,  # two words a cycle, alone
    "ldrd r0, r1, [r2]; add r3, r4, r5": 2,
    "vldmia r0, {s0-s7}": 4,
    "vfma.f32 s0, s1, s2; vfma.f32 s3, s4, s5; vfma.f32 s6, s7, s8": 3,  # one a cycle where they do not wait
    "vfma.f32 s0, s1, s2": 3,  # a sum waits for the one before
    "vadd.f32 s0, s0, s1": 3,
    "vmul.f32 s0, s1, s2; vadd.f32 s3, s3, s0": 4,
    "vdiv.f32 s0, s1, s2": 14,
    "sxtb16 r0, r1; sxtb16 r2, r3": 2,  # one of them a cycle
    "sdiv r0, r1, r2": 7,
    "add r0, r1, r2; b here": 1,
}


@pytest.mark.parametrize("text", M7)
def test_cortex_m7_pairs_and_waits(text: str, assemble: Assemble) -> None:
    assert m7_block(assemble(text)) == M7[text]


def test_a_float_dot_product_costs_the_m4_what_three_cycles_and_loads_of_one_more_make(assemble: Assemble) -> None:
    """16 products: 2 loads of 8 words twice and 16 VFMA. No constant an instruction gives that and int8's, too."""
    floats = assemble("; ".join(["vldmia r0!, {s0-s7}; vldmia r1!, {s8-s15}"] * 2 + ["vfma.f32 s16, s0, s8"] * 16))
    assert m4_block(floats) >= 4 * 9 + 16 * 3
    bytes8 = assemble("; ".join(["ldr r4, [r0], #4"] * 4 + ["smlad r5, r4, r6, r5"] * 8))
    assert m4_block(floats) / decode(floats) > 3 > 2 * m4_block(bytes8) / decode(bytes8)


# ---- on the simulator


def test_branches_cost_where_they_are_taken_or_not_foreseen(assemble: Assemble) -> None:
    code = assemble("loop: subs r0, #1; bne loop; nop") + b"\x00\xbf" * 4
    for name, core in CORES.items():
        counter = Counter(code, 0, core)
        for address in (0, 0, 0, 0, 4):
            counter._on_block(None, address, 4 if address == 0 else 2, None)
        once, after = core.block(code[:4]), core.block(code[4:6])
        # Three times back, of which the first was not foreseen; then on, which was not either.
        extra = 3 * core.taken + 2 * core.missed
        assert counter.cycles == 4 * once + after + extra, name


def test_cycles_of_the_simulator_are_the_model_s_and_the_firmware_reads_them(firmware: Firmware) -> None:
    board = Simulator(firmware.elf, BOARD)
    board.run()
    model = cycle_model("cortex-m7")
    first = board.call("board_ticks"), board.cycles
    board.call("model_run")
    last = board.call("board_ticks"), board.cycles
    between = last[1] - first[1]
    # To read the counter takes some cycles itself.
    assert between - 100 <= last[0] - first[0] <= between
    assert board.cycles == model.cycles(board._counter.cycles)
    assert board.cycles != board.instructions


# ---- anchors and error


def test_the_float_anchor_is_as_published() -> None:
    first, later = ANCHORS[:2]
    assert first.measured == pytest.approx(126.31e-3 * 216e6 / 28.89e6, rel=1e-12)
    assert round(first.measured, 2) == 0.94
    assert round(later.measured, 2) == 1.65
    assert [round(one.measured, 2) for one in ANCHORS[2:]] == [1.57, 1.50, 1.56]


def test_error_is_found_by_leaving_one_out() -> None:
    assert leave_one_out([1.0, 2.0]) == (0.5, 2.0)
    assert leave_one_out([1.0, 1.0, 3.0]) == (0.5, 3.0)
    assert leave_one_out([2.0, 2.0, 2.0]) == (1.0, 1.0)


@pytest.mark.parametrize("core", CORES)
def test_the_band_holds_every_anchor_even_those_that_contradict_one_another(core: Any) -> None:
    model = cycle_model(core)
    assert model.low < 1 < model.high
    for anchor in ANCHORS:
        told = anchor.instructions * anchor.modelled * model.factor
        low, high = model.bounds(told)
        assert low <= anchor.milliseconds * 1e-3 * anchor.clock_hz <= high, anchor.code
    assert "no statistical interval" in str(model)


def test_cycles_are_whole_numbers() -> None:
    model = cycle_model("cortex-m7")
    assert all(model.cycles(n) == n * round(model.factor * 100) // 100 for n in (0, 1, 99, 10**12 + 7))
    with pytest.raises(SpecError, match="no cycle model"):
        cycle_model("cortex-m3")  # type: ignore[arg-type]


def test_boards_without_a_chip_to_compare_with_have_no_model() -> None:
    assert [name for name in board_names() if load_board(name).cycles is not None] == ["stm32f746"]


def test_an_unknown_core_in_a_description_is_refused(tmp_path: Path) -> None:
    from edgerig.boards.board import read_board

    text = (Path(BOARD.folder) / "board.toml").read_text()
    assert 'core = "cortex-m7"' in text
    path = tmp_path / "b" / "board.toml"
    path.parent.mkdir()
    path.write_text(text.replace('core = "cortex-m7"', 'core = "cortex-m33"'))
    with pytest.raises(SpecError, match="core"):
        read_board(path)
