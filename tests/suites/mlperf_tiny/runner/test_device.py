"""The host's side of the protocol against a device on a pseudo-terminal that says what a test lets it say."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.suites.mlperf_tiny.runner.scripted import Piece, ScriptedDevice

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import AnswerError, IncompatibleError, SpecError, TargetError
from edgerig.suites.mlperf_tiny.runner.address import open_device, usual_baud
from edgerig.suites.mlperf_tiny.runner.device import Device, Identity
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine
from edgerig.suites.mlperf_tiny.runner.transcript import Transcript

KWS = BENCHMARKS["kws01"]


@contextmanager
def device_of(scripted: ScriptedDevice, log: Path | None = None, seconds: float = 2.0) -> Iterator[Device]:
    with scripted:
        opened = open_device(scripted.address, KWS, "accuracy")
        transcript = Transcript(log)
        device = Device(DeviceLine(opened.link, transcript), answer_seconds=seconds, boot_seconds=0.3)
        try:
            yield device
        finally:
            device.close()
            transcript.close()


def instead(command: str, *pieces: Piece, times: int = 1) -> Callable[[str], Sequence[Piece] | None]:
    """Answers ``command``, or whatever begins with it, with ``pieces`` the first ``times`` times."""
    left = [times]

    def answer(text: str) -> Sequence[Piece] | None:
        if not text.startswith(command) or not left[0]:
            return None
        left[0] -= 1
        return pieces

    return answer


def test_a_device_says_who_it_is() -> None:
    with device_of(ScriptedDevice()) as device:
        identity = device.identify()
        assert identity == Identity("scripted", "ULPMark for tinyML Firmware V0.0.1", "kws01")
        device.check(identity, KWS)


def test_a_sample_goes_over_in_lines_that_a_buffer_of_80_characters_takes() -> None:
    sample = bytes(range(256)) + bytes(234)
    scripted = ScriptedDevice()
    with device_of(scripted) as device:
        device.load(sample)
    assert scripted.sample == sample
    assert scripted.commands[0] == "db load 490"
    lines = scripted.commands[1:]
    assert len(lines) == 16
    assert [len(line) for line in lines] == [len("db ") + 2 * 31] * 15 + [len("db ") + 2 * 25]


def test_the_inference_that_was_asked_for_runs_and_its_results_come_back() -> None:
    scripted = ScriptedDevice(results=lambda sample: [0.25, 0.75] + [0.0] * 10, us_per_inference=2500)
    with device_of(scripted) as device:
        device.load(bytes(490))
        inference = device.infer(4, 0, [12], 2.0)
    assert scripted.commands[-1] == "infer 4 0"
    assert inference.outputs == (0.25, 0.75, *[0.0] * 10)
    assert inference.device_seconds == pytest.approx(0.01)


def test_a_comma_after_the_last_result_is_the_way_of_a_reference_device() -> None:
    usual = list(ScriptedDevice().usual("infer 1 0"))
    pieces = [bytes(piece).replace(b"]\r\n", b",]\r\n") for piece in usual if isinstance(piece, bytes)]
    with device_of(ScriptedDevice(answers=instead("infer", *pieces))) as device:
        assert device.infer(1, 0, [12], 2.0).outputs == (1.0, *[0.0] * 11)


def test_lines_that_come_in_pieces_are_whole_in_the_end() -> None:
    text = b"".join(piece for piece in ScriptedDevice().usual("infer 1 0") if isinstance(piece, bytes))
    pieces: list[Piece] = []
    for start in range(0, len(text), 7):
        pieces += [text[start : start + 7], 0.001]
    with device_of(ScriptedDevice(answers=instead("infer", *pieces))) as device:
        assert device.infer(1, 0, [12], 5.0).outputs == (1.0, *[0.0] * 11)


def test_log_lines_between_the_words_of_the_protocol_are_written_down_and_ignored(tmp_path: Path) -> None:
    def chatty(command: str) -> Sequence[Piece] | None:
        usual = [piece for piece in scripted.usual(command) if isinstance(piece, bytes)]
        return [b"[00:00:01] heap 1234 free\r\n", *usual[:-1], b"\x1b[31mwarm\x00\r\n", usual[-1]]

    scripted = ScriptedDevice(answers=chatty)
    with device_of(scripted, tmp_path / "log.txt") as device:
        assert device.identify().model == "kws01"
        device.load(bytes(490))
        assert device.infer(1, 0, [12], 2.0).outputs[0] == 1.0
    log = (tmp_path / "log.txt").read_text()
    assert "< [00:00:01] heap 1234 free" in log
    assert "> infer 1 0%" in log
    assert "\x1b" not in log


def test_a_device_that_boots_when_its_port_is_opened_is_waited_for() -> None:
    boot = b"m-timestamp-mode-performance\r\nm-lap-us-12\r\nm-init-done\r\nm-ready\r\n"
    with device_of(ScriptedDevice(boot=boot)) as device:
        time.sleep(0.05)
        assert device.identify().name == "scripted"
        device.load(bytes(490))
    # It hears the first question only after it has started: what was asked before is lost.
    with device_of(ScriptedDevice(answers=instead("name", 0.4, boot))) as device:
        assert device.identify().name == "scripted"
        device.load(bytes(490))
        assert device.infer(1, 0, [12], 2.0).outputs[0] == 1.0


def test_what_is_left_of_an_earlier_command_costs_one_greeting_and_no_more() -> None:
    with device_of(ScriptedDevice(answers=instead("name", b"e-[Unknown command: db 00name]\r\nm-ready\r\n"))) as device:
        assert device.identify().name == "scripted"


def test_a_terminal_that_echoes_commands_hides_no_line() -> None:
    def echoing(command: str) -> Sequence[Piece] | None:
        usual = [piece for piece in scripted.usual(command) if isinstance(piece, bytes)]
        return [command.encode() + b"%", *usual]

    scripted = ScriptedDevice(answers=echoing)
    with device_of(scripted) as device:
        assert device.identify().model == "kws01"
        device.load(bytes(490))


def test_a_device_behind_an_interface_board_is_spoken_to_through_it() -> None:
    class Board(ScriptedDevice):
        """Passes commands on, says that it did, and marks the device's lines."""

        def usual(self, command: str) -> Iterator[Piece]:
            yield b"m-dut-passthrough\r\nm-ready\r\n"
            for piece in super().usual(command.removeprefix("dut ")):
                yield b"[dut]: " + piece if isinstance(piece, bytes) else piece

    scripted = Board()
    with scripted:
        opened = open_device(scripted.address, KWS, "accuracy")
        device = Device(DeviceLine(opened.link, Transcript(), behind_board=True), boot_seconds=1.0)
        assert device.identify().name == "scripted"
        device.load(bytes(490))
        assert device.infer(1, 0, [12], 2.0).outputs[0] == 1.0
        device.close()
    lines = [command for command in scripted.commands if command.startswith("dut db 0")]
    assert len(lines) == 19
    assert len(lines[0]) == len("dut db ") + 2 * 26


