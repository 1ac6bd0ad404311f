"""Convolution of int8 images with any kernel, stride, dilation and padding.

Three neighbouring pixels' windows are copied to int16 columns, which are multiplied with all channels.
Measured with arm-none-eabi-gcc 12.2 -O2, instructions per multiply-accumulate: 1x1 of 64 to 64 channels 0.84, 3x3 of
64 to 64 channels 0.75, 3x3 stride 2 of 16 to 32 channels 0.83, 3x3 of 3 to 16 channels 1.15.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, Node, Value
from edgerig.micro.kernels.access import NOTHING, Access, by_runs, row_begins, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.assembly import Function, source
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.conv.form import form_of
from edgerig.micro.kernels.cortex_m.conv.pairs import FULL, STEP, Pairs, addend_of, channel_pairs, pairs_of, stream
from edgerig.micro.kernels.cortex_m.depthwise import pointwise_code
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import Form
from edgerig.micro.kernels.cortex_m.patch.patches import patched
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.layouts import PLAIN, PLANAR
from edgerig.micro.kernels.refusals import Answer, exact
from edgerig.micro.options import Options

_LIMIT = 1 << 15
#: Steps of the unrolled loop of er_pairs_full.
_FULL_ROUND = 4
#: Words and leftovers of windows for which code is written out.
_WRITTEN_OUT = 20
#: Share of the output's size that a padded copy of the image may have.
_SMALL = 1 / 4
#: Bytes of columns that are worth fewer calls, by thrift.
_COLUMNS = (1024, 512, 0)


class ConvPairs(Kernel):
    """Three pixels by two channels in registers; 0.71 instructions per multiplication and 6.5 per output."""

    name = "conv-columns"
    needs = frozenset({"thumb2", "dsp"})
    node = Conv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D) or node.input.dtype != "int8":
            return False
        window = Window.of(node)
        sizes = (*node.input.shape, *node.weights.shape, *node.output.shape, *node.stride, *node.dilation, window.run)
        return sizes_below(sizes, _LIMIT) and exact(pairs_of(node, patches=True))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        pairs = pairs_of(node, usual_shift=True, patches=True)
        assert isinstance(pairs, Pairs)
        window = Window.of(node)
        generated: dict[str, str] = {}
        _, height, width, channels = node.input.shape
        _, out_height, out_width, out_channels = node.output.shape
        pixels = out_height * out_width
        planar = context.layout(node.output) == PLANAR
        strides = (-(-pixels // 4) * 4, 1) if planar else (1, out_channels)
        order = window.order()
        form = form_of(node, pairs, len(order), context)
        run, first, second = _jobs(pairs, order, form, context, strides if pixels >= 3 else (strides[0], 0))
        if run != FULL:
            generated[f"{run}.S"] = source([_code(pairs, form, len(order), context)])
            context.structs.append(f"extern er_pointwise_run {run};")
        tile = 6 * len(order)
        tiles = max(1, min(_COLUMNS[context.thrift] // tile, pixels // 3))
        padding = node.padding
        # The image's own part of a row begins at a whole word.
        begin = -padding.left * channels % 4
        numbers = (
            height,
            width,
            channels,
            out_width,
            pixels,
            node.kernel[0],
            window.runs // node.kernel[0],
            *node.stride,
            *node.dilation,
            padding.top,
            padding.left,
            padding.right,
            window.run,
            node.input.zero_point,
            tiles,
            window.pitch,
            window.row_step,
            begin,
            window.padded_rows,
            strides[1],
            (out_channels - 2) * strides[0],
        )
        shape = context.struct("shape", "er_conv_columns_shape", initializer(numbers))
        name, text = window.code()
        if text:
            generated[f"{name}.c"] = text
            context.structs.append(f"extern er_conv_window {name};")
        columns = context.scratch(tiles * tile, "uint32_t")
        band = "0" if padding.none else context.scratch((window.padded_rows or node.kernel[0]) * window.pitch)
        body = (
            f"er_conv_columns(&{shape}, {name}, {run}, {first}, {second}, {context.read(node.input)}, "
            f"{context.write(node.output)}, {columns}, {band});"
        )
        lowered = calling(body, "er_conv_columns.h", "er_conv_columns.c", "er_pairs.S", generated=generated)
        accesses = () if planar else (_access(node, window, tiles),)
        return patched(replace(lowered, accesses=accesses), node, pairs.left_out, context)

    def writes(self, node: Node, value: Value) -> tuple[str, ...]:
        return (PLANAR, PLAIN)


def _access(node: Conv2D, window: Window, tiles: int) -> Access:
    """The order of er_conv_columns: runs of tiles of three pixels, rows with padding whole when they begin."""
    _, height, width, _ = node.output.shape
    pixels = height * width
    tile = 3 if pixels >= 3 else 1
    whole = pixels // tile * tile
    first = list(range(0, whole, tile * tiles))
    begins = window_begins(node).reshape(-1)
    if window.padded_rows:
        begins[:] = NOTHING
        begins[0] = 0
    elif not node.padding.none:
        begins[:] = NOTHING
        begins[::width] = row_begins(node)
    access = by_runs(node.output, node.input, begins, first)
    if whole == pixels:
        return access
    # The last tile overlaps the one before; the row of its first pixel is copied again.
    again = pixels - tile
    low = window_begins(node).reshape(-1)[again] if node.padding.none else row_begins(node)[again // width]
    reads, writes = access.reads.copy(), access.writes.copy()
    reads[-1], writes[-1] = begins[first[-1] : whole].min(), whole * node.output.shape[3]
    if window.padded_rows:
        low = NOTHING
    return replace(access, reads=np.append(reads, low), writes=np.append(writes, node.output.nbytes))


@dataclass(frozen=True)
class Window:
    """How the inputs of one output lie in memory: ``runs`` runs of ``run`` bytes.

    Attributes:
        offsets: Where each run begins, from the first.
        pitch: Bytes of a row of the image, or, where there is padding, of a band of padded rows.
        row_step: Bytes from one row of taps to the next.
        padded_rows: Of a padded copy of the whole image, where that is small; else 0.
        whole_words: Pixels are.
    """

    runs: int
    run: int
    offsets: tuple[int, ...]
    pitch: int
    row_step: int
    padded_rows: int
    whole_words: bool

    @staticmethod
    def of(node: Conv2D) -> Window:
        """The window of a convolution whose rows have their padding."""
        _, _, width, channels = node.input.shape
        height, taps = node.kernel
        left, right = node.padding.left * channels, node.padding.right * channels
        pitch = width * channels if node.padding.none else -(-(-left % 4 + left + width * channels + right) // 4) * 4
        rows = node.input.shape[1] + node.padding.top + node.padding.bottom
        padded = rows if not node.padding.none and rows * pitch <= _SMALL * node.output.elements else 0
        # A band of padded rows holds only rows with taps.
        row_step = pitch * (node.dilation[0] if node.padding.none or padded else 1)
        steps = [0] if node.dilation[1] == 1 else [tap * node.dilation[1] * channels for tap in range(taps)]
        offsets = tuple(row * row_step + step for row in range(height) for step in steps)
        run = channels * (taps if node.dilation[1] == 1 else 1)
        return Window(len(offsets), run, offsets, pitch, row_step, padded, channels % 4 == 0)

    def order(self) -> NDArray[np.intp]:
        """Index of the input at each position of a column, -1 for none: words of four, then the rest of the runs."""
        whole = self.run // 4 * 4
        places = np.arange(self.runs * self.run).reshape(self.runs, self.run)
        words = places[:, :whole].reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1)
        order = np.concatenate([words, places[:, whole:].reshape(-1)])
        return np.concatenate([order, np.full(-len(order) % STEP, -1)]).astype(np.intp)

    def code(self) -> tuple[str, str]:
        """Name of the C function that widens a window, and its file's text if it is made for this window."""
        whole = self.run // 4
        rest = [offset + i for offset in self.offsets for i in range(4 * whole, self.run)]
        if self.runs * whole + len(rest) <= _WRITTEN_OUT:
            lines = [
                f"    er_widen(from + {offset + 4 * i}, to + {6 * (number * whole + i)});"
                for number, offset in enumerate(self.offsets)
                for i in range(whole)
            ]
        elif self.whole_words and self.runs <= _WRITTEN_OUT:
            lines = [
                f"    er_pairs_widen(from + {offset}, to + {6 * number * whole}, {whole});"
                for number, offset in enumerate(self.offsets)
            ]
        else:
            return "er_conv_window_any", ""
        for i in range(0, len(rest), 2):
            second = f"from[{rest[i + 1]}]" if i + 1 < len(rest) else "0"
            lines.append(f"    to[{6 * self.runs * whole + 3 * (i // 2)}] = er_two(from[{rest[i]}], {second});")
        steps = (*self.offsets[1:2], self.row_step, *self.offsets[2:][-1:])
        name = f"er_window_{self.runs}x{self.run}_{'_'.join(map(str, steps))}"
        head = (
            f"void {name}(const er_conv_columns_shape *shape, const int8_t *from, uint32_t *to)\n{{\n    (void)shape;\n"
        )
        return name, '#include "er_conv_columns.h"\n\n' + head + "\n".join(lines) + "\n}\n"


