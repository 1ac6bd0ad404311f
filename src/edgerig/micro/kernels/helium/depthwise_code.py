"""Assembly of depthwise convolutions by Helium: eight channels of two pixels at a time, taps written out.

Products of 16 bits, VMULLB for even channels and VMULLT for odd ones, are added up in 32 bits. A tap of two pixels
takes 11 instructions and at most two to move pointers, the scaling of 16 outputs 32, 44 where it rounds twice in full.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgerig.micro.kernels.cortex_m.assembly import Function

#: Channels of a group.
GROUP = 8
#: Taps that are written out; windows of more go row by row.
UNROLLED = {"speed": 25, "size": 5}
#: Reach of the offsets of byte loads.
_NEAR = 127
_FAR = 4095


@dataclass(frozen=True)
class Shape:
    """What the code depends on; all steps in bytes.

    Attributes:
        kernel: Rows and columns of the window.
        column, row: From one tap to the next, in the padded rows.
        channels: Of the image.
        width: Pixels of a row of the output.
        pixel: From one output's window to the next in a row.
        down: From the windows of one row of the output to those of the next.
        rounding: As `.scaling.rounding`.
        clamps: Whether the activation clamps from below and from above within the range of int8.
        rolled: Rows of the window in a loop.
    """

    kernel: tuple[int, int]
    column: int
    row: int
    channels: int
    width: int
    pixel: int
    down: int
    rounding: str
    clamps: tuple[bool, bool]
    rolled: bool

    @property
    def name(self) -> str:
        """C name of the function."""
        numbers = (*self.kernel, self.column, self.row, self.channels, self.width, self.pixel, self.down)
        clamps = "".join(letter for letter, wanted in zip("lh", self.clamps, strict=True) if wanted)
        parts = (*map(str, numbers), self.rounding + clamps, *(["rows"] if self.rolled else []))
        return f"er_mve_depthwise_{'_'.join(parts)}"

    @property
    def groups(self) -> int:
        """Of channels, the last one perhaps not full."""
        return -(-self.channels // GROUP)


class _Pointer:
    """A register that moves no more than accesses need."""

    def __init__(self, code: Function, register: str) -> None:
        self._code, self._register, self.offset = code, register, 0

    def at(self, offset: int, near: int = _NEAR) -> str:
        """The operand that reaches ``offset`` from where the pointer was at first."""
        if abs(offset - self.offset) > near:
            self.move(offset)
        return f"[{self._register}, #{offset - self.offset}]"

    def move(self, offset: int) -> None:
        """Set it to ``offset``."""
        add(self._code, self._register, offset - self.offset)
        self.offset = offset


def add(code: Function, register: str, step: int) -> None:
    """Add a constant to a register; r3 is used up where it is a large one."""
    if not step:
        return
    word = "addw" if step > 0 else "subw"
    if abs(step) <= _FAR:
        code.add(f"{word} {register}, {register}, #{abs(step)}")
        return
    code.add(f"movw r3, #{abs(step) & 0xFFFF}")
    if abs(step) >> 16:
        code.add(f"movt r3, #{abs(step) >> 16}")
    code.add(f"{word[:3]} {register}, {register}, r3")


def depthwise(shape: Shape) -> Function:
    """The function, an er_mve_depthwise_run.

    Registers: r0 stream, r1 padded row, r2 output, r4 input, r5 weights, r6 turns of a row, r7 channels left, r8 output
    of a group, r9 zero point, r10 input of a group, r11 rows of the window left, r12 highest output, q7 lowest.
    """
    code = Function(shape.name, f"Depthwise {shape.kernel[0]}x{shape.kernel[1]} of {shape.channels} channels.")
    code.add("push {r4-r11, lr}", "vpush {d8-d15}", "sub sp, sp, #8", "str r3, [sp]")
    code.add("mov r8, r2", "ldrd r2, r9, [r0]", "ldrd r3, r12, [r0, #8]", "vdup.16 q7, r3", "mov r0, r2")
    rows, groups, pairs = code.label("row"), code.label("group"), code.label("pair")
    code.place(rows)
    code.add("mov r5, r0", "mov r10, r1")
    if shape.channels % GROUP or shape.groups > 1:
        code.add(f"movw r7, #{shape.channels}")
    code.place(groups)
    code.add("mov r4, r10", "mov r2, r8", f"movw r3, #{max(1, shape.width // 2)}", "dls lr, r3")
    odd = shape.width % 2 and shape.width > 1
    if odd:
        code.add("movs r6, #1")
    code.place(pairs)
    _pair(code, shape)
    code.add(f"le lr, {pairs}")
    if odd:
        # The last pair overlaps the one before it.
        done = code.label("done")
        code.add("subs r6, #1", f"bmi {done}")
        add(code, "r4", -shape.pixel)
        add(code, "r2", -shape.channels)
        code.add("movs r3, #1", "dls lr, r3", f"b {pairs}")
        code.place(done)
    add(code, "r5", _group_bytes(shape))
    if shape.groups > 1:
        code.add(f"add r10, r10, #{GROUP}", f"add r8, r8, #{GROUP}", f"subs r7, r7, #{GROUP}", f"bgt {groups}")
    add(code, "r8", shape.width * shape.channels - (GROUP * shape.groups if shape.groups > 1 else 0))
    add(code, "r1", shape.down)
    code.add("ldr r3, [sp]", "subs r3, r3, #1", "str r3, [sp]", f"bne {rows}")
    code.add("add sp, sp, #8", "vpop {d8-d15}", "pop {r4-r11, pc}")
    return code


def _group_bytes(shape: Shape) -> int:
    return GROUP * shape.kernel[0] * shape.kernel[1] + 6 * 16


def _pair(code: Function, shape: Shape) -> None:
    """Two outputs of eight channels: q0, q1 of the first pixel, q2, q3 of the second; all pointers move on."""
    height, width = shape.kernel
    second = shape.pixel if shape.width > 1 else 0
    x, weights = _Pointer(code, "r4"), _Pointer(code, "r5")
    if shape.rolled:
        again = code.label("window")
        code.add(*(f"vmov.i32 q{number}, #0" for number in range(4)), f"movw r11, #{height}")
        code.place(again)
        for tap in range(width):
            _taps(code, x, weights, tap, tap * shape.column, second, False)
        x.move(shape.row)
        weights.move(GROUP * width)
        code.add("subs r11, r11, #1", f"bne {again}")
        x.offset, weights.offset = height * shape.row, GROUP * height * width
    else:
        for tap in range(height * width):
            row, column = divmod(tap, width)
            _taps(code, x, weights, tap, row * shape.row + column * shape.column, second, tap == 0)
    _scale(code, shape, weights)
    weights.move(0)
    x.move(2 * shape.pixel)


def _taps(code: Function, x: _Pointer, weights: _Pointer, tap: int, offset: int, second: int, first: bool) -> None:
    """One tap of both pixels; ``first``: their sums begin with it."""
    code.add(f"vldrb.s16 q4, {weights.at(GROUP * tap)}")
    for even, odd, extra in ((0, 1, 0), (2, 3, second)):
        code.add(f"vldrb.s16 q5, {x.at(offset + extra)}")
        if first:
            code.add(f"vmullb.s16 q{even}, q5, q4", f"vmullt.s16 q{odd}, q5, q4")
        else:
            code.add("vmullb.s16 q6, q5, q4", "vmullt.s16 q5, q5, q4")
            code.add(f"vadd.i32 q{even}, q{even}, q6", f"vadd.i32 q{odd}, q{odd}, q5")


def _scale(code: Function, shape: Shape, weights: _Pointer) -> None:
    """Sums to int8, see er_mve_scale.inc; even and odd channels come together when they are narrowed."""
    numbers = GROUP * shape.kernel[0] * shape.kernel[1]
    for index, step in enumerate(("vadd.i32", "vqrdmulh.s32", "vrshl.s32")):
        for odd in (0, 1):
            code.add(f"vldrw.u32 q4, {weights.at(numbers + 32 * index + 16 * odd, 508)}")
            for sums in (odd, 2 + odd):
                if step == "vrshl.s32" and shape.rounding == "full":
                    code.add(f"vand q5, q{sums}, q4", "vshr.s32 q5, q5, #31", f"vqadd.s32 q{sums}, q{sums}, q5")
                code.add(f"{step} q{sums}, q{sums}, q4")
    lowest, highest = shape.clamps
    for even in (0, 2):
        narrow = f"q{even}"
        code.add(f"vqmovnb.s32 {narrow}, {narrow}", f"vqmovnt.s32 {narrow}, q{even + 1}")
        code.add(f"vqadd.s16 {narrow}, {narrow}, r9", f"vqmovnb.s16 {narrow}, {narrow}")
        if lowest or highest:
            code.add(f"vmovlb.s8 {narrow}, {narrow}")
        if lowest:
            code.add(f"vmax.s16 {narrow}, {narrow}, q7")
    if highest:
        code.add("vdup.16 q6, r12", "vmin.s16 q0, q0, q6", "vmin.s16 q2, q2, q6")
    second = shape.channels if shape.width > 1 else 0
    y = _Pointer(code, "r2")
    if shape.channels % GROUP:
        code.add("vctp.16 r7")
    for narrow, offset in (("q0", 0), ("q2", second)):
        if shape.channels % GROUP:
            target = y.at(offset)
            code.add("vpst", f"vstrbt.16 {narrow}, {target}")
        else:
            code.add(f"vstrb.16 {narrow}, {y.at(offset)}")
    y.move(2 * shape.channels)
