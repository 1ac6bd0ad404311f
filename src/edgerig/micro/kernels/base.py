"""What a kernel is: Python that accepts nodes and lowers each to C, with the C files that it calls.

How to add one: derive from `Kernel` in a file of the CPU's folder, put the class into `KERNELS` of
`edgerig.micro.kernels.registry` before those that it beats, and its C or assembly files beside it. The portable
kernels stand last and are complete.

Memory that kernels see is aligned to 8 bytes (values, scratch, constants as asked). Values of other types than char
may be read through wider types only by memcpy or from assembly: int8 read through ``uint32_t *`` is undefined in C.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.ir import Node, Value
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.layouts import PLAIN, layout_bytes
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options

#: Numpy dtype to C type.
C_TYPES = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "float32": "float", "bool": "uint8_t", "int64": "int64_t",
}  # fmt: skip

ALIGNMENT = 8
#: The most thrifty that a layer can be with working memory; 0 is the fastest.
THRIFT = 2


@dataclass(frozen=True)
class Constant:
    """An array for weights.c.

    Attributes:
        name: C identifier without the network's prefix, which the emitter puts in front.
        ctype: Type of an element.
        data: Flattened when written; -0.0, NaN and infinity are kept.
        alignment: Bytes, a power of two.
        stands_for: The values whose content it carries, for the table of what takes how much flash.
    """

    name: str
    ctype: str
    data: NDArray[Any]
    alignment: int = ALIGNMENT
    stands_for: tuple[Value, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes in flash."""
        return int(self.data.nbytes)


@dataclass(frozen=True)
class Lowered:
    """A node as C.

    Attributes:
        body: Statements of the layer function, without braces. It may use every name that the context gave out:
            the emitter declares these pointers before it.
        files: C sources and headers of kernels that it needs; a header's own includes of other kernel headers are
            followed by themselves.
        headers: Those of ``files`` that model.c includes.
        generated: Further files for ``kernels/`` that are made for this network, name to text.
        overlays: More of `Kernel.overlays`, where it depends on layouts.
        declarations: Of functions that no header declares, for model.c.
        accesses: In which order an input is read and an output written, both of plain layout, so that the planner may
            lay the one over the other. Without, they never share memory but by ``overlays``.
    """

    body: str
    files: tuple[Path, ...] = ()
    headers: tuple[str, ...] = ()
    generated: dict[str, str] = field(default_factory=dict)
    overlays: tuple[tuple[Value, Value], ...] = ()
    declarations: tuple[str, ...] = ()
    accesses: tuple[Access, ...] = ()


