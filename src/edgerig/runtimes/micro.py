"""Networks that edgerig's own C compiler turned into a part of a firmware: the runtime of boards."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from edgerig import __version__
from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError
from edgerig.runtimes.base import Calls, Runtime


class Micro(Runtime):
    """C made by edgerig, on a board. There is no interpreter: the network is built into the firmware."""

    name = "micro"
    summary = "edgerig's own C, built into a board's firmware: targets sim:, qemu:, serial:"
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    invoke_method = "the network's own call; inputs set before, outputs read after"

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        if scheme not in ("float32", "int8"):
            return f"the C compiler knows float32 and int8 networks, not {scheme}"
        return None

    @classmethod
    def version(cls) -> str:
        return __version__

    def _load(self, path: Path) -> None:
        raise InferenceError(
            "Runtime 'micro' is for boards; this machine runs no firmware.", "Use the target sim:stm32f746."
        )

    def _inputs(self) -> tuple[TensorSpec, ...]:
        raise NotImplementedError

    def _outputs(self) -> tuple[TensorSpec, ...]:
        raise NotImplementedError

    def _calls(self) -> Calls:
        raise NotImplementedError
