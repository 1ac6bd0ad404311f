"""Operators and networks for the Cortex-M55 and RISC-V, on QEMU: many cases in one program, which is started once.

::

    bench = QemuBench(folder)
    case = bench.add([random_conv(rng, (8, 8, 16), 16, (3, 3))], kernels)
    results = bench.run_all([(case, [image])])                  # builds, boots and runs all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.boards.toolchain import Choice
from edgerig.simulator.qemu_calls import CORTEX_M55, RV32IMC, QemuCalls
from edgerig.testing.networks.operators import Case, OperatorBench
from edgerig.testing.networks.random_operators import random_content

Array = NDArray[Any]


@dataclass(frozen=True)
class Ran:
    """Outputs of one inference, and about how many instructions it took."""

    case: Case
    inputs: Sequence[Array]
    outputs: list[Array]
    instructions: int

    def differences(self) -> int:
        """Outputs that are not those of the reference."""
        wanted = self.case.reference.run(list(self.inputs))
        return sum(int((output != right).sum()) for output, right in zip(self.outputs, wanted, strict=True))


class QemuBench(OperatorBench):
    """Programs of a few nodes each, built into one program for QEMU's Cortex-M55 or RISC-V.

    Args:
        folder: Folder for C and objects.
        compiler: The C compiler to use.
        cpu: ``cortex-m55`` or ``rv32imc``.
    """

    def __init__(self, folder: Path, compiler: Choice = "auto", cpu: str = "cortex-m55") -> None:
        super().__init__(folder, compiler, cpu)
        self._processor = RV32IMC if cpu == "rv32imc" else CORTEX_M55

    def run_all(self, jobs: Sequence[tuple[Case, Sequence[Array]]]) -> list[Ran]:
        """One inference of each, in their order and in one boot; every network begins afresh."""
        processor = self._processor
        elf = self._build(processor.source.read_text(), processor.layout, processor.flags)
        program = QemuCalls(elf, processor)
        asked = []
        for case, inputs in jobs:
            program.call(f"{case.name}_init")
            for index, content in enumerate(inputs):
                program.poke(f"{case.name}_input", index, content.tobytes())
            count = program.count(f"{case.name}_run")
            outputs = [
                program.peek(f"{case.name}_output", index, value.nbytes)
                for index, value in enumerate(case.program.outputs)
            ]
            asked.append((case, inputs, count, outputs))
        program.run()
        return [
            Ran(
                case,
                inputs,
                [
                    np.frombuffer(output.value, value.dtype).reshape(value.shape)
                    for output, value in zip(outputs, case.program.outputs, strict=True)
                ],
                count.instructions,
            )
            for case, inputs, count, outputs in asked
        ]

    def run_random(self, cases: Sequence[Case], rng: np.random.Generator) -> list[Ran]:
        """One inference of each case with random inputs."""
        return self.run_all([(case, [random_content(rng, value) for value in case.program.inputs]) for case in cases])
