"""A framework that exports networks to ONNX, imports ONNX files, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import EngineError, UnknownNameError, UsageError
from edgerig.plugins import Plugin

Array = NDArray[Any]
#: Inputs by name, or outputs in the network's order.
Inputs = Mapping[str, Array]


class Exported(NamedTuple):
    """A network that was exported.

    Attributes:
        inputs: Names of the inputs, in order, to shapes without free axes and NumPy's names of dtypes. Indices are
            drawn from 0 to 9.
        run: The network in its own framework: inputs by name to outputs in the file's order.
        classes: Positions of outputs that are indices, of classes or the largest of something: they are equal or not.
    """

    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    run: Any
    classes: tuple[int, ...] = ()


class ONNXConversion(Plugin):
    """A framework's ways from and to ONNX.

    Class attributes:
        networks: Names of the networks that it exports, each with what is special about it. Empty for a framework that
            only imports.
        opsets: The opsets that its exporter can write; one is chosen if the user names none.
        imports: Whether it runs ONNX files.

    A framework's own faults are any exceptions: they are the outcome of a cell.
    """

    networks: ClassVar[Mapping[str, str]] = {}
    opsets: ClassVar[tuple[int, ...]] = (17,)
    imports: ClassVar[bool] = False

    def export(self, network: str, opset: int, path: Path) -> Exported:
        """Write a network as an ONNX file with weights from a fixed seed.

        Args:
            network: One of `networks`.
            opset: Version of the operators of the domain ``ai.onnx``.
            path: The file to write.

        Raises:
            UnknownNameError: It has no such network.
            UsageError: It cannot write that opset.
        """
        if network not in self.networks:
            raise UnknownNameError(f"network of {self.name}", network, self.networks)
        if opset not in self.opsets:
            raise UsageError(f"{self.name} does not write opset {opset}.", f"It writes {_spans(self.opsets)}.")
        return self._export(network, opset, path)

    def load(self, path: Path) -> Any:
        """The ONNX file as this framework runs it; `run` takes it.

        Raises:
            EngineError: It only exports.
        """
        if not self.imports:
            raise EngineError(f"{self.name} runs no ONNX files.")
        return self._load(path)

    def run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        """The outputs, in the file's order, for inputs by the file's names."""
        return [np.asarray(output) for output in self._run(loaded, inputs)]

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Versions of the packages that do the work, by package."""
        from importlib import metadata

        return {name: metadata.version(name) for name in cls.packages if _installed(name)}

    #: Packages whose versions stand beside the outcome.
    packages: ClassVar[tuple[str, ...]] = ()

    # ---- for subclasses

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        raise NotImplementedError(f"{self.name} exports nothing")

    def _load(self, path: Path) -> Any:
        raise NotImplementedError(f"{self.name} imports nothing")

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        raise NotImplementedError(f"{self.name} imports nothing")


def _installed(package: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _spans(numbers: tuple[int, ...]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) > 1 else str(numbers[0])
