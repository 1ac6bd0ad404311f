"""The contract of compilers without calibration that take the ONNX network of this folder's conftest."""

import pytest

from edgerig.artifact import Artifact
from edgerig.testing.contracts.compiler import CompilerContract


class OnOnnx(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, onnx_net: Artifact) -> Artifact:
        return onnx_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> None:
        return None
