"""The contract of a runtime on small ONNX files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.testing.contracts.runtime import RuntimeContract
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx


class OnnxFilesContract(RuntimeContract):
    """`RuntimeContract`; a subclass gives the fixture ``runtime`` and `reference`."""

    @pytest.fixture(params=[1, "batch"])
    def network(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        return dense_onnx(tmp_path / "net.onnx", batch=request.param)

    @pytest.fixture
    def network_of_several(self, tmp_path: Path) -> Path:
        return two_in_three_out_onnx(tmp_path / "several.onnx")

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = tmp_path / "broken.onnx"
        path.write_bytes(b"\x08\xff" * 40)
        return path
