"""Thumb instructions as a cycle model sees them: what kind each is, which registers it reads and writes.

Encodings: Armv7-M Architecture Reference Manual (DDI 0403E), A5 for the processor's own, A6 and A7.7 for the FPU's.
Only what costs time is told apart; nothing here can run a program.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "alu", "shift", "simd", "mul", "mull", "div", "load", "slow_load", "store", "load_multiple", "store_multiple",
    "branch", "indirect", "table", "it", "system",
    "fp", "fp_mac", "fp_div", "fp_move", "fp_load", "fp_store", "fp_load_multiple", "fp_store_multiple",
]  # fmt: skip

#: Bits of a set of registers: R0 to R15, the flags, S0 to S31.
FLAGS, FIRST_S = 16, 32
_PC, _SP, _LR = 15, 13, 14


class Instruction(msgspec.Struct, frozen=True):
    """One instruction.

    Attributes:
        kind: What it costs by.
        address: Registers that an address is made of; needed earlier than data.
        reads, writes: Sets of registers, a bit each: R0 to R15, the flags (bit 16), S0 to S31 (from bit 32).
        accumulator: Of ``reads``: what a multiply-accumulate adds to, and needs late.
        words: Words that a load or store moves.
        bytes: Its length.
        to_pc: Whether it writes the program counter.
    """

    kind: Kind
    reads: int = 0
    writes: int = 0
    address: int = 0
    accumulator: int = 0
    words: int = 0
    bytes: int = 2
    to_pc: bool = False


def instructions(code: bytes) -> list[Instruction]:
    """The instructions in ``code``, which begins with one."""
    decoded, offset = [], 0
    while offset + 1 < len(code):
        first = code[offset] | code[offset + 1] << 8
        if first >> 11 >= 0x1D and offset + 3 < len(code):
            decoded.append(_wide(first, code[offset + 2] | code[offset + 3] << 8))
            offset += 4
        else:
            decoded.append(_narrow(first))
            offset += 2
    return decoded


def _bits(*registers: int) -> int:
    mask = 0
    for register in registers:
        mask |= 1 << register
    return mask


_FLAGS = 1 << FLAGS


# ---- 16 bits: A5.2


def _narrow(code: int) -> Instruction:
    top = code >> 12
    low, middle = code & 7, code >> 3 & 7
    if top < 4:
        return _narrow_immediate(code)
    if top == 4:
        if code >> 11 == 9:
            return Instruction("load", writes=_bits(code >> 8 & 7), words=1)
        return _narrow_special(code) if code >> 10 & 1 else _narrow_data(code)
    if top == 5:
        return _narrow_register_offset(code, low, middle)
    if top in (6, 7, 8):
        slow = top != 6
        if code >> 11 & 1:
            return Instruction("slow_load" if slow else "load", 0, _bits(low), _bits(middle), words=1)
        return Instruction("store", _bits(low), address=_bits(middle), words=1)
    if top == 9:
        data = _bits(code >> 8 & 7)
        if code >> 11 & 1:
            return Instruction("load", 0, data, _bits(_SP), words=1)
        return Instruction("store", data, address=_bits(_SP), words=1)
    if top == 10:
        return Instruction("alu", _bits(_SP) if code >> 11 & 1 else 0, _bits(code >> 8 & 7))
    if top == 11:
        return _narrow_misc(code)
    if top == 12:
        base, listed = _bits(code >> 8 & 7), code & 0xFF
        if code >> 11 & 1:
            return Instruction("load_multiple", 0, listed | base, base, words=listed.bit_count())
        return Instruction("store_multiple", listed, base, base, words=listed.bit_count())
    if top == 13:
        if code >> 8 & 15 >= 14:
            return Instruction("system")
        return Instruction("branch", _FLAGS)
    return Instruction("branch")


def _narrow_immediate(code: int) -> Instruction:
    op, low, middle, high = code >> 11, code & 7, code >> 3 & 7, code >> 8 & 7
    if op < 3:
        return Instruction("shift", _bits(middle), _bits(low) | _FLAGS)
    if op == 3:
        other = 0 if code >> 10 & 1 else _bits(code >> 6 & 7)
        return Instruction("alu", _bits(middle) | other, _bits(low) | _FLAGS)
    if op == 4:
        return Instruction("alu", 0, _bits(high) | _FLAGS)
    if op == 5:
        return Instruction("alu", _bits(high), _FLAGS)
    return Instruction("alu", _bits(high), _bits(high) | _FLAGS)


def _narrow_data(code: int) -> Instruction:
    op, low, middle = code >> 6 & 15, code & 7, code >> 3 & 7
    if op in (8, 10, 11):
        return Instruction("alu", _bits(low, middle), _FLAGS)
    if op == 13:
        return Instruction("mul", _bits(low, middle), _bits(low) | _FLAGS)
    reads = _bits(middle) if op in (9, 15) else _bits(low, middle)
    kind: Kind = "shift" if op in (2, 3, 4, 7) else "alu"
    return Instruction(kind, reads | (_FLAGS if op in (5, 6) else 0), _bits(low) | _FLAGS)


def _narrow_special(code: int) -> Instruction:
    op, source = code >> 8 & 3, code >> 3 & 15
    target = code & 7 | code >> 4 & 8
    if op == 3:
        return Instruction("indirect", _bits(source), _bits(_LR) if code >> 7 & 1 else 0, to_pc=True)
    if op == 1:
        return Instruction("alu", _bits(target, source), _FLAGS)
    reads = _bits(source) if op == 2 else _bits(target, source)
    if target == _PC:
        return Instruction("indirect", reads, to_pc=True)
    return Instruction("alu", reads, _bits(target))


def _narrow_register_offset(code: int, low: int, middle: int) -> Instruction:
    op, address = code >> 9 & 7, _bits(middle, code >> 6 & 7)
    if op < 3:
        return Instruction("store", _bits(low), address=address, words=1)
    return Instruction("load" if op == 4 else "slow_load", 0, _bits(low), address, words=1)


def _narrow_misc(code: int) -> Instruction:
    if code & 0xFF00 == 0xB000:
        return Instruction("alu", _bits(_SP), _bits(_SP))
    if code & 0xF500 == 0xB100:
        return Instruction("branch", _bits(code & 7))
    if code & 0xFF00 == 0xB200:
        return Instruction("simd", _bits(code >> 3 & 7), _bits(code & 7))
    if code & 0xFE00 == 0xB400:
        listed = code & 0xFF | (_bits(_LR) if code >> 8 & 1 else 0)
        return Instruction("store_multiple", listed, _bits(_SP), _bits(_SP), words=listed.bit_count())
    if code & 0xFE00 == 0xBC00:
        listed, back = code & 0xFF, bool(code >> 8 & 1)
        return Instruction(
            "load_multiple", 0, listed | _bits(_SP), _bits(_SP), words=listed.bit_count() + back, to_pc=back
        )
    if code & 0xFF00 == 0xBA00:
        return Instruction("simd", _bits(code >> 3 & 7), _bits(code & 7))
    if code & 0xFF00 == 0xBF00:
        return Instruction("it", _FLAGS) if code & 15 else Instruction("system")
    return Instruction("system")


# ---- 32 bits: A5.3


def _wide(first: int, second: int) -> Instruction:
    op1, op2 = first >> 11 & 3, first >> 4 & 0x7F
    if op1 == 2:
        return _wide_branch(first, second) if second >> 15 else _wide_immediate(first, second)
    if op2 & 0x40:
        return _coprocessor(first, second)
    if op1 == 1:
        if op2 & 0x60 == 0x20:
            return _wide_shifted(first, second)
        return _double_or_exclusive(first, second) if op2 & 4 else _multiple(first, second)
    if op2 & 0x60 == 0:
        return _wide_single(first, second)
    if op2 & 0x70 == 0x20:
        return _wide_register(first, second)
    return _multiply(first, second)


def _wide_branch(first: int, second: int) -> Instruction:
    if second & 0x5000 == 0x5000 or second & 0x5000 == 0x4000:
        return Instruction("branch", 0, _bits(_LR), bytes=4)
    if second & 0x5000 == 0 and first >> 6 & 15 >= 14:
        return Instruction("system", bytes=4)
    return Instruction("branch", _FLAGS if second & 0x1000 == 0 else 0, bytes=4)


def _wide_immediate(first: int, second: int) -> Instruction:
    source, target = first & 15, second >> 8 & 15
    if first >> 9 & 1:
        op = first >> 4 & 31
        if op in (4, 12):  # MOVW; MOVT keeps the lower half
            return Instruction("alu", _bits(target) if op == 12 else 0, _bits(target), bytes=4)
        kind: Kind = "alu" if op in (0, 10) else "simd"
        reads = 0 if source == _PC else _bits(source)
        return Instruction(kind, reads | (_bits(target) if op == 22 else 0), _bits(target), bytes=4)
    return _data(first >> 5 & 15, bool(first >> 4 & 1), 0 if source == _PC else _bits(source), target, "alu")


def _wide_shifted(first: int, second: int) -> Instruction:
    op, source, target = first >> 5 & 15, first & 15, second >> 8 & 15
    moved = _bits(second & 15)
    reads = moved if source == _PC else moved | _bits(source)
    shifted = second >> 12 & 7 or second >> 4 & 15
    kind: Kind = "simd" if op == 6 else "shift" if shifted else "alu"
    return _data(op, bool(first >> 4 & 1), reads, target, kind)


def _data(op: int, sets: bool, reads: int, target: int, kind: Kind) -> Instruction:
    """Data processing of 32 bits: A5.3.1, A5.3.11."""
    if op in (10, 11):
        reads |= _FLAGS
    if target == _PC and sets and op in (0, 4, 8, 13):
        return Instruction(kind, reads, _FLAGS, bytes=4)
    return Instruction(kind, reads, _bits(target) | (_FLAGS if sets else 0), bytes=4)


def _multiple(first: int, second: int) -> Instruction:
    base = _bits(first & 15)
    updated = base if first >> 5 & 1 else 0
    if first >> 4 & 1:
        to_pc = bool(second >> _PC & 1)
        writes = (second & 0x7FFF) | updated
        return Instruction("load_multiple", 0, writes, base, words=second.bit_count(), bytes=4, to_pc=to_pc)
    return Instruction("store_multiple", second & 0x7FFF, updated, base, words=second.bit_count(), bytes=4)


def _double_or_exclusive(first: int, second: int) -> Instruction:
    base, data = _bits(first & 15), _bits(second >> 12 & 15)
    load = bool(first >> 4 & 1)
    if first & 0x120 == 0:  # exclusive, or a table of branches
        if first >> 4 & 15 == 13 and second & 0xE0 == 0:
            return Instruction("table", 0, 0, base | _bits(second & 15), words=1, bytes=4, to_pc=True)
        if load:
            return Instruction("load", 0, data, base, words=1, bytes=4)
        return Instruction("store", data, _bits(second & 15), base, words=1, bytes=4)
    data |= _bits(second >> 8 & 15)
    updated = base if first >> 5 & 1 else 0
    if load:
        return Instruction("load_multiple", 0, data | updated, base & ~_bits(_PC), words=2, bytes=4)
    return Instruction("store_multiple", data, updated, base, words=2, bytes=4)


def _wide_single(first: int, second: int) -> Instruction:
    base, data = first & 15, second >> 12 & 15
    size = first >> 5 & 3
    immediate = bool(first >> 7 & 1) or base == _PC
    address = 0 if base == _PC else _bits(base)
    updated = 0
    if not immediate:
        if second >> 11 & 1:
            updated = _bits(base) if second >> 8 & 1 else 0
        else:
            address |= _bits(second & 15)
    if not first >> 4 & 1:
        return Instruction("store", _bits(data), updated, address, words=1, bytes=4)
    if data == _PC:
        if size == 2:
            return Instruction("indirect", 0, updated, address, words=1, bytes=4, to_pc=True)
        return Instruction("alu", bytes=4)  # PLD, PLI
    return Instruction("load" if size == 2 else "slow_load", 0, _bits(data) | updated, address, words=1, bytes=4)


def _wide_register(first: int, second: int) -> Instruction:
    """Shifts by a register, extensions, additions in parallel, reversals: A5.3.12 to A5.3.15."""
    source, target, moved = first & 15, second >> 8 & 15, second & 15
    if first & 0x80 == 0 and second & 0xF0 == 0:
        flags = _FLAGS if first >> 4 & 1 else 0
        return Instruction("shift", _bits(source, moved), _bits(target) | flags, bytes=4)
    reads = _bits(moved) if source == _PC else _bits(source, moved)
    return Instruction("simd", reads, _bits(target), bytes=4)


def _multiply(first: int, second: int) -> Instruction:
    factors, op = _bits(first & 15, second & 15), first >> 4 & 7
    third, target = second >> 12 & 15, second >> 8 & 15
    if first & 0x80 == 0:
        added = 0 if third == _PC else _bits(third)
        return Instruction("mul", factors | added, _bits(target), accumulator=added, bytes=4)
    if op in (1, 3) and second & 0xF0 == 0xF0:
        return Instruction("div", factors, _bits(target), bytes=4)
    pair = _bits(third, target)
    added = pair if op in (4, 5, 6) else 0
    return Instruction("mull", factors | added, pair, accumulator=added, bytes=4)


# ---- FPU: A6


def _coprocessor(first: int, second: int) -> Instruction:
    if second >> 9 & 7 != 5:
        return Instruction("system", bytes=4)
    double = bool(second >> 8 & 1)
    if first & 0xEF00 == 0xEE00:
        if first & 0x1000 == 0 and second >> 4 & 1:
            return _move_one(first, second, double)
        return _arithmetic(first, second, double)
    if first & 0xFFE0 == 0xEC40:
        core = _bits(second >> 12 & 15, first & 15)
        floats = _floats(second & 15, second >> 5 & 1, double) | (0 if double else _next(second))
        if first >> 4 & 1:
            return Instruction("fp_move", floats, core, words=2, bytes=4)
        return Instruction("fp_move", core, floats, words=2, bytes=4)
    return _move_many(first, second, double)


def _next(second: int) -> int:
    """The second of two neighbouring single registers."""
    number = (second & 15) * 2 + (second >> 5 & 1) + 1
    return 1 << FIRST_S + number if number < 32 else 0


def _floats(four: int, low: int, double: bool) -> int:
    """A register of the FPU as it is encoded: four bits, and one more on either side of them."""
    if double:
        return 3 << FIRST_S + 2 * (four | low << 4) if four | low << 4 < 16 else 0
    return 1 << FIRST_S + four * 2 + low


def _move_many(first: int, second: int, double: bool) -> Instruction:
    base = first & 15
    address = 0 if base == _PC else _bits(base)
    load = bool(first >> 4 & 1)
    words = 1 + double if first & 0x120 == 0x100 else second & 0xFF
    start = _floats(second >> 12 & 15, first >> 6 & 1, double)
    lowest = (start & -start).bit_length() - 1
    floats = ((1 << words) - 1) << max(lowest, FIRST_S) & (1 << 64) - 1
    if first & 0x120 == 0x100:
        if load:
            return Instruction("fp_load", 0, floats, address, words=words, bytes=4)
        return Instruction("fp_store", floats, 0, address, words=words, bytes=4)
    updated = address if first >> 5 & 1 else 0
    if load:
        return Instruction("fp_load_multiple", 0, floats | updated, address, words=words, bytes=4)
    return Instruction("fp_store_multiple", floats, updated, address, words=words, bytes=4)


def _move_one(first: int, second: int, double: bool) -> Instruction:
    core = second >> 12 & 15
    if first & 0xE0 == 0xE0:  # VMRS to the flags or a register, VMSR
        return Instruction("fp_move", 0, _FLAGS if core == _PC else _bits(core), words=1, bytes=4)
    number = _floats(first & 15, second >> 7 & 1, double)
    if first >> 4 & 1:
        return Instruction("fp_move", number, _bits(core), words=1, bytes=4)
    return Instruction("fp_move", _bits(core), number, words=1, bytes=4)


def _arithmetic(first: int, second: int, double: bool) -> Instruction:
    target = _floats(second >> 12 & 15, first >> 6 & 1, double)
    left = _floats(first & 15, second >> 7 & 1, double)
    right = _floats(second & 15, second >> 5 & 1, double)
    op = first >> 4 & 0xB
    if first >> 12 & 1:  # VSEL, VMAXNM, VMINNM, VRINTA .. VCVTA ..
        reads = right if op == 0xB else left | right | (_FLAGS if first & 0x80 == 0 else 0)
        return Instruction("fp", reads, target, bytes=4)
    if op in (0, 1, 9, 10):
        return Instruction("fp_mac", left | right | target, target, accumulator=target, bytes=4)
    if op == 8:
        return Instruction("fp_div", left | right, target, bytes=4)
    if op != 11:
        return Instruction("fp", left | right, target, bytes=4)
    if second & 0x40 == 0:
        return Instruction("fp", 0, target, bytes=4)  # VMOV of a constant
    other = first & 15
    if other == 1 and second & 0x80:
        return Instruction("fp_div", right, target, bytes=4)  # VSQRT
    if other in (4, 5):
        return Instruction("fp", target | (right if other == 4 else 0), _FLAGS, bytes=4)
    return Instruction("fp", right, target, bytes=4)