class Context:
    """What `Kernel.lower` asks the compiler for: pointers, constants, scratch memory. One for each node.

    Names are those of C variables which the emitter declares at the top of the layer function, typed as asked.
    Memory is planned after all nodes were lowered.
    """

    def __init__(
        self,
        node: Node,
        index: int,
        options: Options,
        layouts: dict[Value, str],
        thrift: int = 0,
        spared: frozenset[Value] = frozenset(),
        backward: bool = False,
    ) -> None:
        self.node, self.index, self.options = node, index, options
        #: How far speed is given for less scratch memory, 0 to `THRIFT`.
        self.thrift = thrift
        #: Whether the layer is made from its end, which kernels that are `Kernel.reversible` can.
        self.backward = backward
        self._layouts, self._spared = layouts, spared
        #: Weights that take more flash for speed, and the instructions that this saves.
        self.expanded: dict[Value, int] = {}
        self.pointers: dict[str, tuple[Value, str, bool]] = {}
        self.constants: list[Constant] = []
        self.scratch_bytes = 0
        #: Name, type and offset of each piece of scratch memory.
        self.scratches: list[tuple[str, str, int]] = []
        #: Definitions in front of the layer function.
        self.structs: list[str] = []
        #: Only what the planner asks for matters, memory and its order: constants are neither packed nor kept.
        self.only_memory = False

    def layout(self, value: Value) -> str:
        """The layout that was agreed on for ``value``."""
        return self._layouts.get(value, PLAIN)

    def expands(self, weights: Value, saved: int) -> bool:
        """Whether ``weights`` may take more flash, which saves so many instructions an inference; then they do."""
        if weights in self._spared:
            return False
        self.expanded[weights] = saved
        return True

    def read(self, value: Value, ctype: str | None = None) -> str:
        """Name of a ``const`` pointer to an input; of a constant one in its plain form."""
        return self._pointer("x", value, ctype, False)

    def write(self, value: Value, ctype: str | None = None) -> str:
        """Name of a pointer to an output, or to a state variable that is to be written."""
        return self._pointer("y", value, ctype, True)

    def scratch(self, nbytes: int, ctype: str = "int8_t") -> str:
        """Name of a pointer to ``nbytes`` of memory that lasts for this layer only. Each call gives another piece."""
        name = "scratch" if not self.scratches else f"scratch{len(self.scratches)}"
        self.scratches.append((name, ctype, self.scratch_bytes))
        self.scratch_bytes += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return name

    def constant(
        self,
        name: str,
        data: NDArray[Any] | Callable[[], NDArray[Any]],
        ctype: str | None = None,
        alignment: int = ALIGNMENT,
        stands_for: Sequence[Value] = (),
    ) -> str:
        """Puts an array into weights.c; returns its C name. ``name`` is made unique by the layer's number.

        Args:
            name: Such as ``"weights"``.
            data: Packed as the kernel wants it, of a type of `C_TYPES`; or a function that packs it, which is not
                called for plans that are not chosen.
            ctype: If another than that of the data.
            alignment: Bytes.
            stands_for: The values whose content this is.
        """
        full = f"l{self.index}_{name}"
        if self.only_memory:
            return f"@P@_{full}"
        data = np.ascontiguousarray(data() if callable(data) else data)
        known = C_TYPES.get(data.dtype.name)
        if known is None or data.size == 0:
            raise CompileError(f"Constant {name!r} of {self.node.where()} has the type {data.dtype.name}.")
        self.constants.append(Constant(full, ctype or known, data, alignment, tuple(stands_for)))
        return f"@P@_{full}"

    def end(self, constant: str) -> str:
        """A C expression for what is behind the last element of a constant, by the name that `constant` gave."""
        elements = next((known.data.size for known in self.constants if constant == f"@P@_{known.name}"), 0)
        return f"{constant} + {elements}"

    def struct(self, name: str, ctype: str, text: str, count: int | None = None) -> str:
        """Puts a ``static const`` struct, or an array of ``count``, in front of the layer function; its C name."""
        full = f"l{self.index}_{name}"
        size = "" if count is None else f"[{count}]"
        self.structs.append(f"static const {ctype} {full}{size} = {text};")
        return full

    def _pointer(self, letter: str, value: Value, ctype: str | None, writes: bool) -> str:
        name = next(
            (name for name, (known_value, _, to) in self.pointers.items() if known_value is value and to == writes),
            None,
        )
        if name is None:
            count = sum(known.startswith(letter) for known in self.pointers)
            name = f"{letter}{count}"
            self.pointers[name] = (value, ctype or C_TYPES[value.dtype], writes)
        return name

    def bytes_of(self, value: Value) -> int:
        """Bytes that ``value`` takes in its layout."""
        return layout_bytes(self.layout(value), value)


class Kernel(ABC):
    """Lowers the nodes that it accepts.

    Class attributes:
        name: Unique; stands in the manifest and in profiles.
        needs: CPU features without which it does not work (`edgerig.micro.options.CPUS`).
        node: The class of node that it takes, or several; ignored where there is a pattern.
        pattern: Classes of consecutive nodes, each the only reader of what the one before makes, that it wants fused
            into one `Fused`. Tried before single nodes, kernels in their order; `accepts` sees the candidate.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    node: ClassVar[type[Node] | tuple[type[Node], ...]] = Node
    pattern: ClassVar[tuple[type[Node], ...]] = ()
    #: Whether it takes weights of 16 bits, which those of uint8 may need; and those of 4 bits, as they lie in the file.
    wide: ClassVar[bool] = False
    packed: ClassVar[bool] = False
    #: Whether it can make a layer from its end as fast, so that the output may lie over the input but behind it.
    reversible: ClassVar[bool] = False
    #: The thrift at which it is slower by a few per cent of its layer at most.
    mild: ClassVar[int] = 0
    #: Weights that must not take more flash for speed.
    spared: frozenset[Value] = frozenset()
    #: What it can do, for the message where no kernel accepts a node; portable kernels have it.
    supports: ClassVar[str] = ""

    @abstractmethod
    def accepts(self, node: Node, options: Options) -> Answer:
        """Whether it can run ``node`` exactly: types, shapes, ranges of weights and bias, speed or size.

        A kernel that beats others says why not by a `Refusal`.
        """

    @abstractmethod
    def lower(self, node: Node, context: Context) -> Lowered:
        """The node as C."""

    def sparing(self, weights: frozenset[Value]) -> Kernel:
        """The same kernel, which takes no more flash than others for layers with these weights, or leaves them."""
        kernel = copy(self)
        kernel.spared = weights
        return kernel

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        """Layouts in which it takes an input, any order; plain must be among them."""
        return (PLAIN,)

    def writes(self, node: Node, value: Value) -> tuple[str, ...]:
        """Layouts in which it can make an output, the best first; plain must be among them."""
        return (PLAIN,)

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        """Pairs of an output and an input which may lie at the same address if nobody needs the input any more.

        Their sizes may differ: the output then begins where the input begins.
        """
        return ()
