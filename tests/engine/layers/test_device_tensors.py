"""Tensors between layers as a real agent gives them, and what is said where they cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.agents import serving
from tests.results.conftest import make_measured

from edgerig.agent.address import Address
from edgerig.agent.server import Agent
from edgerig.engine.layers import device_tensors as module
from edgerig.engine.layers.device_tensors import DeviceTensors, device_tensors
from edgerig.measure.kinds import Unavailable
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress
from edgerig.results.types import CellResult
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for
from edgerig.testing.networks import dense_tflite, dense_weights

FEATURES, CLASSES = 8, 4
X = np.random.default_rng(0).standard_normal((6, FEATURES)).astype(np.float32)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with serving(Agent(Address("127.0.0.1", 0), runtimes=("litert",))) as agent:
        opened = target_for(str(agent.address), {})
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dense_tflite(tmp_path_factory.mktemp("net") / "net.tflite", FEATURES, CLASSES)


def cell_of(net: Path, **changes: Any) -> CellResult:
    artifact = open_artifact(net)
    return replace(make_measured([1e-4])[0], runtime="litert", options={}, artifact=artifact, **changes)


def read(cell: CellResult, net: Path, target: Target, wanted: list[int] | None = None) -> DeviceTensors | Unavailable:
    graph = read_graph(net)
    return device_tensors(cell, net.read_bytes(), graph, wanted or between(graph), [X], target, Progress())


def between(graph: Graph) -> list[int]:
    """The output of the dense layer, which the softmax reads."""
    (dense,) = (operator for operator in graph.operators if operator.op == "FULLY_CONNECTED")
    return [dense.outputs[0]]


def test_an_agent_gives_what_its_layers_compute(net: Path, target: Target) -> None:
    graph, tensors = read_graph(net), read(cell_of(net), net, target)
    assert isinstance(tensors, DeviceTensors)
    weights, bias = dense_weights(FEATURES, CLASSES, 0)
    sums = X @ weights.reshape(CLASSES, FEATURES).T + bias
    (index,) = between(graph)
    assert tensors.samples == len(X)
    np.testing.assert_allclose(tensors.values[index][:, 0], sums, rtol=1e-4, atol=1e-5)
    shares = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tensors.values[graph.outputs[0]][:, 0], shares, rtol=1e-4, atol=1e-5)


def test_what_is_too_much_for_a_request_goes_in_several_and_in_several_files(
    net: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(cell_of(net), net, target)
    # Output and sums of one inference are 16 bytes each: one inference a request.
    monkeypatch.setattr(module, "REQUEST_BYTES", 32)
    parts = read(cell_of(net), net, target)
    assert isinstance(whole, DeviceTensors)
    assert isinstance(parts, DeviceTensors)
    for index, values in whole.values.items():
        np.testing.assert_array_equal(values, parts.values[index])
    # Where sums alone fill it, each tensor has a file; of more than may be sent, none is.
    graph = read_graph(net)
    assert [len(part) for part in module._parts(graph, between(graph) * 3)] == [1, 1, 1]
    monkeypatch.setattr(module, "MOST_FILES", 2)
    refused = read(cell_of(net), net, target, between(graph) * 3)
    assert isinstance(refused, Unavailable)
    assert refused.reason.endswith("an inference, which is too much to be sent")


def test_fewer_samples_are_held_where_all_are_too_much(
    net: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOTAL_BYTES", 5 * 32)
    some = read(cell_of(net), net, target)
    assert isinstance(some, DeviceTensors)
    assert (some.samples, {len(values) for values in some.values.values()}) == (5, {5})
    monkeypatch.setattr(module, "TOTAL_BYTES", 3 * 32)
    assert isinstance(read(cell_of(net), net, target), Unavailable), "three samples are too few"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"runtime": "micro"}, "runtime micro gives no tensors between layers"),
        ({"batch": 8}, "it ran 8 samples an inference"),
    ],
)
def test_what_cannot_give_them_says_why(net: Path, target: Target, changes: dict[str, Any], words: str) -> None:
    refused = read(replace(cell_of(net), **changes), net, target)
    assert isinstance(refused, Unavailable)
    assert words in refused.reason
