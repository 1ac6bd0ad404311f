import socket

import numpy as np
import pytest
from tests.wire.digits.reference_server import STATS, ReferenceServer, expected_outputs, reply_to, serial_server

from edgerig.errors import TargetError, UsageError, WireError
from edgerig.wire.digits import Client, FbComm, encode_inference_request


def test_a_client_asks_over_one_connection(digit):
    with ReferenceServer() as server, Client.tcp("127.0.0.1", server.port) as client:
        assert client.stats() == STATS
        for _ in range(3):
            reply = client.infer(digit.reshape(28, 28))
            np.testing.assert_array_equal(reply.outputs, expected_outputs(digit))
            assert (reply.timer_ms, reply.output_n) == (1.25, 10)
        assert (server.connections, server.requests) == (1, 4)


def test_a_server_that_answers_one_request_a_connection_is_connected_to_anew(digit):
    with ReferenceServer(once=True) as server, Client.tcp("127.0.0.1", server.port) as client:
        for _ in range(3):
            assert client.infer(digit).digit == expected_outputs(digit).argmax()
        assert (server.connections, server.requests) == (3, 3)


def test_the_notebooks_calls_work_over_tcp_and_a_serial_port(digit):
    with ReferenceServer() as server, FbComm(ip="127.0.0.1", port=server.port) as board:
        over_tcp = board.reqInference(digit)
        assert board.reqStats().as_dict() == {
            "version": 101,
            "freq_hz": 216_000_000,
            "mode": "ACCELERATION_CMSIS_NN",
        }
    with serial_server() as port, FbComm(uart=port) as board:
        assert board.reqStats() == STATS
        assert str(board.reqInference(digit)) == str(over_tcp)


def test_a_printed_reply_has_the_lines_that_users_know():
    with ReferenceServer() as server, FbComm(ip="127.0.0.1", port=server.port) as board:
        digit = np.zeros(784)
        digit[7::10] = 1
        lines = str(board.reqInference(digit)).splitlines()
    assert lines[:3] == ["Command: 2", "Execution time: 1.250000 msec", "Out[9]: 0.000000"]
    assert lines[4] == "Out[7]: 1.000000"
    assert lines[-1] == "Out[0]: 0.000000"


def test_a_client_names_one_server():
    for call in (FbComm, lambda: FbComm(uart="/dev/ttyUSB0", ip="127.0.0.1")):
        with pytest.raises(UsageError, match="one server"):
            call()


def test_a_server_that_is_not_there_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TargetError, match=f"Cannot connect to the digits server 127.0.0.1:{port}"):
        Client.tcp("127.0.0.1", port).stats()
    with pytest.raises(TargetError, match="There is no serial port"):
        FbComm(uart="/dev/edgerig-has-no-such-port").reqStats()


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (lambda _: b"\xff" * 96, WireError, "answered what is no reply"),
        (lambda message: message, WireError, "no reply: its command is 1"),
        (lambda message: reply_to(message) + b"HTTP", WireError, "4 bytes follow the reply"),
        (lambda message: reply_to(message)[:50], TargetError, "did not answer within 0.5 s; 50 bytes"),
        (lambda _: None, TargetError, "did not answer within 0.5 s; 0 bytes"),
    ],
)
def test_an_answer_that_is_none_is_one_clear_error_and_the_client_goes_on(answer, error, text, digit):
    with ReferenceServer(answer) as server, Client.tcp("127.0.0.1", server.port, timeout=0.5) as client:
        with pytest.raises(error, match=text):
            client.infer(digit)
        server.answer = reply_to
        client.timeout = 10.0
        assert client.infer(digit).timer_ms == 1.25


def test_a_reply_that_ends_in_the_middle_is_said_and_not_asked_for_again(digit):
    with ReferenceServer() as server, Client.tcp("127.0.0.1", server.port) as client:
        client.infer(digit)
        server.answer, server.once = (lambda message: reply_to(message)[:50]), True
        with pytest.raises(TargetError, match="ended the connection before its reply was complete"):
            client.infer(digit)
        assert server.requests == 2


def test_a_wrong_digit_is_refused_before_anything_is_sent():
    with ReferenceServer() as server, Client.tcp("127.0.0.1", server.port) as client:
        with pytest.raises(WireError, match="783"):
            client.infer(np.zeros(783))
        assert server.connections == 0


def test_a_late_answer_on_a_serial_line_is_not_taken_for_the_next_requests(digit):
    late = iter([b"", reply_to(encode_inference_request(np.ones(784))) + reply_to(encode_inference_request(digit))])
    with serial_server(lambda _: next(late)) as port, Client.serial(port, timeout=0.2) as client:
        with pytest.raises(TargetError, match="did not answer"):
            client.infer(digit)
        # What comes in one with another answer cannot be told apart: it is refused, never believed.
        with pytest.raises(WireError, match="follow the reply"):
            client.infer(digit)
