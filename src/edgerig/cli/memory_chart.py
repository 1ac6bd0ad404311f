"""Memory over time in a terminal: which buffers each step of a network needs, and where they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from edgerig.text import one_line

#: Eighths of a cell, from empty to full.
BLOCKS = " ▁▂▃▄▅▆▇█"
#: Columns of the names of buffers, and on a narrow terminal.
NAMES, SHORT_NAMES = 24, 12
#: Columns of a terminal below which it is narrow.
NARROW = 64
#: Columns of the figures between a buffer's name and its line: bytes and offset.
FIGURES = 24
#: Buffers with lines of their own; the smallest of others are told together.
MOST_LINES = 40


class Span(msgspec.Struct, frozen=True):
    """A buffer of a plan: its name, where it lies, and the first and last step that need it."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


class StepMemory(msgspec.Struct, frozen=True):
    """Memory at one step.

    Attributes:
        step: Its number.
        op: Its operator.
        bytes: Bytes of memory that some buffer needs then; where two lie over one another, they count once.
        buffers: Their names, the largest first.
    """

    step: int
    op: str
    bytes: int
    buffers: tuple[str, ...]


def over_time(spans: Sequence[Span], operators: Sequence[str]) -> list[StepMemory]:
    """Memory at each step of a network whose steps run ``operators``.

    >>> [step.bytes for step in over_time([Span("x", 0, 8, 0, 0), Span("y", 4, 8, 0, 1)], ["CONV_2D", "SOFTMAX"])]
    [12, 8]
    """
    steps = []
    begun: dict[int, dict[int, Span]] = defaultdict(dict)
    for index, span in enumerate(spans):
        if span.bytes:
            begun[max(span.first, 0)][index] = span
    alive: dict[int, Span] = {}
    for number, operator in enumerate(operators):
        alive = {index: span for index, span in (alive | begun[number]).items() if span.last >= number}
        names = tuple(alive[index].name for index in sorted(alive, key=lambda index: (-alive[index].bytes, index)))
        steps.append(StepMemory(number, operator, _covered(tuple(alive.values())), names))
    return steps


def _covered(spans: Sequence[Span]) -> int:
    """Bytes that at least one of the spans covers."""
    covered = end = 0
    for span in sorted(spans, key=lambda span: span.offset):
        covered += max(0, span.offset + span.bytes - max(end, span.offset))
        end = max(end, span.offset + span.bytes)
    return covered


def _short(name: str, most: int) -> str:
    """The end of a name, which tells converters' paths of operators apart."""
    text = one_line(name, len(name))
    return text if len(text) <= most else f"…{text[1 - most :]}"


def peak(steps: Sequence[StepMemory]) -> StepMemory | None:
    """The first step that needs the most; None if there are no steps."""
    return max(steps, key=lambda step: step.bytes, default=None)


def draw(spans: Sequence[Span], operators: Sequence[str], width: int) -> list[str]:
    """Lines of a drawing: time goes to the right, a line for each buffer, and below how full memory is.

    Where there are more steps than columns, a column stands for several, and shows the fullest of them.
    """
    steps = over_time(spans, operators)
    fullest = peak(steps)
    if fullest is None:
        return ["no steps"]
    names = NAMES if width >= NARROW else SHORT_NAMES
    columns = max(8, min(len(steps), width - names - FIGURES))
    ends = [len(steps) * (column + 1) // columns for column in range(columns)] if columns < len(steps) else None
    groups = [(end - 1, end) for end in range(1, len(steps) + 1)]
    if ends is not None:
        groups = list(zip([0, *ends[:-1]], ends, strict=True))
    shown = sorted(sorted(spans, key=lambda span: -span.bytes)[:MOST_LINES], key=lambda span: (span.first, span.offset))
    lines = [f"{'buffer':<{names}}{'bytes':>11} {'at':>10}  steps 0 to {len(steps) - 1}"]
    for span in shown:
        bar = "".join("█" if span.first < end and begin <= span.last else "·" for begin, end in groups)
        lines.append(f"{_short(span.name, names - 1):<{names}}{span.bytes:>11,} {span.offset:>10,}  {bar}")
    left = len(spans) - len(shown)
    if left:
        lines.append(f"and {left} smaller buffers")
    level = [max(step.bytes for step in steps[begin:end]) for begin, end in groups]
    bars = "".join(BLOCKS[max(1, round(8 * count / max(fullest.bytes, 1)))] for count in level)
    mark = next(column for column, (begin, end) in enumerate(groups) if begin <= fullest.step < end)
    lines.append(f"{'in use':<{names}}{fullest.bytes:>11,} {'':>10}  {bars}")
    lines.append(f"{'':<{names + FIGURES}}{' ' * mark}^")
    sizes = {span.name: span.bytes for span in spans}
    content = ", ".join(f"{_short(name, 40)} ({sizes[name]:,} B)" for name in fullest.buffers)
    lines.append(f"peak: step {fullest.step}, {fullest.op}, {fullest.bytes:,} B: {content}")
    return lines
