"""One walk over two tensors that moves elements: what kernels that only move data share."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.micro.ir import Node
from edgerig.micro.kernels.base import C_TYPES, Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import files, front, merged, struct
from edgerig.micro.options import Options

AXES = 6


class Move:
    """One walk over both sides: sizes, and steps in elements."""

    def __init__(self, sizes: Sequence[int], source: Sequence[int], target: Sequence[int], item: int) -> None:
        self.sizes, (self.source, self.target) = merged(sizes, source, target)
        self.item, self.unit = item, item
        if self.source[-1] == self.target[-1] == 1:
            self.unit = item * self.sizes[-1]
            self.sizes, self.source, self.target = self.sizes[:-1], self.source[:-1], self.target[:-1]

    @property
    def fits(self) -> bool:
        """Not more axes than the C code walks over."""
        return len(self.sizes) <= AXES

    def text(self, context: Context, name: str, source: str, target: str) -> str:
        """The call."""
        if not self.sizes:
            return f"memcpy({target}, {source}, {self.unit});"
        steps = [[step * self.item for step in side] for side in (self.source, self.target)]
        settings = context.struct(
            name,
            "micro_move",
            struct(
                size=front(self.sizes, AXES, 1),
                **{"from": front(steps[0], AXES, 0)},
                to=front(steps[1], AXES, 0),
                unit=self.unit,
            ),
        )
        return f"micro_move_run(&{settings}, {source}, {target});"


def at_offset(pointer: str, elements: int) -> str:
    return f"{pointer} + {elements}" if elements else pointer


def moved(lines: Sequence[str]) -> Lowered:
    return files("\n".join(lines), "micro_move")


class Moving(Kernel):
    """A kernel that moves elements of any type of `C_TYPES`."""

    supports = "all types"

    def accepts(self, node: Node, options: Options) -> bool:
        known = node.inputs[-1].dtype in C_TYPES
        return known and all(move.fits for _, move, _ in self.moves(node))

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        """Offset in the input, walk, offset in the output, in elements; for each input or output one."""
        raise NotImplementedError
