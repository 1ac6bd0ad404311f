"""Assembly of Winograd's F(2x2, 3x3): 16 products for four outputs of 3x3 taps, all in integers.

With B and A of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), and twice their G, the
result is exactly four times the convolution. Inputs become sums of four int8, weights sums of nine; both fit into
int16, and accumulators may wrap on the way.

A row of tiles goes through three functions: `rows` transforms four rows of the image downwards, `columns` two
neighbouring tiles sideways, and `products` multiplies these with all channels and transforms back.
"""

from __future__ import annotations

from edgerig.micro.kernels.cortex_m.assembly import Function

#: The order in which `columns` makes the four values of each row.
ORDER = (0, 3, 1, 2)
#: Steps of four inputs in a loop of `products`.
_STEPS = 16


def rows_name(channels: int, width: int) -> str:
    """Name of `rows`."""
    return f"er_winograd_rows_{channels}x{width}"


def columns_name(channels: int, width: int) -> str:
    """Name of `columns`; ``width`` with padding."""
    return f"er_winograd_columns_{channels}x{width}"


def products_name(channels: int, outputs: int, shift: int) -> str:
    """Name of `products`; shift 0 is the scaling with two roundings."""
    return f"er_winograd_{channels}_{outputs}_{shift or 'full'}"


def rows(channels: int, width: int) -> Function:
    """``void name(const int8_t *const rows[3], uint32_t *to, const er_winograd_border *border)``.

    Rows are the first, the second and the fourth; the third lies behind the second. For each two channels: left
    border, columns, right border, of four words each.
    """
    code = Function(rows_name(channels, width), "Winograd: four rows of an image, downwards; see er_winograd.h.")
    channel = code.label("channel")
    # r0, r1, r3: rows; r2: to; r4-r8: a column; r9: count; r10: border; r11, r12, lr: rows of this channel
    code.add("push {r0-r11, lr}", "ldm r0, {r0, r1, r3}", "ldr r12, [sp, #8]", "ldr r2, [sp, #4]")
    code.add("ldm r12, {r10, r12, lr}", "sub sp, #16", "strd r12, lr, [sp]")
    code.add(f"mov r4, #{channels // 4}", "str r4, [sp, #8]")
    for quad_half in range(2):
        if quad_half == 0:
            code.place(channel)
        rotated = ", ror #8" if quad_half else ""
        border = code.label("border")
        code.add("mov r4, #0", "mov r5, r10", "mov r6, #0", "mov r7, #0")
        code.add("ldr r12, [sp]", "cmp r12, #0", f"beq {border}", "stmia r2!, {r4-r7}")
        code.place(border)
        code.add(f"mov r9, #{width // 2}", "mov r12, r0", "mov lr, r1", "mov r11, r3")
        loop = code.label("loop")
        code.place(loop)
        for _ in range(2):
            code.add(
                f"ldr r4, [r12], #{channels}",
                f"ldr r6, [lr, #{channels * width}]",
                f"ldr r8, [lr], #{channels}",
                f"ldr r7, [r11], #{channels}",
            )
            code.add(*(f"sxtb16 {register}, {register}{rotated}" for register in ("r4", "r6", "r8", "r7")))
            code.add("sadd16 r5, r8, r6", "ssub16 r4, r4, r6", "ssub16 r7, r8, r7", "ssub16 r6, r6, r8")
            code.add("stmia r2!, {r4-r7}")
        code.add("subs r9, #1", f"bne {loop}")
        border = code.label("border")
        code.add("mov r4, #0", "mov r5, r10", "mov r6, #0", "mov r7, #0")
        code.add("ldr r12, [sp, #4]", "cmp r12, #0", f"beq {border}", "stmia r2!, {r4-r7}")
        code.place(border)
    code.add("add r0, #4", "add r1, #4", "add r3, #4", "ldr r4, [sp, #8]", "subs r4, #1", "str r4, [sp, #8]")
    code.add(f"bne {channel}", "add sp, #32", "pop {r4-r11, pc}")
    return code


