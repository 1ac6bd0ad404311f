"""SLICE and STRIDED_SLICE."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.testing.networks.random_operators.draw import Draw, Generator


def slice_(draw: Draw) -> bytes:
    """SLICE."""
    shape, like = draw.image(6), draw.quantization()
    x = draw.input(shape, like=like)
    begin = [draw.whole(0, size - 1) for size in shape]
    size = [draw.whole(1, full - start) for full, start in zip(shape, begin, strict=True)]
    y = draw.input(tuple(size), "y", like)
    draw.operator([x, draw.indices("begin", begin), draw.indices("size", size)], [y])
    return draw.build([x], [y])


def strided_slice(draw: Draw) -> bytes:
    """STRIDED_SLICE with steps of both signs and masks that omit begin, end or an axis, add one, or take many whole;
    ends may be counted from where the slice begins.
    """
    shape, like = draw.image(6), draw.quantization()
    x = draw.input(shape, like=like)
    entries: dict[str, list[int]] = {"begin": [], "end": [], "step": []}
    masks = dict.fromkeys(("beginMask", "endMask", "shrinkAxisMask", "newAxisMask", "ellipsisMask"), 0)
    # An ellipsis stands for the axes from the first on that it takes, if there is one.
    first, taken = (draw.whole(0, 3), draw.whole(1, 2)) if draw.whole(0, 2) == 0 else (9, 0)
    # LiteRT has ends that are offsets with one entry for each axis alone.
    offset = first == 9 and draw.whole(0, 2) == 0
    sparse = 4 if offset else draw.whole(1, 4)
    out: list[int] = []
    axis = 0

    def add(begin: int, end: int, step: int, **bits: bool) -> None:
        entry = len(entries["begin"])
        for name, number in (("begin", begin), ("end", end), ("step", step)):
            entries[name].append(number)
        for name, bit in bits.items():
            masks[name] |= int(bit) << entry

    while axis < len(shape):
        if axis == first:
            first = 9
            add(0, 0, 1, ellipsisMask=True)
            out += shape[axis : axis + taken]
            axis += taken
        elif first == 9 and not masks["ellipsisMask"] and axis >= sparse:
            out += shape[axis:]
            break
        elif draw.whole(0, 9) == 0 and not offset:
            add(draw.whole(-3, 3), draw.whole(-3, 3), 1, newAxisMask=True)
            out.append(1)
        else:
            out += _entry(draw, shape[axis], add, offset)
            axis += 1
    y = draw.input(tuple(out), "y", like)
    bounds = [draw.indices(name, values) for name, values in entries.items()]
    draw.operator([x, *bounds], [y], **masks, offset=offset)
    return draw.build([x], [y])


def _entry(draw: Draw, full: int, add: Callable[..., None], offset: bool) -> list[int]:
    """An entry for an axis of ``full`` elements; the output's axis that it makes, if any."""
    begin = draw.whole(0, full - 1)
    # From the beginning or from the end.
    written = draw.whole(0, 1) * -full + begin
    if draw.whole(0, 5) == 0:
        add(
            written,
            draw.whole(-9, 9),
            1,
            shrinkAxisMask=True,
            beginMask=draw.whole(0, 2) == 0,
            endMask=draw.whole(0, 4) == 0,
        )
        return []
    step = int(draw.rng.choice([1, 1, 2, 3, -1, -2]))
    end = _end(draw, begin, step, full)
    omitted = [draw.whole(0, 4) == 0 for _ in range(2)]
    taken = range(full)[slice(None if omitted[0] else begin, None if omitted[1] else end, step)]
    if offset:
        # A sum below 0 counts from the end: only a mask takes a slice backwards to the first element.
        omitted[1] |= step < 0 and taken[-1] == 0
        end = taken[-1] - taken[0] + (1 if step > 0 else -1)
    add(written, end, step, beginMask=omitted[0], endMask=omitted[1])
    return [len(taken)]


def _end(draw: Draw, begin: int, step: int, full: int) -> int:
    """An end after ``begin`` in the direction of the step."""
    if step > 0:
        return draw.whole(begin + 1, full)
    return draw.whole(-full - 1, -full + begin - 1) if begin else -full - 1


GENERATORS: dict[str, Generator] = {"SLICE": slice_, "STRIDED_SLICE": strided_slice}
