"""Lines of the device protocol, taken apart."""

from __future__ import annotations

import pytest

from edgerig.suites.mlperf_tiny.grammar import Message, parse_line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m-ready\r\n", Message("m", "ready")),
        ("m-[Expecting 490 bytes]", Message("m", "Expecting 490 bytes")),
        ("e-[Unknown command: nonsense]", Message("e", "Unknown command: nonsense")),
        ("m-results-[0.100,0.900,]", Message("m", "results-[0.100,0.900,]")),
        ("m-lap-us-4294967295", Message("m", "lap-us-4294967295")),
        ("e-[Invalid hex digit ']%']", Message("e", "Invalid hex digit ']%'")),
    ],
)
def test_messages_and_errors(line: str, message: Message) -> None:
    assert parse_line(line) == message


@pytest.mark.parametrize("line", ["", "boot: 115200 baud", "x-[y]", "[dut]: m-ready", "mready"])
def test_whatever_else_a_device_prints_is_no_message(line: str) -> None:
    assert parse_line(line) is None


def test_values_come_without_brackets() -> None:
    message = parse_line("m-model-[kws01]")
    assert message is not None
    assert message.value("model") == "kws01"
    assert message.value("profile") is None
    error = parse_line("e-[model-[kws01]]")
    assert error is not None
    assert error.value("model") is None