def test_a_device_that_never_says_ready_is_named_by_the_command_and_its_last_line() -> None:
    with (
        device_of(ScriptedDevice(answers=instead("profile", b"m-model-[kws01]\r\n")), seconds=0.2) as device,
        pytest.raises(TargetError, match=r"answer to 'profile' with m-ready within 0.2 s; .*'m-model-\[kws01\]'"),
    ):
        device.identify()
    silent: Sequence[Piece] = []
    with (
        device_of(ScriptedDevice(answers=lambda command: silent)) as device,
        pytest.raises(TargetError, match=r"to 'name' with m-ready within 0.3 s; it sent nothing") as caught,
    ):
        device.identify()
    assert "doctor" in str(caught.value.hint)


def test_a_device_that_starts_anew_in_the_middle_is_told_from_one_that_answers() -> None:
    boot = b"m-timestamp-mode-performance\r\nm-lap-us-12\r\nm-init-done\r\nm-ready\r\n"
    with (
        device_of(ScriptedDevice(answers=instead("infer", b"m-warmup-start-0\r\n", boot))) as device,
        pytest.raises(AnswerError, match="started anew during 'infer 1 0': it sent 'm-timestamp-mode-performance'"),
    ):
        device.infer(1, 0, [12], 2.0)


def test_a_device_that_is_unplugged_is_gone() -> None:
    scripted = ScriptedDevice(answers=instead("infer", b"m-warmup-start-0\r\n"))
    with device_of(scripted) as device:
        threading.Timer(0.2, scripted.close).start()
        with pytest.raises(TargetError, match=r"went away during 'infer 1 0': .*'m-warmup-start-0'"):
            device.infer(1, 0, [12], 10.0)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (b"m-results-[0.1,nan,0.2]", r"nan, which is no finite number: 'm-results-\[0.1,nan,0.2\]'"),
        (b"m-results-[0.1,inf,0.2]", "inf, which is no finite number"),
        (b"m-results-[0.1,0.9]", r"gives 2 results, and the benchmark has 12: 'm-results-\[0.1,0.9\]'"),
        (b"m-results-[]", "has '', which is no number|have '', which is no number"),
        (b"m-results-[0.1,0.\xff9]", "which is no number"),
        (b"m-results-[0.1,0_9]", "'0_9', which is no number"),
        (b"m-results-[0.1,0.2", r"cut off: 'm-results-\[0.1,0.2'"),
        (b"m-resul", "has no line m-results; the last before m-ready is 'm-resul'"),
    ],
)
def test_results_that_cannot_be_are_refused_with_the_line_that_has_them(line: bytes, match: str) -> None:
    before = list(ScriptedDevice().usual("infer 1 0"))[:-2]
    with (
        device_of(ScriptedDevice(answers=instead("infer", *before, line + b"\r\n", b"m-ready\r\n"))) as device,
        pytest.raises(AnswerError, match=match),
    ):
        device.infer(1, 0, [12], 2.0)


