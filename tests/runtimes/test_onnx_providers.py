"""Providers of ONNX Runtime: what the installed build lacks is refused, and so is a session that leaves it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgerig.errors import InferenceError, SpecError
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.onnx_providers import check_used, engine_version
from edgerig.testing import networks

#: A provider that is in the wheel and takes no operator of ONNX: it calls servers.
IDLE = "AzureExecutionProvider"
needs_idle_provider = pytest.mark.skipif(
    IDLE not in onnxruntime.get_available_providers(), reason=f"this build of ONNX Runtime has no {IDLE}"
)


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


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("cuda", "CUDAExecutionProvider"),
        ("tensorrt", "TensorrtExecutionProvider"),
        ("CUDAExecutionProvider", "CUDAExecutionProvider"),
        ([{"CUDAExecutionProvider": {"device_id": 1}}, "cpu"], "CUDAExecutionProvider"),
    ],
)
def test_a_provider_that_the_build_lacks_is_refused(tmp_path: Path, setting: object, name: str) -> None:
    if name in onnxruntime.get_available_providers():
        pytest.skip(f"this build of ONNX Runtime has {name}")
    path = networks.dense_onnx(tmp_path / "net.onnx")
    words = rf"This build of ONNX Runtime .* cannot use {name}: it has .*CPUExecutionProvider"
    with pytest.raises(InferenceError, match=words) as error:
        runtime(provider=setting).load(path)
    assert "pip install onnxruntime-gpu" in (error.value.hint or "")


def test_a_provider_that_did_not_start_is_not_replaced_in_silence() -> None:
    """What ONNX Runtime does where CUDA's libraries are missing: it warns, and runs on the CPU."""
    check_used("TensorrtExecutionProvider", ["TensorrtExecutionProvider", "CPUExecutionProvider"])
    words = "could not start CUDAExecutionProvider, and would run on CPUExecutionProvider instead"
    with pytest.raises(InferenceError, match=words):
        check_used("CUDAExecutionProvider", ["CPUExecutionProvider"])


def test_a_misspelt_provider_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="cannot use CUDAExecutionProvide:") as error:
        runtime(provider="CUDAExecutionProvide").load(networks.dense_onnx(tmp_path / "net.onnx"))
    assert error.value.hint == "ONNX Runtime knows no provider of that name; did you mean CUDAExecutionProvider?"


@pytest.mark.parametrize(
    ("setting", "words"),
    [([], "names no provider"), ([{"CUDAExecutionProvider": {}, "cpu": {}}], "names 2 providers")],
)
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, setting: object, words: str) -> None:
    with pytest.raises(InferenceError, match=words):
        runtime(provider=setting).load(networks.dense_onnx(tmp_path / "net.onnx"))


def test_numbers_are_no_provider() -> None:
    with pytest.raises(SpecError, match="provider"):
        runtime(provider=3)


@needs_idle_provider
def test_operators_that_fall_to_the_cpu_are_an_error_where_that_is_forbidden(tmp_path: Path) -> None:
    path = networks.dense_onnx(tmp_path / "net.onnx")
    with pytest.raises(InferenceError, match=f"{IDLE} does not take the whole network"):
        runtime(provider=IDLE, fallback="forbid").load(path)
    # The CPU is allowed where it is named.
    runtime(provider=[IDLE, "cpu"], fallback="forbid").load(path)


def test_files_that_options_load_code_from_are_told() -> None:
    plugin = {"TensorrtExecutionProvider": {"trt_extra_plugin_lib_paths": "/tmp/a.so", "trt_fp16_enable": True}}
    assert runtime(provider=[plugin]).libraries() == ("/tmp/a.so",)
    assert runtime(provider="cuda").libraries() == ()


def test_the_version_is_that_of_the_engine() -> None:
    assert engine_version() == onnxruntime.__version__
