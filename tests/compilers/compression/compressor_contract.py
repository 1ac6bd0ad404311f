"""The contract of compilers that change a trained Keras network, on a small one and the data that it learned from."""

from __future__ import annotations

import pytest

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.testing.contracts.compiler import CompilerContract


class CompressorContract(CompilerContract):
    """`CompilerContract` on that network; a subclass gives the fixture ``compiler``."""

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, keras_net: Artifact) -> Artifact:
        return keras_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, blobs: Dataset) -> Dataset:
        return blobs
