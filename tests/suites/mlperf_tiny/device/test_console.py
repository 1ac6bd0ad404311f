"""The console: each command's answer, the reference's errors, and the same answers however bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import InferenceError
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.console import CLOCK_PERIOD, DeviceConsole, Mode

SAMPLE_BYTES = 4


class ByteNetwork:
    """A network in plain Python: its outputs are its input's bytes over 256; it counts what it was asked to do."""

    def __init__(self) -> None:
        self.sample = b""
        self.counts: list[int] = []

    def load(self, sample: bytes) -> None:
        if len(sample) != SAMPLE_BYTES:
            raise InferenceError(grammar.wrong_size(len(sample), SAMPLE_BYTES))
        self.sample = sample

    def infer(self, count: int) -> None:
        self.counts.append(count)

    def results(self) -> Sequence[float]:
        return [byte / 256 for byte in self.sample] if self.counts else []


def console(mode: Mode = "performance", start: int = 0) -> DeviceConsole:
    """A console whose clock ticks once a reading."""
    ticks: Iterator[int] = iter(range(start, start + 1_000_000))
    return DeviceConsole("kws01", ByteNetwork(), vendor="bench", mode=mode, clock=lambda: next(ticks))


def lines(device: DeviceConsole, text: str) -> list[str]:
    return list(device.feed(text.encode()))


def test_boot_lines_of_performance_and_energy() -> None:
    assert list(console(start=7).boot()) == ["m-timestamp-mode-performance", "m-lap-us-7", "m-init-done", "m-ready"]
    assert list(console("energy").boot()) == ["m-timestamp-mode-energy", "m-init-done", "m-ready"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("name", ["m-name-dut-[bench]"]),
        ("profile", ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]),
        ("timestamp", ["m-lap-us-0"]),
        ("  name  twice ", ["m-name-dut-[bench]"]),
        ("db", ["e-[Command 'db' requires a subcommand]"]),
        ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
        ("db load 0", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load -4", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load many", ["e-[Command 'db load' must be >0 bytes]"]),
        ("db load 27648", ["m-[Expecting 27648 bytes]"]),
        ("db load 27649", ["Supplied buffer size 27649 exceeds maximum of 27648"]),
        ("db load 490x", ["m-[Expecting 490 bytes]"]),
        ("db abc", ["e-[Insufficent number of hex digits]"]),
        ("db zz", ["e-[Invalid hex digit 'zz']"]),
        ("db 00g0", ["e-[Invalid hex digit 'g0']"]),
        ("db print", []),
        ("infer 0", ["e-[Inference iterations must be >0]"]),
        ("infer -1 5", ["e-[Inference iterations must be >0]"]),
        ("infer x", ["e-[Inference iterations must be >0]"]),
        ("infer 1 -1", ["e-[Inference warmup must be >=0]"]),
        ("infer 1 0", ["e-[Input db has 0 bytes, expected 4]"]),
        ("results", ["m-results-[]"]),
        ("Name", ["e-[Unknown command: Name]"]),
        ("names now", ["e-[Unknown command: names]"]),
        ("", ["e-[Unknown command: ]"]),
    ],
)
def test_one_command_after_boot(command: str, answer: list[str]) -> None:
    assert lines(console(), command + "%") == [*answer, "m-ready"]


def test_help_names_every_command() -> None:
    *text, ready = lines(console(), "help%")
    assert ready == "m-ready"
    for command in ("help", "name", "profile", "timestamp", "db load", "db HH", "db print", "infer", "results"):
        assert any(line.startswith(command) for line in text), command
    assert not any(line.startswith(("m-", "e-")) for line in text)


def test_a_sample_is_loaded_printed_and_run() -> None:
    device = console()
    assert lines(device, "db load 4%") == ["m-[Expecting 4 bytes]", "m-ready"]
    assert lines(device, "db 0040%") == ["m-ready"]
    assert lines(device, "db 80Ff%") == ["m-load-done", "m-ready"]
    assert lines(device, "db print%") == ["m-buffer-00-40-80-ff", "m-ready"]
    result = "m-results-[0.000,0.250,0.500,0.996]"
    assert lines(device, "infer 7 2%") == [
        "m-warmup-start-2",
        "m-warmup-done",
        "m-infer-start-7",
        "m-lap-us-0",
        "m-lap-us-1",
        "m-infer-done",
        result,
        "m-ready",
    ]
    assert isinstance(device.network, ByteNetwork)
    assert device.network.counts == [2, 7]
    assert lines(device, "results%") == [result, "m-ready"]


def test_energy_mode_pulls_the_pin_instead_of_telling_the_time() -> None:
    pulls: list[str] = []
    device = DeviceConsole("kws01", ByteNetwork(), mode="energy", pull_pin=lambda: pulls.append("low"))
    assert lines(device, "timestamp%") == ["m-ready"]
    assert pulls == ["low"]
    answer = lines(device, "db load 4%db 01020304%infer 3 0%")
    assert "m-infer-start-3" in answer
    assert not any(line.startswith("m-lap-us") for line in answer)
    assert pulls == ["low"] * 3


