"""What a line is called."""

from __future__ import annotations

import pytest

from edgerig.agent.address import Address
from edgerig.errors import SpecError
from edgerig.suites.mlperf_tiny.device.address import open_line, tcp_address
from edgerig.suites.mlperf_tiny.device.doctor import examine


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp:7500", Address("127.0.0.1", 7500)),
        ("tcp:65535", Address("127.0.0.1", 65535)),
        ("tcp:pi:7500", Address("pi", 7500)),
        ("tcp://[::1]:7500", Address("::1", 7500)),
    ],
)
def test_a_socket_is_of_this_machine_unless_it_names_another(text: str, address: Address) -> None:
    assert tcp_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcp:70000", "'tcp:70000' has the port 70000, and there is none."),
        ("tcp:127.0.0.1:65536", "'tcp:127.0.0.1:65536' has the port 65536, and there is none."),
        ("tcp:", "'tcp:' is no line."),
        ("tcp:pi:web", "'tcp:pi:web' is no line."),
    ],
)
def test_a_port_that_there_is_not_is_told_in_the_words_of_lines(text: str, said: str) -> None:
    for use in (lambda: open_line(text, baud=115_200), lambda: examine(text)):
        with pytest.raises(SpecError) as error:
            use()
        assert error.value.message == said
        assert "Write tcp:HOST:PORT, or tcp:PORT for this machine alone" in str(error.value.hint)
