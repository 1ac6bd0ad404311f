"""Random operators and random graphs, compiled for a Cortex-M, on the simulated board: what numpy says, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro import Options
from edgerig.micro.options import Optimize
from edgerig.testing.networks.operators import OperatorBench
from edgerig.testing.networks.random_networks import random_graph
from edgerig.testing.networks.random_operators import OPERATORS, random_operator

DTYPES = ("int8", "float32")
#: The board has 320 KB for all of them.
LARGEST = 6000


def hold(files: list[bytes], folder: Path, cpu: str, optimize: Optimize) -> None:
    bench = OperatorBench(folder, cpu=cpu)
    cases = [bench.add_network(data, Options(cpu=cpu, optimize=optimize)) for data in files]
    rng = np.random.default_rng(1)
    for case in cases:
        bench.compare(case, rng)


@pytest.mark.slow
@pytest.mark.parametrize(("cpu", "optimize"), [("cortex-m7", "speed"), ("cortex-m7", "size"), ("cortex-m4", "speed")])
def test_random_graphs_are_right_on_the_board(cpu: str, optimize: Optimize, tmp_path: Path) -> None:
    graphs = [random_graph(200 + seed, dtype) for dtype in DTYPES for seed in range(14)]
    small = [data for data in graphs if arena(data) <= LARGEST]
    assert len(small) > 15
    hold(small, tmp_path, cpu, optimize)


def arena(data: bytes) -> int:
    from edgerig.micro import compile_model

    return compile_model(data, "net", Options(cpu="cortex-m7")).manifest.memory.arena


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4"])
def test_every_operator_is_right_on_the_board(cpu: str, tmp_path: Path) -> None:
    # Bytes that are no int8 at the input are the tests' of the host.
    names = [op for op in OPERATORS if op not in ("QUANTIZE", "DEQUANTIZE")]
    hold(
        [random_operator(op, seed, dtype) for op in names for dtype in DTYPES for seed in range(2)],
        tmp_path,
        cpu,
        "speed",
    )
