"""A network that keeps state begins anew with each request; whoever counts on more is told."""

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tests.serve.ways.open_inference.test_grpc import address
from tritonclient.utils import InferenceServerException

from edgerig.serve import Server
from edgerig.testing.networks.tflite_builder import counting_network


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a network whose output is the sum of its inputs since its sequence began."""
    net = tmp_path_factory.mktemp("served") / "counting.tflite"
    net.write_bytes(counting_network())
    with Server(net, listen="127.0.0.1:0", sessions=1) as server:
        yield server


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_request_cannot_continue_anothers_sequence(counting: Server, kind: str) -> None:
    triton = triton_http if kind == "http" else triton_grpc
    where = f"127.0.0.1:{counting.address.port}" if kind == "http" else address(counting)
    x = np.ones((3, 4), np.float32)
    with triton.InferenceServerClient(where) as client:
        tensor = triton.InferInput("x", [3, 4], "FP32")
        tensor.set_data_from_numpy(x)
        for sequence in (7, "seven"):
            with pytest.raises(InferenceServerException, match="each request is a sequence of its own"):
                client.infer("counting", [tensor], sequence_id=sequence, sequence_start=True)
        # Its samples are a sequence, which begins with it.
        for _ in range(2):
            np.testing.assert_array_equal(client.infer("counting", [tensor]).as_numpy("y"), x.cumsum(axis=0))


def test_other_networks_take_the_parameter(fragile: Server) -> None:
    x = np.ones((1, 8), np.float32)
    with triton_http.InferenceServerClient(f"127.0.0.1:{fragile.address.port}") as client:
        tensor = triton_http.InferInput("x", [1, 8], "FP32")
        tensor.set_data_from_numpy(x)
        alone = client.infer("float_net", [tensor]).as_numpy("y")
        within = client.infer("float_net", [tensor], sequence_id=7, sequence_start=True).as_numpy("y")
    np.testing.assert_array_equal(alone, within)
