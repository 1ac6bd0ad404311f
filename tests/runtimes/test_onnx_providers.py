"""Providers of ONNX Runtime: what the installed build lacks is refused, and so is a session that leaves it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import InferenceError, SpecError
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.onnx_providers import check_used, engine_version
from edgerig.testing import networks


def runtime(**settings: object) -> Runtime:
    return make("runtime", "onnxruntime", Runtime, settings)


def test_the_cpu_is_named_as_well_as_meant(tmp_path: Path) -> None:
    path = networks.dense_onnx(tmp_path / "net.onnx")
    x = np.ones((1, 8), np.float32)
    results = []
    for settings in ({}, {"provider": "cpu"}):
        with runtime(**settings) as engine:
            engine.load(path)
            results.append(engine.run([x]).outputs[0])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_the_build_lacks_is_refused(tmp_path: Path, provider: str) -> None:
    import onnxruntime

    if any(provider in name.lower() for name in onnxruntime.get_available_providers()):
        pytest.skip(f"this build of ONNX Runtime has {provider}")
    path = networks.dense_onnx(tmp_path / "net.onnx")
    with pytest.raises(InferenceError, match=rf"This build of ONNX Runtime .* cannot use {provider}") as error:
        runtime(provider=provider).load(path)
    assert "pip install onnxruntime-gpu" in (error.value.hint or "")


def test_a_provider_that_did_not_start_is_not_replaced_in_silence() -> None:
    """What ONNX Runtime does where CUDA's libraries are missing: it warns, and runs on the CPU."""
    check_used("tensorrt", ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(InferenceError, match="could not start cuda, and would run on CPUExecutionProvider instead"):
        check_used("cuda", ["CPUExecutionProvider"])


def test_other_providers_are_no_setting() -> None:
    with pytest.raises(SpecError, match="provider"):
        runtime(provider="coreml")


def test_the_version_is_that_of_the_engine() -> None:
    import onnxruntime

    assert engine_version() == onnxruntime.__version__
