"""Whole networks with Helium's kernels, on QEMU's Cortex-M55 in one boot, against LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from tests.needs import need

from edgerig.testing.networks.known_networks import digits, mlperf_tiny, wake_words
from edgerig.testing.networks.qemu_operators import QemuBench, Ran
from edgerig.testing.networks.random_operators import random_content
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

pytestmark = pytest.mark.slow

#: Instructions that a network may take at most, float borders and softmax included.
MOST = {
    "digits_int8": 600_000,
    "digits_float": 1_300_000,
    "keyword_spotting": 950_000,
    "visual_wake_words": 2_800_000,
    "image_classification": 2_900_000,
    "anomaly_detection": 110_000,
    "alexa": 40_000,
    "okay_nabu": 65_000,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[Ran]]]:
    """Two inferences of each network."""
    need("qemu-system-arm")
    files = {"digits_int8": digits(), "digits_float": digits("float32"), **mlperf_tiny(), **wake_words()}
    bench, rng = QemuBench(tmp_path_factory.mktemp("networks")), np.random.default_rng(0)
    cases = {name: bench.add_network(files[name]) for name in MOST}
    jobs = [
        (case, [random_content(rng, value) for value in case.program.inputs]) for case in cases.values() for _ in "ab"
    ]
    results = bench.run_all(jobs)
    return {name: (files[name], results[2 * i : 2 * i + 2]) for i, name in enumerate(cases)}


@pytest.mark.parametrize("name", MOST)
def test_networks_are_exact_and_fast_with_helium(runs: dict[str, tuple[bytes, list[Ran]]], name: str) -> None:
    data, results = runs[name]
    for ran in results:
        # A new one each time, since networks may keep state.
        for expected, output in zip(Oracle(data).run(list(ran.inputs)), ran.outputs, strict=True):
            assert difference(expected, output) <= tolerance(expected.dtype)
        assert ran.instructions <= MOST[name]
