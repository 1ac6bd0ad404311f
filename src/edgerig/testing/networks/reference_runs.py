"""LiteRT's reference kernels, the oracle of the C compiler."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Oracle:
    """LiteRT with its reference kernels, never XNNPACK's, on one network."""

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter = Interpreter(
            model_content=data, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One inference."""
        for index, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def difference(expected: Array, actual: Array) -> float:
    """Largest difference: of integers in steps, of floats relative to the largest value, or to 1 if that is more.

    What is no number, or infinite, must be so in both: it differs by nothing, or infinitely.
    """
    wanted, given = expected.astype(np.float64), actual.astype(np.float64)
    finite = np.isfinite(wanted)
    if not np.array_equal(wanted[~finite], given[~finite], equal_nan=True) or not np.isfinite(given[finite]).all():
        return math.inf
    gap = float(np.abs(wanted[finite] - given[finite]).max(initial=0.0))
    if expected.dtype.kind != "f":
        return gap
    return gap / max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))


def tolerance(dtype: Any) -> float:
    """Largest allowed `difference`: 0 for integers, 1e-5 for floats."""
    return 1e-5 if np.dtype(dtype).kind == "f" else 0.0


class RefusedError(Exception):
    """LiteRT refuses a file, or crashes on it."""


class RemoteOracle:
    """`Oracle` in a separate process, for files on which LiteRT may crash."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._here, there = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def run(self, data: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """The outputs of the network ``data`` for each sample.

        Raises:
            RefusedError: LiteRT does not accept the file.
        """
        try:
            self._here.send((data, samples))
            answer = self._here.recv()
        except (EOFError, OSError) as error:
            self.close()
            self._start()
            raise RefusedError("LiteRT died of it") from error
        if isinstance(answer, str):
            raise RefusedError(answer)
        outputs: list[list[Array]] = answer
        return outputs

    def close(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join()


def _serve(link: Connection) -> None:
    while True:
        try:
            data, samples = link.recv()
        except EOFError:
            return
        try:
            oracle = Oracle(data)
            answer: list[list[Array]] | str = [oracle.run(inputs) for inputs in samples]
        except (ValueError, RuntimeError) as error:
            answer = str(error)
        link.send(answer)
