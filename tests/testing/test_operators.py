"""The bench of operators on the simulated board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro.kernels.cortex_m import CORTEX_M
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.testing.networks.one_unit import fits_one_unit
from edgerig.testing.networks.operators import OperatorBench, random_conv


def test_cases_that_do_not_fit_into_the_memory_are_refused_not_laid_over_one_another(tmp_path: Path) -> None:
    """Each of them fits; both together would reach into where initialized data lie."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(0)
    for _ in range(2):
        bench.add([random_conv(rng, (150, 150, 8), 1, (1, 1))], [*CORTEX_M, *PORTABLE])
    with pytest.raises(AssertionError, match="more than 288 KiB of RAM"):
        bench.compare(bench.add([random_conv(rng, (4, 4, 8), 1, (1, 1))], [*CORTEX_M, *PORTABLE]), rng)


def test_assembly_that_names_macros_or_constants_is_assembled_by_itself() -> None:
    function = "    .syntax unified\n    .section .text.sum\nsum:\n1:  bne 1b\n"
    assert fits_one_unit(function)
    for line in (".macro STEP", "    .set OUT, 4", "  .equ OUT, 4", '#include "er_first_pool.inc"'):
        assert not fits_one_unit(f"{line}\n{function}")
