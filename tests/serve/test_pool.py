"""A pool answers each request with its own outputs, whatever becomes of the others."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.fragile import DEADLY, REFUSED

from edgerig.errors import DatasetError, InferenceError, Overloaded, RequestError, TargetError, UsageError
from edgerig.models.files import open_artifact
from edgerig.serve import Server
from edgerig.serve.busy_wait import BusyWait
from edgerig.serve.pool import Pool
from edgerig.serve.requests import Answer, Request
from edgerig.targets.resolve import target_for
from edgerig.testing import networks


def expected(x: Any) -> Any:
    """What `float_net` gives for samples (n, 8)."""
    weights, bias = networks.dense_weights(8, 4)
    logits = x @ weights.T + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def samples(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def ask_all(server: Server, inputs: list[Any]) -> list[Answer | BaseException]:
    """Answers to requests that are all there at once."""

    async def gather() -> list[Answer | BaseException]:
        return await asyncio.gather(*(server.pool.infer({"x": x}) for x in inputs), return_exceptions=True)

    return server.run(gather())


def test_every_request_gets_its_own_outputs(fragile: Server) -> None:
    inputs = [samples(1 + index % 3, index) for index in range(300)]
    for x, answer in zip(inputs, ask_all(fragile, inputs), strict=True):
        assert isinstance(answer, Answer)
        assert answer.outputs["y"].dtype == np.float32
        np.testing.assert_allclose(answer.outputs["y"], expected(x), rtol=1e-5, atol=1e-6)
        assert answer.network_ns > 0
        assert answer.queue_ns >= 0


def test_a_sample_that_fails_costs_its_sender_the_answer_and_nobody_else(fragile: Server) -> None:
    inputs = [samples(1, index) for index in range(100)]
    inputs[40][0, 0] = REFUSED
    answers = ask_all(fragile, inputs)
    assert isinstance(answers[40], InferenceError)
    assert "this sample is refused" in str(answers[40])
    assert [index for index, answer in enumerate(answers) if not isinstance(answer, Answer)] == [40]


def test_a_request_of_more_samples_than_a_batch_is_run_in_parts(fragile: Server) -> None:
    x = samples(5 * fragile.pool.batch + 3)
    answer = fragile.infer({"x": x})
    np.testing.assert_allclose(answer.outputs["y"], expected(x), rtol=1e-5, atol=1e-6)
    x[-1, 0] = REFUSED
    with pytest.raises(InferenceError, match="refused"):
        fragile.infer({"x": x})
    with pytest.raises(RequestError, match="at most 8192 can wait"):
        fragile.infer({"x": samples(8193)})


@pytest.mark.slow
def test_a_sample_that_kills_the_session_costs_its_sender_the_answer_and_nobody_else(fragile: Server) -> None:
    inputs = [samples(1, index) for index in range(100)]
    inputs[17][0, 0] = DEADLY
    answers = ask_all(fragile, inputs)
    assert isinstance(answers[17], TargetError)
    assert [index for index, answer in enumerate(answers) if not isinstance(answer, Answer)] == [17]
    for x, answer in zip(inputs[18:], answers[18:], strict=True):
        assert isinstance(answer, Answer)
        np.testing.assert_allclose(answer.outputs["y"], expected(x), rtol=1e-5, atol=1e-6)


def test_wrong_tensors_are_refused_with_what_is_right(fragile: Server) -> None:
    x = samples(1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"z": x}, "takes 'x', not 'z'"),
        ({}, "not nothing"),
        ({"x": x, "z": x}, "takes 'x'"),
        ({"x": x[:, :7]}, "takes the shape [n, 8], n of 1 or more, not [1, 7]"),
        ({"x": x[:0]}, "not [0, 8]"),
        ({"x": x[0]}, "not [8]"),
        ({"x": x.astype(np.complex64)}, "takes numbers, not complex64"),
    ]
    for tensors, text in wrong:
        with pytest.raises(RequestError) as error:
            fragile.infer(tensors)
        assert text in str(error.value)
    with pytest.raises(RequestError, match="takes float32, not float64"):
        fragile.infer({"x": x.astype(np.float64)}, raw=True)


def test_integer_networks_take_real_numbers_or_their_own(integers: Server) -> None:
    x = samples(5)
    scale, zero_point = networks.INT8_INPUT
    q = np.clip(np.round(x / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)
    real, raw = integers.infer({"x": x}), integers.infer({"x": q}, raw=True)
    assert raw.outputs["y"].dtype == np.int8
    scale, zero_point = networks.INT8_OUTPUT
    dequantized = np.float32(scale) * (raw.outputs["y"].astype(np.float32) - zero_point)
    np.testing.assert_allclose(real.outputs["y"], dequantized, rtol=1e-6)


def test_what_cannot_be_quantized_is_its_senders_fault_alone(integers: Server) -> None:
    inputs = [samples(1, index) for index in range(20)]
    inputs[3][0, 0] = np.nan
    answers = ask_all(integers, inputs)
    assert isinstance(answers[3], DatasetError)
    assert sum(isinstance(answer, Answer) for answer in answers) == 19


def test_a_full_queue_refuses_at_once_and_a_stop_finishes_what_was_accepted(float_net: Path) -> None:
    pool = Pool(open_artifact(float_net), target_for("local"), "litert", queue=3, batch=1)
    pool.open()

    async def overload() -> tuple[list[Request], list[str]]:
        pool.start()
        done, refused = list[Request](), list[str]()
        for index in range(9):
            # Nothing else runs on the loop meanwhile: the session, which is idle, takes the first one alone.
            try:
                pool.submit(pool.tensors.rows({"x": samples(1, index)}), done.append)
            except Overloaded as error:
                refused.append(error.message)
        assert pool.waiting == 3
        await pool.stop(60)
        with pytest.raises(Overloaded, match="stopping"):
            pool.submit(pool.tensors.rows({"x": samples(1)}), done.append)
        return done, refused

    done, refused = asyncio.run(overload())
    assert len(done) == 4
    assert all(request.outputs is not None for request in done)
    assert refused == ["3 samples are waiting for the network, as many as the queue holds."] * 5


def test_a_session_that_died_while_it_had_nothing_to_do_is_replaced(float_net: Path) -> None:
    with Server(float_net, listen="127.0.0.1:0", sessions=1) as server:
        os.kill(server.pool.pids[0], signal.SIGKILL)
        answers = [ask_all(server, [samples(1)])[0] for _ in range(2)]
        assert isinstance(answers[-1], Answer)


def test_a_pool_has_room_for_something(float_net: Path) -> None:
    with pytest.raises(UsageError, match="at least one session"):
        Pool(open_artifact(float_net), target_for("local"), "litert", sessions=0)


@pytest.mark.slow
def test_answers_that_are_waited_for_on_a_processor_are_the_same(float_net: Path, monkeypatch: Any) -> None:
    """Also where the engine refuses a sample, or dies of it, while the event loop waits."""
    waits: list[bool] = []
    monkeypatch.setattr("edgerig.serve.pool.LONGEST_NS", 10**12)
    monkeypatch.setattr(BusyWait, "allowance", lambda self, now_ns: 1_000_000_000)
    monkeypatch.setattr(BusyWait, "waited", lambda self, in_vain: waits.append(in_vain))
    fine, refused, deadly = samples(1), np.full((1, 8), REFUSED, np.float32), np.full((1, 8), DEADLY, np.float32)
    runtime = "tests.serve.fragile:Fragile"
    with Server(float_net, listen="127.0.0.1:0", sessions=1, runtime=runtime) as server:
        for _ in range(3):
            np.testing.assert_allclose(server.infer({"x": fine}).outputs["y"], expected(fine), rtol=1e-5)
        with pytest.raises(InferenceError, match="refused"):
            server.infer({"x": refused})
        with pytest.raises(TargetError):
            server.infer({"x": deadly})
        while not server.pool.ready:
            time.sleep(0.01)
        np.testing.assert_allclose(server.infer({"x": fine}).outputs["y"], expected(fine), rtol=1e-5)
    # The first tells that the network is quick; the one that dies gives no answer.
    assert waits[:2] == [False, False]
    assert True in waits


def test_samples_that_take_long_are_shared_out_evenly_and_quick_ones_stay_together(float_net: Path) -> None:
    with Server(float_net, listen="127.0.0.1:0", sessions=2) as server:
        pool = server.pool
        for sample_ns, samples_, share in [(10e6, 4, 2), (10e6, 5, 3), (10e6, 1, 1), (20e3, 4, 50), (20e3, 200, 100)]:
            pool._sample_ns = sample_ns
            assert pool.share(samples_) == share
