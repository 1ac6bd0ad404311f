"""The Open Inference Protocol over HTTP, asked by Triton's own client and by hand."""

import gzip
import http.client
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tests.serve.ways.open_inference.samples import samples

from edgerig.serve import Server
from edgerig.testing import networks


def infer_with_triton(server: Server, x: Any, datatype: str, *, binary: bool) -> Any:
    with triton.InferenceServerClient(str(server.address).removeprefix("tcp://")) as client:
        tensor = triton.InferInput("x", list(x.shape), datatype)
        tensor.set_data_from_numpy(x, binary_data=binary)
        wanted = [triton.InferRequestedOutput("y", binary_data=binary)]
        return client.infer(server.service.name, [tensor], outputs=wanted, request_id="7").as_numpy("y")


def ask(
    server: Server, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str = ""
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.address.host, server.address.port, timeout=60)
    connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None


def infer(server: Server, request: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return ask(server, f"/v2/models/{server.service.name}/infer", body, headers)


def tensor(x: Any, **changes: Any) -> dict[str, Any]:
    """A request's input x."""
    return {"name": "x", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist(), **changes}


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_tritons_client_gets_what_the_network_gives(fragile: Server, binary: bool) -> None:
    x = samples(3)
    outputs = infer_with_triton(fragile, x, "FP32", binary=binary)
    np.testing.assert_array_equal(outputs, fragile.infer({"x": x}).outputs["y"])


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_an_integer_network_takes_its_own_numbers_and_real_ones(integers: Server, binary: bool) -> None:
    x = samples(2)
    real = infer_with_triton(integers, x, "FP32", binary=binary)
    np.testing.assert_array_equal(real, integers.infer({"x": x}).outputs["y"])
    q = np.array([[-128, 127, 0, 1, 2, 3, 4, 5]], np.int8)
    raw = infer_with_triton(integers, q, "INT8", binary=binary)
    assert raw.dtype == np.int8
    np.testing.assert_array_equal(raw, integers.infer({"x": q}, raw=True).outputs["y"])


def test_metadata_tell_the_networks_own_tensors_and_how_they_are_quantized(integers: Server) -> None:
    with triton.InferenceServerClient(str(integers.address).removeprefix("tcp://")) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("integers")
        assert client.is_model_ready("integers", "1")
        assert client.get_server_metadata()["name"] == "edgerig"
        metadata = client.get_model_metadata("integers")
    scale, zero_point = networks.INT8_INPUT
    assert metadata["versions"] == ["1"]
    assert metadata["platform"] == "edgerig_litert"
    (x,) = metadata["inputs"]
    assert (x["name"], x["datatype"], x["shape"]) == ("x", "INT8", [-1, 8])
    assert x["parameters"] == {"scale": pytest.approx(scale), "zero_point": zero_point}
    assert [(y["name"], y["datatype"], y["shape"]) for y in metadata["outputs"]] == [("y", "INT8", [-1, 4])]


def test_nested_data_and_compressed_bodies_are_the_same_request(fragile: Server) -> None:
    x = samples(2)
    flat = infer(fragile, {"inputs": [tensor(x)], "id": "a"})
    nested = infer(fragile, {"inputs": [tensor(x, data=x.tolist())], "id": "a"})
    packed = json.dumps({"inputs": [tensor(x)], "id": "a"}).encode()
    zipped = infer(fragile, gzip.compress(packed), {"Content-Encoding": "gzip"})
    assert flat == nested == zipped
    status, answer = flat
    assert status == 200
    assert {key: answer[key] for key in ("model_name", "model_version", "id")} == {
        "model_name": "float_net",
        "model_version": "1",
        "id": "a",
    }
    (y,) = answer["outputs"]
    assert (y["name"], y["datatype"], y["shape"]) == ("y", "FP32", [2, 4])


X = samples(1)
WRONG_INPUTS: list[tuple[str, Any, str]] = [
    ("no such input", {"inputs": [tensor(X, name="z")]}, "takes 'x', not 'z'"),
    ("twice", {"inputs": [tensor(X), tensor(X)]}, "comes twice"),
    ("no inputs", {"inputs": []}, "not nothing"),
    ("no list", {"input": 1}, "missing required field `inputs`"),
    ("no JSON", b"{", "no inference request"),
    ("other bytes", bytes(range(256)), "no inference request"),
    ("deep", b'{"inputs":[{"name":"x","shape":[8],"datatype":"FP32","data":' + b"[" * 10**5, "no inference request"),
    ("wrong shape", {"inputs": [tensor(X, shape=[1, 9])]}, "says the shape [1, 9]"),
    ("other axes", {"inputs": [tensor(X, shape=[2, 4])]}, "takes the shape [n, 8]"),
    ("negative", {"inputs": [tensor(X, shape=[-1, 8])]}, "has the shape [-1, 8]"),
    ("endless", {"inputs": [tensor(X, shape=[2**62, 2**62])]}, "has the shape"),
    ("many axes", {"inputs": [tensor(X, shape=[1] * 100)]}, "has the shape"),
    ("no data", {"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32"}]}, "has no data"),
    ("text", {"inputs": [tensor(X, data=["a"] * 8)]}, "no FP32 numbers: Expected `float`, got `str` - at `$[0]`"),
    ("text amid", {"inputs": [tensor(X, data=[1.5] * 7 + ["a"])]}, "got `str` - at `$[7]`"),
    ("text in lists", {"inputs": [tensor(X, data=[[1.5] * 7 + ["a"]])]}, "nested as its shape is: Expected `float`"),
    ("NaN", {"inputs": [tensor(X, data=[1.5] * 7 + [float("nan")])]}, "JSON has no NaN and no infinity"),
    ("infinity", {"inputs": [tensor(X, data=[[1.5] * 7 + [float("-inf")]])]}, "send such numbers as binary tensors"),
    ("flag", {"inputs": [tensor(X)], "parameters": {"binary_data_output": 1}}, "binary_data_output is true or false"),
    (
        "output's flag",
        {"inputs": [tensor(X)], "outputs": [{"name": "y", "parameters": {"binary_data": "true"}}]},
        "The parameter binary_data is true or false, not 'true'",
    ),
    (
        "size as text",
        {"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "parameters": {"binary_data_size": "32"}}]},
        "has 32 B, not '32' of 0",
    ),
    ("null", {"inputs": [tensor(X, data=[None] * 8)]}, "no FP32 numbers"),
    ("other shape", {"inputs": [tensor(X, data=[[1, 2, 3]], shape=[1, 2])]}, "says the shape [1, 2]"),
    ("ragged", {"inputs": [tensor(X, data=[[1, 2], [3]], shape=[2, 2])]}, "no regular list"),
    ("datatype", {"inputs": [tensor(X, datatype="FP64")]}, "takes FP32, not FP64"),
    ("strings", {"inputs": [tensor(X, datatype="BYTES")]}, "has the datatype 'BYTES'"),
    ("no datatype", {"inputs": [tensor(X, datatype="")]}, "has the datatype ''"),
    ("no such output", {"inputs": [tensor(X)], "outputs": [{"name": "z"}]}, "'z' is none of 'y'"),
    ("output twice", {"inputs": [tensor(X)], "outputs": [{"name": "y"}] * 2}, "asked for twice"),
    (
        "ranking",
        {"inputs": [tensor(X)], "outputs": [{"name": "y", "parameters": {"classification": 2}}]},
        "`classification` is not offered",
    ),
    (
        "input in shared memory",
        {"inputs": [{**tensor(X), "parameters": {"shared_memory_region": "r"}}]},
        "Input 'x' has the parameter shared_memory_region",
    ),
    (
        "output in shared memory",
        {"inputs": [tensor(X)], "outputs": [{"name": "y", "parameters": {"shared_memory_region": "r"}}]},
        "Output 'y' has the parameter shared_memory_region",
    ),
]


