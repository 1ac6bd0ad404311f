"""A network in the server's own process: the same answers, and the same refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.fragile import REFUSED

from edgerig.errors import EdgerigError, IncompatibleError, InferenceError
from edgerig.serve import Server
from edgerig.serve.in_process import InProcessSession
from edgerig.serve.inline_lane import QUICK_NS
from edgerig.serve.requests import Request
from edgerig.testing import networks
from edgerig.testing.networks.tflite_builder import counting_network

SAMPLES = np.random.default_rng(0).random((300, 8), np.float32)


@pytest.fixture(scope="module")
def served(float_net: Path) -> Iterator[Server]:
    """A server whose engine, here, refuses some samples."""
    with Server(float_net, listen="127.0.0.1:0", runtime="tests.serve.fragile:Fragile", in_process=True) as server:
        yield server


def expected(samples: Any) -> Any:
    weights, bias = networks.dense_weights(8, 4)
    powers = np.exp(samples @ weights.T + bias)
    return powers / powers.sum(axis=1, keepdims=True)


def outputs(server: Server, samples: Any) -> Any:
    return next(iter(server.infer({"x": samples}).outputs.values()))


def test_answers_are_those_of_the_network_one_by_one_and_together(served: Server) -> None:
    for count in (1, 1, 2, 300):
        np.testing.assert_allclose(outputs(served, SAMPLES[:count]), expected(SAMPLES[:count]), atol=1e-6)
    assert served.pool.pids == []
    answer = served.infer({"x": SAMPLES[:1]})
    assert 0 < answer.network_ns < 1e9


@pytest.mark.parametrize("sample_ns", [1.0, 2.0 * QUICK_NS])
def test_many_who_ask_at_once_get_their_own_answers_be_the_network_quick_or_slow(
    served: Server, sample_ns: float
) -> None:
    lane: Any = served.pool._lanes[0]

    async def ask() -> list[Any]:
        lane._sample_ns = sample_ns
        asked = [served.pool.infer({"x": row[None]}) for row in SAMPLES]
        return [next(iter(answer.outputs.values()))[0] for answer in await asyncio.gather(*asked)]

    np.testing.assert_allclose(served.run(ask()), expected(SAMPLES), atol=1e-6)
    # An output is nobody else's memory.
    first = outputs(served, SAMPLES[:1])
    before = first.copy()
    outputs(served, SAMPLES[1:2])
    np.testing.assert_array_equal(first, before)


def test_a_sample_that_the_engine_refuses_costs_its_sender_alone(served: Server) -> None:
    bad = SAMPLES[:1].copy()
    bad[0, 0] = REFUSED

    async def ask() -> list[Any]:
        asked = [served.pool.infer({"x": row}) for row in (SAMPLES[:1], bad, SAMPLES[1:2])]
        return await asyncio.gather(*asked, return_exceptions=True)

    good, refused, other = served.run(ask())
    assert isinstance(refused, InferenceError)
    np.testing.assert_allclose(next(iter(good.outputs.values())), expected(SAMPLES[:1]), atol=1e-6)
    np.testing.assert_allclose(next(iter(other.outputs.values())), expected(SAMPLES[1:2]), atol=1e-6)
    with pytest.raises(InferenceError, match="refused"):
        served.infer({"x": bad})
    assert served.pool.ready


def test_the_loop_hears_others_between_the_batches_of_a_deep_queue(served: Server) -> None:
    """A round of the loop runs one batch, however many wait."""
    lane: Any = served.pool._lanes[0]

    async def ask() -> tuple[int, int]:
        lane._sample_ns = 1.0
        rounds, answered = 0, list[Request]()
        for row in SAMPLES:
            served.pool.submit((row[None],), answered.append, together=True)
        most = 0
        while len(answered) < len(SAMPLES):
            before = len(answered)
            await asyncio.sleep(0)
            rounds, most = rounds + 1, max(most, len(answered) - before)
        return rounds, most

    rounds, most = served.run(ask())
    assert rounds >= len(SAMPLES) // served.pool.batch
    assert most <= served.pool.batch


def test_numbers_of_integer_networks_are_converted(tmp_path: Path) -> None:
    net = networks.dense_tflite_int8(tmp_path / "integers.tflite")
    with (
        Server(net, listen="127.0.0.1:0", in_process=True) as here,
        Server(net, listen="127.0.0.1:0", sessions=1) as there,
    ):
        name = here.pool.tensors.inputs[0].name
        for count in (1, 5):
            ours, theirs = (server.infer({name: SAMPLES[:count]}).outputs for server in (here, there))
            for key, values in theirs.items():
                np.testing.assert_array_equal(ours[key], values)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "tcp://127.0.0.1:1"}, "another device"),
        ({"sessions": 2}, "one session"),
        ({"answer_seconds": 5.0}, "--answer-within cannot end it"),
    ],
)
def test_what_cannot_be_in_this_process_is_refused(float_net: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(IncompatibleError, match=words):
        Server(float_net, listen="127.0.0.1:0", in_process=True, **options)


def test_a_network_that_keeps_state_is_refused(tmp_path: Path) -> None:
    net = tmp_path / "counting.tflite"
    net.write_bytes(counting_network())
    with pytest.raises(IncompatibleError, match="keeps state"):
        Server(net, listen="127.0.0.1:0", in_process=True)


def test_an_engine_that_refuses_the_file_says_so(float_net: Path, tmp_path: Path) -> None:
    broken = tmp_path / "net.tflite"
    broken.write_bytes(float_net.read_bytes()[:-200])
    with pytest.raises(EdgerigError):
        Server(broken, listen="127.0.0.1:0", in_process=True)


def test_the_session_is_one_as_others_are(float_net: Path) -> None:
    from edgerig.models.files import open_artifact

    with InProcessSession(open_artifact(float_net), "litert", {"threads": 1}) as session:
        run = session.run([SAMPLES[:3]])
        np.testing.assert_allclose(run.outputs[0], expected(SAMPLES[:3]), atol=1e-6)
        assert len(run.times_ns) == run.samples_per_request.sum() == 3
        assert session.load_report.runtime == "litert"
