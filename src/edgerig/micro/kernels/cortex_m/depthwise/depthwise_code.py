"""Assembly of depthwise 3x3 layers, generated for one shape: no address arithmetic is left in the inner loop.

Each channel's rows are widened to int16 once, with their border, into a small plane; pairs of outputs then share loads
and have the six pairs of weights in registers: 15 instructions for 18 multiplications (stride 1), 6 to 7 to requantize
and store two outputs, 12 with both roundings. Outputs are int16 *columns* as pointwise kernels take them: tiles of
three pixels, words of two channels, the channels of four in the order 0 2 1 3. Weights come as bytes; ``and
0xff00ff00`` makes of them halves that are multiplied by 256, which `prescaled` asks for. Both roundings, as LiteRT has
them, want twice the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgerig.micro.kernels.cortex_m.assembly import Function

#: Tried first, so that layers share code.
USUAL_SHIFT = 10
_WEIGHTS = (("r2", "r3"), ("r4", "r5"), ("r6", "r7"))
#: Bytes of stack; even multiples of 8 with the registers that are pushed. Two roundings keep the start value and the
#: blocks that are left of a row there, too.
_FRAME = 52
_FRAME_TWICE, _START, _BLOCKS = 60, 48, 52
#: Outputs of a step of the code that are written out; beyond it there is a loop over six.
UNROLLED = {"speed": 15, "size": 6}
_BLOCK = 6
#: Pixels of a row up to which its widening has no loop, where they are no whole words.
_WRITTEN_OUT = 48
_MAX_DISTANCE = 4095
#: Bytes by which a load can move its address on.
_MOST_MOVED = 255


@dataclass(frozen=True)
class Shape:
    """What the code depends on. Widths in pixels; ``pitch`` of the plane in bytes, ``planar`` is the input's layout.

    ``shift``: of the one rounding, for all channels; None for both roundings, whose shift each channel has.
    """

    channels: int
    width: int
    out_width: int
    height: int
    stride: int
    left: int
    right: int
    shift: int | None
    planar: bool
    unrolled: int = UNROLLED["speed"]

    @property
    def pitch(self) -> int:
        """Bytes of a row of the plane: what the last pair of outputs reads, in whole words."""
        read = (self.out_width + self.out_width % 2) * self.stride + 2
        return -(-max(read, self.left + self.width + self.right) // 2) * 4

    @property
    def tile(self) -> int:
        """Bytes of columns of three pixels."""
        return -(-self.channels // 4) * 24

    @property
    def rows(self) -> int:
        """Output rows of a step of the code: a whole number of tiles."""
        return 1 if self.out_width % 3 == 0 else 3

    @property
    def window(self) -> int:
        """Rows of the window."""
        return 3

    @property
    def plane_stride(self) -> int:
        """Bytes from channel to channel of the input."""
        return -(-self.height * self.width // 4) * 4 if self.planar else 1

    @property
    def name(self) -> str:
        """Name of the function."""
        layout, scaling = "" if self.planar else "h", "twice" if self.shift is None else self.shift
        return (
            f"er_depthwise_{self.channels}x{self.height}x{self.width}{layout}_{self.stride}{self.left}{self.right}"
            f"_{self.out_width}_{scaling}" + ("" if self.unrolled == UNROLLED["speed"] else f"_{self.unrolled}")
        )

    @property
    def written_out(self) -> bool:
        """Whether the code of a step has no loop along its rows."""
        return self.rows * self.out_width <= self.unrolled

    @property
    def counted(self) -> bool:
        """Whether steps are counted in a register, lr: neither a loop nor two roundings want it."""
        return self.written_out and self.shift is not None

    def fits(self) -> bool:
        """Whether offsets are within reach of the instructions."""
        rows = 2 + self.stride * (self.rows - 1) if self.written_out else 2
        return self.pitch * rows + 64 <= 1020


def depthwise(shape: Shape) -> Function:
    """``void name(const int8_t *in, uint32_t *columns, const uint32_t *parameters, const er_depthwise_band *band)``."""
    code = Function(shape.name, f"Depthwise 3x3, stride {shape.stride}, {shape.channels} x {shape.width} pixels a row.")
    frame = _FRAME_TWICE if shape.shift is None else _FRAME
    enter(code, frame)
    channel = code.label()
    code.place(channel)
    widen(code, shape)
    _unpack(code, shape)
    _rows(code, shape)
    leave(code, shape, channel, frame)
    return code


def enter(code: Function, frame: int) -> None:
    """Arguments to the stack: those of all channels and what counts them."""
    # in, columns, parameters, weights | multiplier, addend | plane, to, rows in, steps out | rows left, channel
    code.add("push {r4-r11, lr}", f"sub sp, #{frame}", "stmia sp, {r0-r2}", "movs r4, #0", "str r4, [sp, #44]")
    code.add("ldm r3!, {r4-r8}", "add r9, sp, #24", "stmia r9, {r4-r7}", "str r8, [sp, #20]", "ldr r4, [r3]")
    code.add("str r4, [sp, #12]")


def leave(code: Function, shape: Shape, channel: str, frame: int) -> None:
    """On to the next channel, or back."""
    code.add("ldr r0, [sp]", "ldr r4, [sp, #44]", *add_constant("r0", "r0", shape.plane_stride), "adds r4, #1")
    code.add("str r0, [sp]", "str r4, [sp, #44]", *compare("r4", shape.channels), f"bne {channel}")
    code.add(f"add sp, #{frame}", "pop {r4-r11, pc}")


def widen(code: Function, shape: Shape) -> None:
    """The band's rows of one channel to the plane, int16."""
    code.add("ldr r0, [sp]", "ldrd r1, lr, [sp, #28]")
    if shape.left:
        code.add(f"adds r1, #{2 * shape.left}")
    row = code.label()
    code.place(row)
    if not shape.planar:
        _widen_pixels(code, shape)
    elif shape.width % 4 == 0:
        _widen_words(code, shape)
    elif shape.width <= _WRITTEN_OUT:
        for x in range(0, shape.width - 3, 4):
            code.add(f"ldr r2, [r0, #{x}]", "sxtb16 r3, r2", "sxtb16 r4, r2, ror #8", "pkhbt r5, r3, r4, lsl #16")
            code.add("pkhtb r6, r4, r3, asr #16", f"str r5, [r1, #{2 * x}]", f"str r6, [r1, #{2 * x + 4}]")
        for x in range(shape.width // 4 * 4, shape.width):
            code.add(f"ldrsb r2, [r0, #{x}]", f"strh r2, [r1, #{2 * x}]")
        code.add(f"adds r0, #{shape.width}", f"adds r1, #{shape.pitch}")
    else:
        _widen_words(code, shape)
        for _ in range(shape.width % 4):
            code.add("ldrsb r2, [r0], #1", "strh r2, [r1], #2")
        code.add(*add_constant("r1", "r1", shape.pitch - 2 * shape.width))
    code.add("subs lr, #1", f"bne {row}")


def _widen_pixels(code: Function, shape: Shape) -> None:
    """One channel of a row that lies pixel by pixel, as far at a time as instructions reach, and on to the next row."""
    block = min(shape.unrolled + 1, _MAX_DISTANCE // shape.channels + 1, shape.width)
    rounds, rest = divmod(shape.width, block)
    again, border = code.label(), shape.pitch - 2 * shape.width
    if rounds > 1:
        code.add(f"add r12, r1, #{2 * block * rounds}")
    code.place(again)
    _widen_block(code, shape, block, 0 if rounds > 1 or rest else border)
    if rounds > 1:
        code.add("cmp r1, r12", f"bne {again}")
    if rest:
        _widen_block(code, shape, rest, border)
    elif rounds > 1:
        code.add(*add_constant("r1", "r1", border))


def _widen_block(code: Function, shape: Shape, count: int, border: int) -> None:
    """So many pixels, and on behind them; in the plane behind ``border`` bytes more."""
    moved = _moved_within(count, shape.channels)
    order = [0, *(pixel for pixel in range(1, count) if pixel != moved), moved] if moved else list(range(count))
    for first in range(0, count, 4):
        pixels = order[first : first + 4]
        for register, pixel in enumerate(pixels, 2):
            offset, by = (pixel - (moved if pixel else 0)) * shape.channels, 0
            if moved and pixel in (0, moved):
                by = (count - moved if pixel else moved) * shape.channels
            code.add(f"ldrsb r{register}, [r0], #{by}" if by else f"ldrsb r{register}, [r0, #{offset}]")
        code.add(*(f"strh r{register}, [r1, #{2 * pixel}]" for register, pixel in enumerate(pixels, 2)))
    if not moved:
        code.add(*add_constant("r0", "r0", count * shape.channels))
    code.add(*add_constant("r1", "r1", 2 * count + border))


def _moved_within(count: int, channels: int) -> int:
    """The pixel to which the first load of a block moves on, which the last one loads and leaves; 0 if it cannot.

    Loads move by 255 bytes at most, and reach so far back.
    """
    pixel = count // 2
    return pixel if pixel > 0 and (count - pixel) * channels <= _MOST_MOVED else 0


def _widen_words(code: Function, shape: Shape) -> None:
    """Four pixels at a time, and on to the next row where they are all of it. Rows of other widths are not aligned."""
    words, whole = shape.width // 4, shape.width % 4 == 0
    block = next(size for size in (4, 6, 5, 3, 2, 1) if words % size == 0)
    again = code.label()
    if words > block:
        code.add(*add_constant("r12", "r0", 4 * words))
    code.place(again)
    aligned = shape.left % 2 == 0
    for first in range(0, block, 2):
        count = min(2, block - first)
        code.add(
            *(["ldmia r0!, {r2, r3}"] if count == 2 and whole else ["ldr r2, [r0], #4", "ldr r3, [r0], #4"][:count])
        )
        for i in range(count):
            code.add(f"sxtb16 r4, r{2 + i}", f"sxtb16 r5, r{2 + i}, ror #8", f"pkhbt r{6 + 2 * i}, r4, r5, lsl #16")
            code.add(f"pkhtb r{7 + 2 * i}, r5, r4, asr #16")
        registers = [f"r{6 + i}" for i in range(2 * count)]
        if aligned:
            code.add(f"stmia r1!, {{{', '.join(registers)}}}")
        else:
            code.add(*(f"str {register}, [r1], #4" for register in registers))
    if words > block:
        code.add("cmp r0, r12", f"bne {again}")
    if whole:
        code.add(*add_constant("r1", "r1", shape.pitch - 2 * shape.width))


def _unpack(code: Function, shape: Shape) -> None:
    """Weights to r2 to r7, start value to r8, multiplier to the stack, columns of the channel to r1.

    Of two roundings the constant to the stack, too, and the shift less one to lr.
    """
    code.add("ldrd r0, r1, [sp, #8]")
    if shape.shift is None:
        code.add("ldmia r0!, {r8, r9, r10, lr}", f"str r8, [sp, #{_START}]", "strd r9, r10, [sp, #16]")
    else:
        code.add("ldmia r0!, {r8, r9}", "str r9, [sp, #16]")
    # Three bytes of each row: the last row's are the upper ones of their word, so that nothing behind is read.
    code.add("ldr r3, [r1]", "ldr r5, [r1, #3]", "ldr r7, [r1, #5]", "adds r1, #9", "strd r0, r1, [sp, #8]")
    code.add("lsr r7, r7, #8")
    for first, second in _WEIGHTS:
        code.add(f"lsl r9, {second}, #8", f"pkhbt {first}, r9, {second}, lsl #16", f"pkhtb {second}, r9, {second}")
        for weights in (first, second):
            if shape.shift is None:
                code.add(f"sxtb16 {weights}, {weights}, ror #8", f"sadd16 {weights}, {weights}, {weights}")
            else:
                code.add(f"and {weights}, {weights}, #0xff00ff00")
    to_columns(code)
    count = ["ldr lr, [sp, #36]"] if shape.counted else ["ldr r9, [sp, #36]", "str r9, [sp, #40]"]
    code.add("ldr r0, [sp, #24]", *count)


def to_columns(code: Function) -> None:
    """Address of the channel's columns to r1; uses r9 and r10."""
    # Of four channels the columns begin at 0, 12, 2 and 14 of 24 bytes: 6 * (c + bit 0 of c) - 5 * bit 1.
    code.add("ldr r1, [sp, #4]", "ldr r9, [sp, #44]", "and r10, r9, #1", "add r10, r10, r9", "and r9, r9, #2")
    code.add("add r10, r10, r10, lsl #1", "add r1, r1, r10, lsl #1", "add r9, r9, r9, lsl #2", "sub r1, r1, r9")


def _rows(code: Function, shape: Shape) -> None:
    step = code.label()
    code.place(step)
    if shape.written_out:
        at = Target(code, shape.tile)
        for row in range(shape.rows):
            _outputs(code, shape, row * shape.stride * shape.pitch, range(shape.out_width), at, row * shape.out_width)
        at.finish(shape.rows * shape.out_width // 3)
        code.add(*add_constant("r0", "r0", shape.rows * shape.stride * shape.pitch))
    else:
        for row in range(shape.rows):
            _long_row(code, shape, row * shape.out_width % 3)
    if shape.counted:
        code.add("subs lr, #1", f"bne {step}")
    else:
        code.add("ldr r9, [sp, #40]", "subs r9, #1", "str r9, [sp, #40]", f"bne {step}")


def _long_row(code: Function, shape: Shape, phase: int) -> None:
    """One row, blocks of six pixels in a loop; ``phase`` is the place of its first pixel in its tile."""
    blocks, rest = divmod(shape.out_width, _BLOCK)
    if blocks:
        again = code.label()
        # Two roundings have their shift in lr.
        keep = [f"str r9, [sp, #{_BLOCKS}]"] if shape.shift is None else []
        left = "r9" if keep else "lr"
        code.add(f"mov {left}, #{blocks}", *keep)
        code.place(again)
        at = Target(code, shape.tile)
        _outputs(code, shape, 0, range(_BLOCK), at, phase)
        at.finish(2)
        code.add(*(line.replace("str", "ldr") for line in keep))
        code.add(f"adds r0, #{2 * _BLOCK * shape.stride}", f"subs {left}, #1", *keep, f"bne {again}")
    at = Target(code, shape.tile)
    _outputs(code, shape, 0, range(rest), at, phase)
    at.finish((phase + rest) // 3)
    code.add(*add_constant("r0", "r0", shape.stride * (shape.pitch - 2 * _BLOCK * blocks)))


class Target:
    """Where outputs go: r1 and an offset; r1 is moved on only where an offset would be too large."""

    def __init__(self, code: Function, tile: int) -> None:
        self._code, self._tile, self._moved = code, tile, 0

    def offset(self, pixel: int) -> int:
        """Offset from r1 of a pixel, counted from the tile at which r1 stood first."""
        offset = pixel // 3 * self._tile + pixel % 3 * 4 - self._moved
        if offset > _MAX_DISTANCE:
            self.finish(pixel // 3)
            offset = pixel % 3 * 4
        return offset

    def finish(self, tiles: int) -> None:
        """Moves r1 to the beginning of a tile."""
        distance = tiles * self._tile - self._moved
        self._code.add(*add_constant("r1", "r1", distance))
        self._moved = tiles * self._tile


def _outputs(code: Function, shape: Shape, row: int, pixels: range, at: Target, phase: int) -> None:
    for x in range(pixels.start, pixels.stop, 2):
        two = x + 1 < pixels.stop
        (_pair_1 if shape.stride == 1 else _pair_2)(code, row + 2 * shape.stride * x, shape.pitch, two)
        code.add("ldrd r9, r10, [sp, #16]")
        for i, register in enumerate(("r11", "r12") if two else ("r11",)):
            if shape.shift is None:
                code.add(f"smmlar r8, {register}, r9, r10", f"add r8, r8, {register}, asr #31", "asr r8, r8, lr")
                code.add(f"ssat {register}, #8, r8, asr #1")
            else:
                code.add(f"smmla {register}, {register}, r9, r10")
                code.add(f"ssat {register}, #8, {register}, asr #{shape.shift}")
            code.add(f"strh {register}, [r1, #{at.offset(phase + x + i)}]")
        if shape.shift is None:
            code.add(f"ldr r8, [sp, #{_START}]")


def _pair_1(code: Function, offset: int, pitch: int, two: bool) -> None:
    """Two outputs side by side (or one) at stride 1: 15 instructions."""
    for row, (first, second) in enumerate(_WEIGHTS):
        start = [register if row else "r8" for register in ("r11", "r12")]
        code.add(f"ldrd r9, r10, [r0, #{offset + row * pitch}]", f"smlad r11, r9, {first}, {start[0]}")
        if two:
            code.add(f"smlatb r12, r9, {first}, {start[1]}")
        code.add(f"smlabt r11, r10, {second}, r11")
        if two:
            code.add(f"smlad r12, r10, {second}, r12")


def _pair_2(code: Function, offset: int, pitch: int, two: bool) -> None:
    """The same at stride 2: 18 instructions."""
    for row, (first, second) in enumerate(_WEIGHTS):
        start = [register if row else "r8" for register in ("r11", "r12")]
        code.add(f"ldrd r9, r10, [r0, #{offset + row * pitch}]", f"smlad r11, r9, {first}, {start[0]}")
        if two:
            code.add(f"ldr r9, [r0, #{offset + row * pitch + 8}]", f"smlad r12, r10, {first}, {start[1]}")
        code.add(f"smlabt r11, r10, {second}, r11")
        if two:
            code.add(f"smlabt r12, r9, {second}, r12")


def add_constant(to: str, register: str, value: int) -> list[str]:
    """``to = register + value``, 0 to 2**31; nothing for adding 0 in place."""
    lines: list[str] = []
    while value or (to != register and not lines):
        part = min(value, _MAX_DISTANCE)
        lines.append(f"addw {to}, {register}, #{part}")
        value, register = value - part, to
    return lines


def compare(register: str, value: int) -> list[str]:
    if value < 256:
        return [f"cmp {register}, #{value}"]
    return [f"movw r12, #{value}", f"cmp {register}, r12"]
