"""Digits asked of a simulated board and of servers: the same kind of answer."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.wire.digits.reference_server import STATS, ReferenceServer, expected_outputs, serial_server

from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings
from edgerig.boards.network import network_of, with_digit
from edgerig.errors import IncompatibleError, SpecError, TargetError, UnknownNameError, UsageError
from edgerig.models.files import open_artifact
from edgerig.simulator.simulator import CONSOLE, DIGITS, Simulator
from edgerig.targets.digits_devices import open_digits
from edgerig.targets.emulated.simulator_link import SimulatorLink
from edgerig.testing import networks
from edgerig.wire.digits import Client, StatsReply, encode_inference_request

SETTINGS = BuildSettings(digits=True)


@pytest.fixture(scope="module")
def digits() -> Any:
    """Pictures, (5, 28, 28) float32, the last two with values that quantization clamps and rounds to halves."""
    pictures = np.random.default_rng(5).random((5, 28, 28), np.float32)
    pictures[3] = np.linspace(-1e9, 1e9, 784, dtype=np.float32).reshape(28, 28)
    pictures[4] = (np.arange(784) % 41 - 20).reshape(28, 28).astype(np.float32) / 64
    return pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of 784 numbers to 10, int8."""
    return networks.dense_tflite_int8(tmp_path_factory.mktemp("digits") / "int8.tflite", 784, 10)


def start(model: Path) -> Simulator:
    """A simulated board that has started with ``model``."""
    described = load_board("stm32f746")
    firmware = build_firmware(described, network_of(open_artifact(model), described, SETTINGS), None, SETTINGS)
    simulator = Simulator(firmware.elf, described)
    simulator.run()
    return simulator


@pytest.fixture
def board(model: Path) -> Simulator:
    return start(model)


def by_litert(model: Path, digit: Any) -> Any:
    """What LiteRT makes of it, quantized and dequantized by the rules of TFLite."""
    from ai_edge_litert.interpreter import Interpreter

    from edgerig.datasets.preprocess import dequantize, quantize_input

    artifact = open_artifact(model)
    interpreter = Interpreter(model_path=str(model))
    interpreter.allocate_tensors()
    spec = artifact.inputs[0]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], quantize_input(digit.reshape(spec.shape), spec))
    interpreter.invoke()
    outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return dequantize(outputs, artifact.outputs[0])[0]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_a_simulated_board_answers_what_litert_does(dtype: str, model: Path, tmp_path: Path, digits: Any) -> None:
    if dtype == "float32":
        model = networks.dense_tflite(tmp_path / "float32.tflite", 784, 10)
    board = start(model)
    with Client(lambda: SimulatorLink(board, DIGITS), "the board") as client:
        assert client.stats() == StatsReply(1, 216_000_000, 0)
        for digit in digits:
            reply = client.infer(digit)
            expected = by_litert(model, digit)
            # Sums of floats depend on their order.
            np.testing.assert_allclose(
                reply.outputs, expected, rtol=0, atol=1e-5 * np.abs(digit).max() * (dtype != "int8")
            )
            assert reply.timer_ms > 0
            assert reply.output_n == 10


def test_the_line_runs_at_115200_baud_and_the_console_goes_on(board: Simulator, digits: Any) -> None:
    assert board.divisor(DIGITS) == round(216_000_000 / 4 / 115_200)
    board.write(DIGITS, encode_inference_request(digits[0]))
    board.write(CONSOLE, b"CMD=3\n")
    board.run()
    assert len(board.read(DIGITS)) == 96
    assert b"stm32f746" in board.read(CONSOLE)


@pytest.mark.slow
def test_bytes_that_are_no_request_cost_what_comes_until_the_line_is_silent(board: Simulator, digits: Any) -> None:
    request = encode_inference_request(digits[0])
    for garbage in (b"\xff" * 8, request[:1000], request[:-4] + b"\x00\x00\xc0\x7f", struct.pack("<I", 4000)):
        board.write(DIGITS, garbage)
        board.run()
        board.idle_for(0.011)
        assert board.read(DIGITS) == b"", "nothing is answered"
        board.write(DIGITS, request)
        board.run()
        assert len(board.read(DIGITS)) == 96
    board.write(DIGITS, b"\xff" * 8 + request)
    board.run()
    assert board.read(DIGITS) == b"", "no silence lies between"


@pytest.mark.slow
def test_a_request_may_come_in_pieces_within_the_silence(board: Simulator, digits: Any) -> None:
    request = encode_inference_request(digits[0])
    for part in (request[:1], request[1:1500], request[1500:]):
        board.write(DIGITS, part)
        board.run()
        board.idle_for(0.008)
    assert len(board.read(DIGITS)) == 96


def test_boards_without_the_line_and_other_networks_are_refused(tmp_path: Path, model: Path) -> None:
    board = load_board("mps2-an386")
    network = network_of(open_artifact(model), board, SETTINGS)
    with pytest.raises(IncompatibleError, match="has no line"):
        build_firmware(board, network, None, SETTINGS)
    other = networks.dense_tflite_int8(tmp_path / "other.tflite", 16, 10)
    with pytest.raises(IncompatibleError, match="takes 784 numbers"):
        open_digits("sim:stm32f746", other)
    network = network_of(open_artifact(other), load_board("stm32f746"), SETTINGS)
    with pytest.raises(IncompatibleError, match="takes no digit"):
        with_digit(network, np.zeros((28, 28), np.float32), "drawn.png")


def test_a_server_and_a_board_give_the_same_kind_of_answer(model: Path, digits: Any) -> None:
    with ReferenceServer() as server:
        device = open_digits(f"digits://127.0.0.1:{server.port}")
        with device.client as client:
            assert client.stats() == STATS
            np.testing.assert_array_equal(client.infer(digits[0]).outputs, expected_outputs(digits[0].reshape(784)))
        assert device.kind == "measured"
    with serial_server() as port, open_digits(f"serial://{port}").client as client:
        assert client.stats() == STATS
    simulated = open_digits("sim:stm32f746", model)
    with simulated.client as client:
        np.testing.assert_allclose(client.infer(digits[0]).outputs, by_litert(model, digits[0]), rtol=0)
    assert (simulated.kind, "cortex-m7" in simulated.method) == ("modelled", True)


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("digits://", SpecError, "where to connect"),
        ("digits://host:0", SpecError, "where to connect"),
        ("digits://host:70000", SpecError, "70000|range"),
        ("digits://host/path", SpecError, "where to connect"),
        ("local", SpecError, "no device that answers digits"),
        ("sim:stm32f746", UsageError, "needs a network"),
        ("sim:none", UnknownNameError, "none"),
        (f"serial://{os.devnull}x", TargetError, "no serial port"),
    ],
)
def test_an_address_that_is_none_is_said(address: str, error: type[Exception], text: str, tmp_path: Path) -> None:
    model = tmp_path / "net.tflite" if address == "sim:none" else None
    with pytest.raises(error, match=text):
        open_digits(address, model).client.stats()


def test_a_model_is_for_a_board_that_starts_empty(model: Path) -> None:
    with pytest.raises(UsageError, match="has its network"):
        open_digits("digits://127.0.0.1:1", model)
