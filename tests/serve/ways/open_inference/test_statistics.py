"""Triton's own clients read counts and times that are those of what was asked."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tests.serve.fragile import REFUSED
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_http import ask
from tritonclient.utils import InferenceServerException

from edgerig.serve import Server


@pytest.fixture
def server(float_net: Path) -> Iterator[Server]:
    with Server(float_net, listen="127.0.0.1:0", sessions=2, runtime="tests.serve.fragile:Fragile") as served:
        yield served


def over_http(server: Server) -> Any:
    return triton_http.InferenceServerClient(str(server.address).removeprefix("tcp://"))


def over_grpc(server: Server) -> Any:
    return triton_grpc.InferenceServerClient(str(server.addresses["oip-grpc"]).removeprefix("tcp://"))


def infer(module: Any, client: Any, x: Any) -> None:
    tensor = module.InferInput("x", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    client.infer("float_net", [tensor])


def test_every_request_sample_and_inference_is_counted_with_its_time(server: Server) -> None:
    began = time.time_ns() // 1_000_000
    with over_http(server) as http, over_grpc(server) as grpc:
        (before,) = http.get_inference_statistics()["model_stats"]
        assert (before["inference_count"], before["execution_count"], before["last_inference"]) == (0, 0, 0)
        assert before["batch_stats"] == []
        for seed in range(5):
            infer(triton_http, http, samples(2, seed))
        infer(triton_grpc, grpc, samples(3))
        refused = samples(1)
        refused[0, 0] = REFUSED
        with pytest.raises(InferenceServerException):
            infer(triton_http, http, refused)
        (told,) = http.get_inference_statistics("float_net")["model_stats"]
        other = grpc.get_inference_statistics("float_net", as_json=True)["model_stats"][0]
        every = grpc.get_inference_statistics().model_stats
    assert (told["name"], told["version"]) == ("float_net", "1")
    assert told["inference_count"] == told["execution_count"] == 5 * 2 + 3
    assert began <= told["last_inference"] <= time.time_ns() // 1_000_000
    stats = told["inference_stats"]
    assert {name: each["count"] for name, each in stats.items()} == {
        "success": 6, "fail": 1, "queue": 6, "compute_input": 6, "compute_infer": 6, "compute_output": 6,
        "cache_hit": 0, "cache_miss": 0,
    }  # fmt: skip
    parts = sum(stats[name]["ns"] for name in ("compute_input", "compute_infer", "compute_output", "queue"))
    assert 0 < parts < stats["success"]["ns"]
    assert all(stats[name]["ns"] > 0 for name in ("fail", "compute_input", "compute_infer", "compute_output"))
    (batch,) = told["batch_stats"]
    assert batch["batch_size"] == 1
    assert batch["compute_infer"]["count"] == 13
    # Nothing else ran: what the inferences took is what the requests waited for them.
    assert batch["compute_infer"]["ns"] == stats["compute_infer"]["ns"]
    # gRPC tells the same, of one network or of all.
    assert int(other["inference_count"]) == every[0].inference_count == 13
    assert int(other["inference_stats"]["success"]["ns"]) == stats["success"]["ns"]
    assert server.service.records.requests[("oip-http", "ok")] == [5, 10]


def test_paths_and_names(server: Server) -> None:
    for path in ("/v2/models/stats", "/v2/models/float_net/stats", "/v2/models/float_net/versions/1/stats"):
        status, told = ask(server, path)
        assert status == 200
        assert told["model_stats"][0]["name"] == "float_net"
    assert ask(server, "/v2/models/none/stats")[0] == 404
    assert ask(server, "/v2/models/float_net/versions/2/stats")[0] == 404
    assert ask(server, "/v2/models/stats", b"{}")[0] == 405
    assert "statistics" in ask(server, "/v2")[1]["extensions"]
    with over_grpc(server) as grpc, pytest.raises(InferenceServerException, match="no model"):
        grpc.get_inference_statistics("none")


def test_a_request_in_parts_counts_once(server: Server) -> None:
    x = samples(3 * server.pool.batch)
    with over_http(server) as http:
        infer(triton_http, http, x)
        (told,) = http.get_inference_statistics()["model_stats"]
    assert told["inference_stats"]["success"]["count"] == 1
    assert told["inference_count"] == told["execution_count"] == len(x)
    np.testing.assert_array_less(0, told["inference_stats"]["compute_input"]["ns"])