def columns(channels: int, width: int) -> Function:
    """``void name(const uint32_t *from, uint32_t *to)``: two tiles of all channels.

    To: for each of 16 places, in the order of rows and `ORDER`, by four channels: two of both tiles, two of both.
    """
    code = Function(columns_name(channels, width), "Winograd: two tiles, sideways; see er_winograd.h.")
    loop = code.label("loop")
    position = 4 * channels
    code.add("push {r4-r11, lr}", "sub sp, #4", f"mov r2, #{channels // 2}")
    code.place(loop)
    code.add("str r2, [sp]")
    pairs = [("r2", "r3"), ("r4", "r5"), ("r6", "r7"), ("r8", "r9"), ("r10", "r11"), ("r12", "lr")]
    for half in range(2):
        code.add(*(f"ldrd {a}, {b}, [r0, #{16 * column + 8 * half}]" for column, (a, b) in enumerate(pairs)))
        for row in range(2):
            c0, c1, c2, c3, c4, c5 = (pair[row] for pair in pairs)
            code.add(f"ssub16 {c0}, {c0}, {c2}", f"str {c0}, [r1]", f"ssub16 {c0}, {c2}, {c4}", f"str {c0}, [r1, #4]")
            code.add(f"ssub16 {c0}, {c1}, {c3}", f"ssub16 {c5}, {c3}, {c5}")
            # STR steps by up to 255 bytes, STRD by 1020.
            code.add(
                *([f"str {c0}, [r1, #{position}]!"] if position < 256 else [f"add r1, #{position}", f"str {c0}, [r1]"])
            )
            code.add(f"str {c5}, [r1, #4]", f"sadd16 {c0}, {c1}, {c2}", f"sadd16 {c5}, {c3}, {c4}")
            code.add(f"strd {c0}, {c5}, [r1, #{position}]!", f"ssub16 {c0}, {c2}, {c1}", f"ssub16 {c5}, {c4}, {c3}")
            code.add(f"strd {c0}, {c5}, [r1, #{position}]!", f"add r1, #{position}")
    code.add(f"add r0, #{16 * width}", f"subw r1, r1, #{16 * position - 8}", "ldr r2, [sp]", "subs r2, #1")
    code.add(f"bne {loop}", "add sp, #4", "pop {r4-r11, pc}")
    return code