@pytest.mark.parametrize(
    ("request_", "text"), [case[1:] for case in WRONG_INPUTS], ids=[case[0] for case in WRONG_INPUTS]
)
def test_a_wrong_request_is_refused_with_what_is_wrong(fragile: Server, request_: Any, text: str) -> None:
    status, answer = infer(fragile, request_)
    assert (status, list(answer)) == (400, ["error"])
    assert text in answer["error"]


def test_integers_are_never_changed_to_fit(integers: Server) -> None:
    values = [0] * 7
    for data, text in (
        ([*values, 128], "exceed -128 to 127"),
        ([*values, 1.5], "no INT8 numbers"),
        ([*values, True], "no INT8 numbers"),
        ([*values, 10**30], "no INT8 numbers"),
    ):
        status, answer = infer(integers, {"inputs": [tensor(X, datatype="INT8", data=data)]})
        assert status == 400
        assert text in answer["error"]
    status, answer = infer(integers, {"inputs": [tensor(X, datatype="UINT8", data=[*values, 0])]})
    assert (status, "takes INT8, or FP32 to be quantized, not UINT8" in answer["error"]) == (400, True)


def binary_request(x: Any, size: int | None = None, more: bytes = b"") -> tuple[bytes, int]:
    data = x.tobytes()
    described = {"name": "x", "shape": list(x.shape), "datatype": "FP32"}
    described["parameters"] = {"binary_data_size": len(data) if size is None else size}
    head = json.dumps({"inputs": [described]}).encode()
    return head + data + more, len(head)


