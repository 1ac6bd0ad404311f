"""The contract of runtimes that take TFLite files, on the networks of this folder's conftest."""

from pathlib import Path

import pytest

from edgerig.testing.contracts.runtime import RuntimeContract


class TFLiteRuntimeContract(RuntimeContract):
    """A subclass gives the fixture ``runtime`` and the method ``reference``."""

    @pytest.fixture(params=["float_tflite", "int8_tflite", "two_input_tflite"])
    def network(self, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(request.param)

    @pytest.fixture
    def wrong_network(self, broken_tflite: Path) -> Path:
        return broken_tflite
