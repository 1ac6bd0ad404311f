"""The ONNX compilers keep the promises of a compiler, from each format that they take."""

from __future__ import annotations

import pytest
from tests.compilers.on_float_tflite import OnFloatTflite

from edgerig import plugins
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8, OnnxInt8Settings


class TestOnnx(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Onnx()


class TestOnnxInt8(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return OnnxInt8(OnnxInt8Settings(calibration_samples=10))


class TestOnnxInt8OfOnnx(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, onnx_net: Artifact) -> Artifact:
        return onnx_net

    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return OnnxInt8(OnnxInt8Settings(calibration_samples=10, activation_type="uint8"))


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_they_are_found_by_their_names(name: str) -> None:
    found = plugins.find("compiler", name, ModelCompiler)
    assert found.name == name
    assert found.missing() is None