def products(channels: int, outputs: int, shift: int) -> Function:
    """``void name(const er_winograd *job, const uint32_t *tiles, int8_t *out)``: two tiles times all weights.

    Weights: for each two output channels and place, by four inputs: two of a, two of b, two of a, two of b; then start,
    multiplier and, with two roundings, constant and shift of a, the same of b.
    """
    name = products_name(channels, outputs, shift)
    code = Function(name, "Winograd: two tiles by all channels, and back; see er_winograd.h.")
    pair, loop = code.label("pair"), code.label("loop")
    steps = channels // 4
    # A power of two, for it must divide 16.
    places = 1 << max(1, _STEPS // steps).bit_length() - 1
    # Frame: tiles, out, row stride, addend. s0: end of tiles, s1: weights, s2: end of weights.
    code.add("push {r4-r11, lr}", "sub sp, #20", "ldm r0, {r3-r6}", "strd r1, r2, [sp]", "strd r5, r6, [sp, #8]")
    code.add("mov lr, r3", "vmov s2, r4", f"add r1, r1, #{64 * channels}", "vmov s0, r1")
    code.place(pair)
    code.add("ldr r12, [sp]")
    code.place(loop)
    for _ in range(places):
        for step in range(steps):
            code.add("ldmia r12!, {r0-r3}", "ldmia lr!, {r8-r11}")
            for accumulator, (x, w) in enumerate((("r0", "r8"), ("r1", "r8"), ("r0", "r9"), ("r1", "r9"))):
                register = f"r{4 + accumulator}"
                code.add(f"smuad {register}, {x}, {w}" if step == 0 else f"smlad {register}, {x}, {w}, {register}")
            for accumulator, (x, w) in enumerate((("r2", "r10"), ("r3", "r10"), ("r2", "r11"), ("r3", "r11"))):
                code.add(f"smlad r{4 + accumulator}, {x}, {w}, r{4 + accumulator}")
        code.add("push {r4-r7}")
    code.add("vmov r0, s0", "cmp r12, r0", f"bne {loop}")
    for channel in range(2):
        code.add("vmov s1, lr")
        code.add(*_back(channel))
        code.add("vmov lr, s1", *(_scale_once(shift) if shift else _scale_twice(outputs, channel)))
        if shift:
            code.add(*_store(outputs, channel))
    code.add("ldr r1, [sp, #260]", "add r1, #2", "str r1, [sp, #260]", "add sp, #256")
    code.add("vmov r0, s2", "cmp r0, lr", f"bne {pair}", "add sp, #20", "pop {r4-r11, pc}")
    return code


#: Outputs (row, column) of both tiles.
_OUT = {(0, 0): ("r4", "r5"), (0, 1): ("r6", "r7"), (1, 0): ("r8", "r9"), (1, 1): ("r10", "r11")}


def _back(channel: int) -> list[str]:
    """From 16 products of two tiles on the stack to four outputs of each, in the registers of `_OUT`."""
    lines = []

    def load(a: str, b: str, row: int, column: int) -> str:
        position = 4 * row + ORDER.index(column)
        return f"ldrd {a}, {b}, [sp, #{16 * (15 - position) + 8 * channel}]"

    for column in range(4):
        upper, lower = (_OUT[0, 0], _OUT[1, 0]), (("r12", "lr"), ("r0", "r1"))
        if column == 0:
            (ua, ub), (la, lb) = upper
        elif column == 1:
            (ua, ub), (la, lb) = _OUT[0, 1], _OUT[1, 1]
        else:
            (ua, ub), (la, lb) = lower
        # Rows 1 and 2: their sum goes up, their difference down.
        lines += [load(la, lb, 1, column), load("r2", "r3", 2, column)]
        lines += [f"add {ua}, {la}, r2", f"add {ub}, {lb}, r3", f"sub {la}, {la}, r2", f"sub {lb}, {lb}, r3"]
        lines += [load("r2", "r3", 0, column), f"add {ua}, {ua}, r2", f"add {ub}, {ub}, r3"]
        lines += [load("r2", "r3", 3, column), f"sub {la}, {la}, r2", f"sub {lb}, {lb}, r3"]
        for row, (a, b) in enumerate(((ua, ub), (la, lb))):
            for into, sign in ((0, "add"), (1, "sub")):
                if (column, into) in ((1, 0), (2, 0), (2, 1), (3, 1)):
                    ya, yb = _OUT[row, into]
                    lines += [f"{sign} {ya}, {ya}, {a}", f"{sign} {yb}, {yb}, {b}"]
    return lines


def _scale_once(shift: int) -> list[str]:
    lines = ["ldmia lr!, {r0, r1}", "ldr r2, [sp, #268]"]
    for register in (register for pair in _OUT.values() for register in pair):
        lines += [
            f"add {register}, r0, {register}, lsl #6",
            f"smmla {register}, {register}, r1, r2",
            f"ssat {register}, #8, {register}, asr #{shift}",
        ]
    return lines


def _store(outputs: int, channel: int) -> list[str]:
    lines = ["ldrd r0, r1, [sp, #260]", "add r1, r0, r1"]
    for (row, column), pair in _OUT.items():
        for tile, register in enumerate(pair):
            lines.append(f"strb {register}, [r{row}, #{(2 * tile + column) * outputs + channel}]")
    return lines


def _scale_twice(outputs: int, channel: int) -> list[str]:
    lines = ["ldmia lr!, {r0-r3}", "vmov s1, lr", "ldr lr, [sp, #260]"]
    for (row, column), pair in _OUT.items():
        if (row, column) == (1, 0):
            lines += ["ldr r12, [sp, #264]", "add lr, lr, r12"]
        for tile, register in enumerate(pair):
            lines += [
                f"add {register}, r0, {register}, asr #1",
                f"smmlar r12, {register}, r1, r2",
                f"add r12, r12, {register}, asr #31",
                "asr r12, r12, r3",
                "ssat r12, #8, r12",
                f"strb r12, [lr, #{(2 * tile + column) * outputs + channel}]",
            ]
    return [*lines, "vmov lr, s1"]
