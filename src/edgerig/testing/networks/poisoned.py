"""Runs networks with garbage in all unused memory of the plan, to test the plan and the kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.emit.manifest import Placed
from edgerig.testing.networks.generated import Array, GeneratedNetwork


class _Layer(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("op", ctypes.c_char_p),
        ("macs", ctypes.c_uint32),
        ("run", ctypes.CFUNCTYPE(None)),
    )


class PoisonedNetwork:
    """Runs a network layer by layer. Before each, all memory that is unused then is filled with garbage.

    A layer that reads memory that was never written, or is no longer in use, gives another result; one that writes
    outside of its buffers is detected.
    """

    def __init__(self, network: GeneratedNetwork) -> None:
        self.network, plan = network, network.manifest.memory
        count = len(network.manifest.layers)
        table = (_Layer * max(count, 1)).in_dll(network.loaded, f"{network.manifest.name}_layers")
        self._layers = list(table)[:count]
        first = network.address(0) - plan.inputs[0]
        self._arena = np.ctypeslib.as_array((ctypes.c_uint8 * plan.arena).from_address(first))
        self._holds = [self._bytes(lambda piece, i=i: piece.first < i <= piece.last) for i in range(count)]  # type: ignore[misc]
        self._alive = [self._bytes(lambda piece, i=i: piece.first <= i <= piece.last) for i in range(count)]  # type: ignore[misc]
        if count:
            # State and inputs are live before the first layer.
            self._holds[0] |= self._bytes(lambda piece: piece.first == 0 and piece.last >= count)
            for start, spec in zip(plan.inputs, network.manifest.inputs, strict=True):
                self._holds[0][start : start + spec.nbytes] = True

    def run(self, inputs: Sequence[Array], seed: int) -> list[Array]:
        """One inference; ``seed`` generates the garbage.

        Raises:
            CompileError: A layer wrote to memory of another buffer.
        """
        rng = np.random.default_rng(seed)
        self.network.set_inputs(inputs)
        for index, layer in enumerate(self._layers):
            empty = ~self._holds[index]
            self._arena[empty] = rng.integers(0, 256, int(empty.sum()), np.uint8)
            before = self._arena.copy()
            layer.run()
            wrong = (self._arena != before) & ~self._alive[index]
            if wrong.any():
                op = self.network.manifest.layers[index].op
                raise CompileError(f"Layer {index} ({op}) wrote to offset {int(wrong.argmax())} of the arena.")
        return self.network.outputs()

    def _bytes(self, chosen: Callable[[Placed], bool]) -> NDArray[np.bool_]:
        mask = np.zeros(self.network.manifest.memory.arena, np.bool_)
        for piece in self.network.manifest.memory.pieces:
            if chosen(piece):
                mask[piece.offset : piece.offset + piece.bytes] = True
        return mask
