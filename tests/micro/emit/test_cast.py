"""CAST: beyond what a type holds, and through compilers that see both pointers come from one array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir.operators.functions import CASTS
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import load_all
from edgerig.testing.networks.tflite_builder import TfliteBuilder

EDGES = np.array([0, 0.9, -0.9, 1.5, -1.5, 127.9, 128, -129, 255.5, 3e9, -3e9, np.inf, -np.inf, np.nan, 300, -300.0])


def cast(source: str, target: str) -> bytes:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 16), source), net.tensor("y", (1, 16), target)
    net.operator("CAST", [x], [y], "CastOptions")
    return net.build([x], [y])


@pytest.mark.parametrize("flags", ["-O1", "-Os"])
def test_floats_that_a_type_does_not_hold_are_limited_and_what_is_no_number_is_0(flags: str, tmp_path: Path) -> None:
    files = {target: cast("float32", target) for target in CASTS}
    values = EDGES.astype(np.float32).reshape(1, 16)
    networks = load_all(
        [compile_model(data, f"to_{name}", Options()) for name, data in files.items()], tmp_path, (flags,)
    )
    for (target, data), network in zip(files.items(), networks, strict=True):
        (found,) = network.run([values])
        if target == "float32":
            np.testing.assert_array_equal(found, values)
        elif target == "bool":
            np.testing.assert_array_equal(found, values != 0)
        else:
            limits = np.iinfo(target)
            whole = np.trunc(np.nan_to_num(values.astype(np.float64), nan=0))
            np.testing.assert_array_equal(found, np.clip(whole, limits.min, limits.max))
        np.testing.assert_array_equal(Machine(read_program(data, target)).run([values])[0], found)


def test_another_type_is_refused_by_name() -> None:
    with pytest.raises(CompileError, match="it casts float32 to int64"):
        compile_model(cast("float32", "int64"), "net", Options())
