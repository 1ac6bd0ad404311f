"""Networks held to LiteRT's reference kernels: in numpy, and in generated C under sanitizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.micro import Options, compile_model
from edgerig.micro.emit.source import Source
from edgerig.micro.frontend.read import read_program
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import run_sanitized
from edgerig.testing.networks.random_operators import random_inputs
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

#: Whether what was computed is what LiteRT says, which comes first.
Alike = Callable[[Any, Any], bool]


def is_exact(expected: Any, computed: Any) -> bool:
    return expected.dtype == computed.dtype and np.array_equal(expected, computed)


def is_near(expected: Any, computed: Any) -> bool:
    """As near as kernels of one type are to each other: exact in integers."""
    return difference(expected, computed) <= tolerance(expected.dtype)


def numpy_agrees(data: bytes, seed: int) -> Machine:
    """Holds numpy's answers to three random samples to LiteRT's, to the bit."""
    oracle, machine = Oracle(data), Machine(read_program(data, "net"))
    for inputs in random_inputs(machine.program.inputs, 3, seed):
        for expected, computed in zip(oracle.run(inputs), machine.run(inputs), strict=True):
            assert is_exact(expected, computed)
    return machine


def sanitized_code_agrees(files: Mapping[str, bytes], folder: Path, alike: Alike = is_exact) -> list[Source]:
    """Holds the answers of the code for networks, by name, to LiteRT's for three random samples each."""
    sources = [compile_model(data, name, Options()) for name, data in files.items()]
    samples = [random_inputs(source.manifest.inputs, 3, 1) for source in sources]
    results = run_sanitized(sources, samples, folder)
    for (name, data), each, outputs in zip(files.items(), samples, results, strict=True):
        oracle = Oracle(data)
        for inputs, answer in zip(each, outputs, strict=True):
            for expected, computed in zip(oracle.run(inputs), answer, strict=True):
                assert alike(expected, computed), name
    return sources
