"""Whole networks with the kernels of Cortex-M, on the simulated board, against LiteRT's reference kernels."""

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro.frontend.read import read_program
from edgerig.micro.kernels.registry import kernels_for
from edgerig.micro.options import Options
from edgerig.testing.networks.known_networks import digits, mlperf_tiny, wake_words
from edgerig.testing.networks.operators import Case, OperatorBench
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

_OPTIONS = Options(cpu="cortex-m7")
#: Instructions that a network may take at most, float borders and softmax included.
MOST = {
    "digits_int8": 2_300_000,
    "digits_float": 3_800_000,
    "keyword_spotting": 2_600_000,
    "visual_wake_words": 8_000_000,
    "image_classification": 7_500_000,
    "anomaly_detection": 270_000,
    "alexa": 40_000,
    "hey_jarvis": 40_000,
    "hey_mycroft": 45_000,
    "okay_nabu": 65_000,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[OperatorBench, dict[str, tuple[Case, bytes]]]:
    """All networks in one firmware."""
    found = {"digits_int8": digits(), "digits_float": digits("float32"), **mlperf_tiny(), **wake_words()}
    bench = OperatorBench(tmp_path_factory.mktemp("networks"))
    kernels = kernels_for(_OPTIONS)
    cases = {}
    for name, data in found.items():
        if name != "digits_float":
            cases[name] = bench.add(read_program(data, name).nodes, kernels), data
    return bench, cases


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MOST if name != "digits_float"])
def test_networks_are_exact_and_fast_on_the_board(
    built: tuple[OperatorBench, dict[str, tuple[Case, bytes]]], name: str
) -> None:
    bench, cases = built
    hold(bench, *cases[name], MOST[name])


@pytest.mark.slow
def test_the_digit_network_of_floats_is_fast_on_the_board(tmp_path: Path) -> None:
    bench = OperatorBench(tmp_path)
    data = digits("float32")
    hold(bench, bench.add(read_program(data, "digits").nodes, kernels_for(_OPTIONS)), data, MOST["digits_float"])


def hold(bench: OperatorBench, case: Case, data: bytes, most: int) -> None:
    """Some inferences in a row say what the oracle says, and take few instructions."""
    oracle = Oracle(data)
    rng = np.random.default_rng(0)
    for index in range(4):
        inputs = [
            rng.normal(0, 3 * index + 1, value.shape).astype(np.float32)
            if value.dtype == "float32"
            else rng.integers(-128, 128, value.shape).astype(np.int8)
            for value in case.program.inputs
        ]
        outputs, instructions = bench.run(case, *inputs, fresh=index == 0)
        assert instructions <= most
        for expected, found in zip(oracle.run(inputs), outputs, strict=True):
            assert difference(expected, found) <= tolerance(expected.dtype), index