def test_two_lines_of_results_that_differ_leave_none() -> None:
    zeros = ",".join(["0.000"] * 11)
    before = list(ScriptedDevice().usual("infer 1 0"))[:-2]
    first, second = (f"m-results-[{value},{zeros}]\r\n".encode() for value in ("1.000", "0.500"))

    def outputs(*lines: bytes) -> tuple[float, ...]:
        with device_of(ScriptedDevice(answers=instead("infer", *before, *lines, b"m-ready\r\n"))) as device:
            return device.infer(1, 0, [12], 2.0).outputs

    assert outputs(first, first)[0] == 1.0
    with pytest.raises(AnswerError, match=r"2 lines of results that differ; the last is 'm-results-\[0.500"):
        outputs(first, second)


def test_another_number_of_inferences_than_was_asked_for_is_refused() -> None:
    pieces = list(ScriptedDevice().usual("infer 10 5"))
    for command, match in (("infer 20 5", "asked for 20 .*'m-infer-start-10'"), ("infer 10 6", "'m-warmup-start-5'")):
        words = command.split()
        with (
            device_of(ScriptedDevice(answers=instead("infer", *pieces))) as device,
            pytest.raises(AnswerError, match=match),
        ):
            device.infer(int(words[1]), int(words[2]), [12], 2.0)


def test_garbage_on_the_line_is_told_from_lines() -> None:
    with (
        device_of(ScriptedDevice(answers=lambda command: [b"\x81\xfe" * 50_000])) as device,
        pytest.raises(AnswerError, match=r"sent 6\d,\d\d\d bytes without an end of line|sent .* bytes without"),
    ):
        device.line.ask("name", 5.0)


def test_errors_of_the_device_are_quoted() -> None:
    answer = b"Supplied buffer size 490 exceeds maximum of 100\r\nm-ready\r\n"
    with (
        device_of(ScriptedDevice(answers=instead("db load", answer))) as device,
        pytest.raises(
            AnswerError, match=r"does not take 490 bytes: .*'Supplied buffer size 490 exceeds maximum of 100'"
        ),
    ):
        device.load(bytes(490))
    with (
        device_of(ScriptedDevice(answers=instead("db 00", b"e-[Invalid hex digit 'zz']\r\nm-ready\r\n"))) as device,
        pytest.raises(AnswerError, match="Invalid hex digit 'zz'"),
    ):
        device.load(bytes(490))


def test_a_sample_that_lost_bytes_on_its_way_is_not_run() -> None:
    with (
        device_of(ScriptedDevice(answers=instead("db 00", b"m-ready\r\n"))) as device,
        pytest.raises(AnswerError, match="does not say m-load-done after the last byte"),
    ):
        device.load(bytes(490))
    early = b"m-load-done\r\nm-ready\r\n"
    with (
        device_of(ScriptedDevice(answers=instead("db 00", early))) as device,
        pytest.raises(AnswerError, match="said m-load-done at byte 31, before the sample was whole"),
    ):
        device.load(bytes(490))


def test_a_device_with_another_benchmark_is_refused() -> None:
    with device_of(ScriptedDevice("vww01")) as device:
        identity = device.identify()
        with pytest.raises(IncompatibleError, match=r"runs 'vww01', and the benchmark is kws01: .*m-model-\[vww01\]"):
            device.check(identity, KWS)


def test_the_baud_is_that_of_the_mode() -> None:
    assert usual_baud(KWS, "performance") == 115_200
    assert usual_baud(BENCHMARKS["ad01"], "performance") == 921_600
    assert usual_baud(BENCHMARKS["ad01"], "energy") == 9600


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("/dev/ttyACM0", "is not the address of a device"),
        ("127.0.0.1:7500", r"Did you mean tcp:127\.0\.0\.1:7500\?"),
        ("tcp:host", "does not say where to connect"),
        ("tcp:host:0", "does not say where to connect"),
        ("tcp:host:99999", "the port 99999, and there is none(?s:.*)Ports go up to 65535"),
        ("sim:stm32f746", "has no network of its own"),
    ],
)
def test_addresses_that_are_none_are_refused(address: str, match: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_device(address, KWS, "accuracy")
    assert re.search(match, f"{caught.value} {caught.value.hint}")


def test_a_port_where_nobody_listens_is_no_device() -> None:
    with pytest.raises(TargetError, match=r"There is no device at tcp:127.0.0.1:9"):
        open_device("tcp:127.0.0.1:9", KWS, "accuracy")
