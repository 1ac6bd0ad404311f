from pathlib import Path

import pytest

from edgerig.testing import networks


@pytest.fixture
def float_tflite(tmp_path: Path) -> Path:
    return networks.dense_tflite(tmp_path / "float.tflite")


@pytest.fixture
def int8_tflite(tmp_path: Path) -> Path:
    return networks.dense_tflite_int8(tmp_path / "int8.tflite")


@pytest.fixture
def two_input_tflite(tmp_path: Path) -> Path:
    return networks.two_input_tflite(tmp_path / "two.tflite")


@pytest.fixture
def float_onnx(tmp_path: Path) -> Path:
    return networks.dense_onnx(tmp_path / "float.onnx")


@pytest.fixture
def broken_tflite(float_tflite: Path, tmp_path: Path) -> Path:
    content = bytearray(float_tflite.read_bytes())
    content[8:40] = b"\xff" * 32
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    return path
