import pytest

from edgerig.models.formats import Keras, Onnx, TFLite
from edgerig.testing.contracts.format import FormatContract
from edgerig.testing.networks import dense_onnx, dense_tflite, dense_weights
from edgerig.testing.networks.keras2_files import functional, layer, write_keras2


class TestTFLite(FormatContract):
    @pytest.fixture
    def format(self):
        return TFLite()

    @pytest.fixture
    def network(self, tmp_path):
        return dense_tflite(tmp_path / "net.tflite")


class TestOnnx(FormatContract):
    @pytest.fixture
    def format(self):
        return Onnx()

    @pytest.fixture
    def network(self, tmp_path):
        return dense_onnx(tmp_path / "net.onnx")


class TestKeras(FormatContract):
    @pytest.fixture
    def format(self):
        return Keras()

    @pytest.fixture
    def network(self, tmp_path):
        weights, bias = dense_weights(8, 4)
        dense = layer("Dense", "dense", units=4, activation="linear")
        layers = [(layer("InputLayer", "x", batch_input_shape=[None, 8]), []), (dense, ["x"])]
        values = {"dense": [("dense/kernel:0", weights.T), ("dense/bias:0", bias)]}
        return write_keras2(tmp_path / "net.h5", functional(layers, ["dense"]), values)


class TestOdd(FormatContract):
    @pytest.fixture
    def format(self, odd_nets):
        return odd_nets.Odd()

    @pytest.fixture
    def network(self, odd_nets, tmp_path):
        path = tmp_path / "net.odd"
        path.write_bytes(odd_nets.odd(*dense_weights(8, 4)))
        return path


class TestParted(FormatContract):
    @pytest.fixture
    def format(self, odd_nets):
        return odd_nets.Parted()

    @pytest.fixture
    def network(self, odd_nets, tmp_path):
        return odd_nets.write_parted(tmp_path / "given" / "net.parted", *dense_weights(8, 4))
