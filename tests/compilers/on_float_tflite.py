"""The contract of compilers that take the float TFLite network of this folder's conftest."""

import pytest

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.testing.contracts.compiler import CompilerContract


class OnFloatTflite(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, float_net: Artifact) -> Artifact:
        return float_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, blobs: Dataset) -> Dataset:
        return blobs
