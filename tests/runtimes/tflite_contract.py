"""The contract of runtimes that take TFLite files, on the networks of this folder's conftest."""

from pathlib import Path

import pytest

from edgerig.testing.contracts.runtime import RuntimeContract
from edgerig.testing.networks.several_ends import two_in_three_out_tflite
from edgerig.testing.networks.tflite_builder import counting_network


class TFLiteRuntimeContract(RuntimeContract):
    """A subclass gives the fixture ``runtime`` and the method ``reference``."""

    @pytest.fixture(params=["float_tflite", "int8_tflite", "two_input_tflite"])
    def network(self, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(request.param)

    @pytest.fixture(params=[False, True])
    def network_of_several(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        return two_in_three_out_tflite(tmp_path / "several.tflite", int8=request.param)

    @pytest.fixture
    def network_with_state(self, tmp_path: Path) -> Path:
        path = tmp_path / "counter.tflite"
        path.write_bytes(counting_network(start=3.0))
        return path

    @pytest.fixture
    def wrong_network(self, broken_tflite: Path) -> Path:
        return broken_tflite