def test_the_pin_falls_before_and_after_the_inferences() -> None:
    events: list[str] = []

    class Watched(ByteNetwork):
        def infer(self, count: int) -> None:
            super().infer(count)
            events.append(f"ran {count}")

    device = DeviceConsole("kws01", Watched(), mode="energy", pull_pin=lambda: events.append("pin"))
    lines(device, "db load 4%db 01020304%infer 3 2%")
    assert events == ["ran 2", "pin", "ran 3", "pin"]


def test_warm_up_where_the_host_does_not_say() -> None:
    device = console()
    answer = lines(device, "db load 4%db 01020304%infer%")
    assert "m-warmup-start-10" in answer
    assert "m-infer-start-1" in answer


def test_eight_bytes_a_line_are_printed() -> None:
    answer = lines(console(), "db load 9%db 000102030405060708%db print%")
    assert answer[-3:] == ["m-buffer-00-01-02-03-04-05-06-07", "m-buffer-08", "m-ready"]


def test_a_bad_digit_leaves_what_stood_before_it_and_the_rest_may_follow() -> None:
    device = console()
    assert lines(device, "db load 4%db 01zz03%")[-2:] == ["e-[Invalid hex digit 'zz']", "m-ready"]
    assert lines(device, "db 020304%") == ["m-load-done", "m-ready"]
    assert lines(device, "db print%")[0] == "m-buffer-01-02-03-04"


def test_what_follows_the_last_byte_is_dropped() -> None:
    device = console()
    assert lines(device, "db load 2%db 0102zz%")[-2:] == ["m-load-done", "m-ready"]
    assert lines(device, "db 03%") == ["m-ready"]
    assert lines(device, "db print%")[0] == "m-buffer-01-02"


def test_a_sample_that_did_not_arrive_whole_is_not_run() -> None:
    device = console()
    assert lines(device, "db load 4%db 0102%infer 1 0%")[-2:] == ["e-[Input db has 2 bytes, expected 4]", "m-ready"]


def test_a_new_load_forgets_the_sample_before_it() -> None:
    device = console()
    lines(device, "db load 4%db 01020304%db load 27649%")
    assert lines(device, "db print%") == ["m-ready"]
    assert lines(device, "infer 1 0%")[0] == "e-[Input db has 0 bytes, expected 4]"


def test_the_time_is_of_32_bits() -> None:
    assert lines(console(start=CLOCK_PERIOD - 1), "timestamp%timestamp%") == [
        "m-lap-us-4294967295",
        "m-ready",
        "m-lap-us-0",
        "m-ready",
    ]


def test_eighty_characters_of_a_command_count() -> None:
    long = "x" * 200
    assert lines(console(), long + "%") == [f"e-[Unknown command: {'x' * 80}]", "m-ready"]
    assert lines(console(), "name" + " " * 76 + "y%") == ["m-name-dut-[bench]", "m-ready"]


def test_what_is_not_printable_is_dropped() -> None:
    assert list(console().feed(b"\r\nna\x00m\xff\x7fe\t%")) == ["m-name-dut-[bench]", "m-ready"]


def test_the_beginning_of_a_command_is_forgotten_with_its_host() -> None:
    device = console()
    assert lines(device, "db load 4%db 01") == ["m-[Expecting 4 bytes]", "m-ready"]
    device.forget_command()
    assert lines(device, "name%") == ["m-name-dut-[bench]", "m-ready"]


def test_a_failing_engine_is_an_error_line_and_the_device_lives_on() -> None:
    class Broken(ByteNetwork):
        def infer(self, count: int) -> None:
            raise InferenceError("The engine\nfailed: µ.", "Never mind.")

    device = DeviceConsole("kws01", Broken())
    answer = lines(device, "db load 4%db 01020304%infer 1 0%name%")
    assert [line for line in answer if line.startswith("e-")] == ["e-[The engine failed: ?.]"]
    assert not any(line.startswith("m-results") for line in answer)
    assert answer[-2:] == ["m-name-dut-[edgerig]", "m-ready"]


COMMANDS = st.sampled_from(
    [b"name%", b"db load 4%", b"db 0102%", b"db 01020304%", b"db print%", b"infer 2 1%", b"results%", b"%", b"db zz%"]
)
STREAMS = st.lists(COMMANDS | st.binary(max_size=90) | st.text("db loadinfer0123%-", max_size=20).map(str.encode))


@settings(max_examples=300, deadline=None)
@given(STREAMS.map(b"".join), st.lists(st.integers(0, 2000)))
def test_any_bytes_in_any_cuts_get_the_same_answers(stream: bytes, cuts: list[int]) -> None:
    whole = list(console().feed(stream))
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    device = console()
    parts = [line for a, b in pairwise(edges) for line in device.feed(stream[a:b])]
    assert parts == whole
    # Every command has one `m-ready`, which ends its answer; no line could be taken for two or for a command.
    assert whole.count("m-ready") == stream.count(b"%")
    assert not whole or whole[-1] == "m-ready"
    assert all(line.isascii() and line.isprintable() for line in whole)