def _jobs(
    pairs: Pairs, order: NDArray[np.intp], form: Form, context: Context, strides: tuple[int, int]
) -> tuple[str, str, str]:
    """C names of the function that runs over the channels, and of its jobs for all pairs and for the odd one."""
    channels = pairs.channels
    together = channel_pairs(channels)
    if channels == 1:
        # Both of the pair are written to the same place.
        strides = (0, strides[1])
    first = _job(pairs, order, form, context, "pairs", together[: max(1, channels // 2)], strides)
    second = _job(pairs, order, form, context, "odd", together[-1:], strides) if channels % 2 and channels > 1 else "0"
    run = FULL if _full(pairs, form) else _code(pairs, form, len(order), context).name
    return run, first, second


def _code(pairs: Pairs, form: Form, inputs: int, context: Context) -> Function:
    """What runs over the channels, made for this window."""
    shift = int(pairs.fast.shift[0]) if pairs.fast else None
    return pointwise_code.code_of(form, shift, inputs // STEP, context.options.optimize)


def _full(pairs: Pairs, form: Form) -> bool:
    """Whether `FULL` runs over the channels."""
    return pairs.fast is None and form is Form.LOOP


def _steps(context: Context, pairs: Pairs) -> int:
    """Of the unrolled loop."""
    return pointwise_code.STEPS[context.options.optimize] if pairs.fast else _FULL_ROUND


def _job(
    pairs: Pairs,
    order: NDArray[np.intp],
    form: Form,
    context: Context,
    name: str,
    chosen: list[tuple[int, int]],
    strides: tuple[int, int],
) -> str:
    constant = context.constant(
        name,
        lambda: stream(pairs, order, chosen, form),
        stands_for=[value for value in context.node.inputs if value.constant],
    )
    rounds, first = divmod(len(order) // STEP - 1, _steps(context, pairs))
    job = (
        f"{{ {constant}, {context.end(constant)}, {strides[0]}, {strides[1]}, {rounds + 1}, {first}, "
        f"{6 * len(order)}, {addend_of(pairs)} }}"
    )
    if not _full(pairs, form):
        return "&" + context.struct(f"{name}_job", "er_pointwise", job)
    job_and_limits = f"{{ {job}, {pairs.scale.low}, {pairs.scale.high} }}"
    return "&" + context.struct(f"{name}_job", "er_pairs", job_and_limits) + ".job"
