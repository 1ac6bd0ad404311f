"""The contract of every framework of the grid that is installed, and each network that edgerig itself exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.compilers.tflite_to_onnx.export import OPSET
from edgerig.plugins import find
from edgerig.suites.conversion_grid.compare import draw_inputs, largest_error, reference_of
from edgerig.suites.conversion_grid.conversion import ONNXConversion
from edgerig.suites.conversion_grid.frameworks.edgerig_exporter import EdgerigConversion
from edgerig.suites.conversion_grid.frameworks.keras_networks import NETWORKS
from edgerig.testing.contracts.conversion import ConversionContract


def installed(name: str) -> Any:
    plugin = find("conversion", name, ONNXConversion)
    missing = plugin.missing()
    return pytest.param(name, marks=pytest.mark.skipif(missing is not None, reason=str(missing)), id=name)


class TestImporters(ConversionContract):
    @pytest.fixture(
        scope="class",
        params=[
            installed(name)
            for name in ("onnxruntime", "onnx-reference", "openvino", "tract", "ncnn", "mnn", "iree", "tvm")
        ],
    )
    @classmethod
    def conversion(cls, request: pytest.FixtureRequest) -> ONNXConversion:
        return find("conversion", request.param, ONNXConversion)()


@pytest.mark.slow
class TestExporters(ConversionContract):
    @pytest.fixture(scope="class", params=[installed(name) for name in ("torch", "keras", "jax", "sklearn", "edgerig")])
    @classmethod
    def conversion(cls, request: pytest.FixtureRequest) -> ONNXConversion:
        return find("conversion", request.param, ONNXConversion)()


def test_edgerig_writes_the_opset_that_it_says() -> None:
    assert EdgerigConversion.opsets == (OPSET,)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("mlp", "lstm")])
def test_edgerig_s_own_exporter_is_equal_on_every_network(name: str, tmp_path: Path) -> None:
    """`mlp` and a loop are in the grids of other tests."""
    import onnxruntime as ort

    exported = EdgerigConversion().export(name, OPSET, tmp_path / "net.onnx")
    samples = draw_inputs(exported.inputs)
    reference = reference_of(exported.run, samples, exported.classes)
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    found = [[np.asarray(output) for output in session.run(None, sample)] for sample in samples]
    assert not reference.vacuous
    assert largest_error(reference, found)[2] == ""