@pytest.mark.parametrize(
    ("length", "size", "more"),
    [
        ("-1", None, b""),
        ("x", None, b""),
        ("9" * 5000, None, b""),
        ("0" * 5000, None, b""),
        ("100000", None, b""),
        (None, 31, b""),
        (None, 2**60, b""),
        (None, None, b"z"),
    ],
)
def test_binary_tensors_have_exactly_the_bytes_of_their_shape(
    fragile: Server, length: str | None, size: int | None, more: bytes
) -> None:
    body, head = binary_request(X, size, more)
    status, answer = infer(fragile, body, {"Inference-Header-Content-Length": length or str(head)})
    assert (status, list(answer)) == (400, ["error"])


def test_paths_methods_models_and_versions_that_are_not_there(fragile: Server) -> None:
    assert ask(fragile, "/v2/models/other")[0] == 404
    assert "There is no model 'other'; 'float_net' is served" in ask(fragile, "/v2/models/other")[1]["error"]
    assert ask(fragile, "/v2/models/float_net/versions/2")[0] == 404
    assert ask(fragile, "/v2/models/float_net/versions/1")[0] == 200
    assert ask(fragile, "/nothing") == (404, {"error": "Not Found"})
    status, said = ask(fragile, "/")
    assert (status, "There is no page for" in said["error"]) == (404, True)
    assert ask(fragile, "/v2/models/float_net/infer")[0] == 405
    assert ask(fragile, "/v2/models/float_net", method="DELETE")[0] == 405


def test_an_engine_that_fails_is_no_fault_of_the_request(fragile: Server) -> None:
    x = samples(1)
    x[0, 0] = 777
    status, answer = infer(fragile, {"inputs": [tensor(x)]})
    assert (status, "this sample is refused" in answer["error"]) == (500, True)


def test_what_json_has_no_number_for_is_said_and_goes_in_binary(fragile: Server) -> None:
    x = np.full((1, 8), np.nan, np.float32)
    body, head = binary_request(x)
    status, answer = infer(fragile, body, {"Inference-Header-Content-Length": str(head)})
    assert (status, "NaN or infinity" in answer["error"]) == (400, True)
    assert np.isnan(infer_with_triton(fragile, x, "FP32", binary=True)).all()


def test_too_large_and_wrongly_compressed_bodies(fragile: Server) -> None:
    path = "/v2/models/float_net/infer"
    with socket.create_connection((fragile.address.host, fragile.address.port), 60) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {10**12}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    bomb = gzip.compress(bytes(70 << 20))
    assert infer(fragile, bomb, {"Content-Encoding": "gzip"})[0] == 413
    assert infer(fragile, bomb[:1000], {"Content-Encoding": "gzip"})[0] == 400
    assert infer(fragile, b"{}", {"Content-Encoding": "gzip"})[0] == 400
    assert infer(fragile, b"{}", {"Content-Encoding": "br"})[0] == 415
    assert infer(fragile, {"inputs": [tensor(X)]})[0] == 200


def test_several_inputs_and_outputs_go_by_name(tmp_path: Path) -> None:
    net = networks.two_input_tflite(tmp_path / "two.tflite")
    with Server(net, listen="127.0.0.1:0", sessions=1) as server:
        specs = server.pool.tensors.inputs
        arrays = {spec.name: np.full((2, *spec.shape[1:]), index, np.float32) for index, spec in enumerate(specs)}
        described = [tensor(array, name=name) for name, array in arrays.items()]
        assert infer(server, {"inputs": described}) == infer(server, {"inputs": described[::-1]})
        status, answer = infer(server, {"inputs": described[:1]})
        assert (status, "takes" in answer["error"]) == (400, True)


def test_tritons_client_finds_the_network_and_its_configuration(integers: Server) -> None:
    with triton.InferenceServerClient(str(integers.address).removeprefix("tcp://")) as client:
        (entry,) = client.get_model_repository_index()
        assert (entry["name"], entry["version"], entry["state"]) == (integers.service.name, "1", "READY")
        config = client.get_model_config(entry["name"])
    assert config["input"] == [{"name": "x", "data_type": "TYPE_INT8", "dims": [8]}]
    assert config["max_batch_size"] == integers.service.pool.queue
    assert ask(integers, "/v2/repository/index")[0] == 405
    assert ask(integers, "/v2/models/none/config")[0] == 404
