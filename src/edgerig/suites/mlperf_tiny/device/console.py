"""The device's side of the protocol as a state machine: bytes of the host go in, lines for the host come out.

It knows neither the line nor the engine. What it answers depends on the bytes alone, never on how they were cut.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from edgerig.errors import EdgerigError
from edgerig.suites.mlperf_tiny import grammar
from edgerig.text import one_line

Mode = Literal["performance", "energy"]

#: What is no printable ASCII: dropped wherever it comes.
_DROPPED = bytes(byte for byte in range(256) if not 0x20 <= byte < 0x7F)
_INTEGER = re.compile(r"[+-]?\d+")
#: Characters of an engine's error that a host is told.
_LONGEST_ERROR = 200
#: A C int, which a device's numbers are.
_LARGEST_INT = 2**31 - 1
#: Microseconds after which ``%lu`` begins anew on a device of 32 bits: 71.6 minutes.
CLOCK_PERIOD = 2**32

HELP = (
    grammar.PROFILE,
    "help         : print this text",
    "name         : print the name of the device",
    "profile      : print the protocol's version and the benchmark",
    "timestamp    : print the time in microseconds, or pull the pin of the power monitor",
    "db load N    : expect a sample of N bytes",
    "db HH[HH]*   : append bytes to it, two hexadecimal digits each",
    "db print     : print it",
    "infer N [W]  : run N inferences on it, after W that are not timed",
    "results      : print the outputs of the last inference",
)


class Network(Protocol):
    """What runs behind the console."""

    def load(self, sample: bytes) -> None:
        """Set the input of the next inferences. Raises `EdgerigError` where the bytes are no sample of it."""

    def infer(self, count: int) -> None:
        """Run ``count`` inferences. Raises `EdgerigError` where the engine fails."""

    def results(self) -> Sequence[float]:
        """The outputs of the last inference, dequantized; none if there was no inference."""


class DeviceConsole:
    """Answers a host.

    Args:
        benchmark: The name that ``profile`` answers.
        network: Runs the inferences.
        vendor: The name that ``name`` answers.
        mode: What a timestamp is: a line with the time, or a falling edge on a pin.
        warm_up: Inferences before the timed ones where the host does not say how many.
        clock: Microseconds since any moment, by default the console's beginning; never of CPU time, which is not the
            time that passes.
        pull_pin: Pulls the pin of the power monitor low for at least 1 us.
    """

    def __init__(
        self,
        benchmark: str,
        network: Network,
        *,
        vendor: str = "edgerig",
        mode: Mode = "performance",
        warm_up: int = grammar.DEFAULT_WARM_UP,
        clock: Callable[[], int] | None = None,
        pull_pin: Callable[[], None] = lambda: None,
    ) -> None:
        self.benchmark, self.network, self.vendor = benchmark, network, vendor
        self.mode, self.warm_up = mode, warm_up
        self._clock, self._pull_pin = clock or _microseconds_from_now(), pull_pin
        self._command = b""
        self._sample, self._filled = bytearray(), 0

    def boot(self) -> Iterator[str]:
        """What a device says when it starts."""
        yield f"m-timestamp-mode-{self.mode}"
        yield from self._timestamp()
        yield grammar.INIT_DONE
        yield grammar.READY

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that answer ``data``, without line ends, each as soon as it is to be sent.

        An inference runs while the iterator is advanced. A command that is not complete waits for more bytes.
        """
        *complete, rest = data.split(grammar.TERMINATOR)
        for part in complete:
            self._append(part)
            command, self._command = self._command, b""
            yield from self.answers(command.decode("ascii"))
        self._append(rest)

    def forget_command(self) -> None:
        """Drop the beginning of a command, because its host has gone; the sample stays."""
        self._command = b""

    def answers(self, command: str) -> Iterator[str]:
        """The lines that answer a whole command; the last is always ``m-ready``."""
        words = command.split()
        try:
            yield from self._answers(words)
        except EdgerigError as error:
            yield f"e-[{_ascii(error.message)}]"
        yield grammar.READY

    def _append(self, part: bytes) -> None:
        # Only what fits is looked at: a stranger's megabytes without an end are not copied again with each part.
        room = grammar.COMMAND_BYTES - len(self._command)
        if part and room:
            self._command += part.translate(None, _DROPPED)[:room]

    def _answers(self, words: list[str]) -> Iterator[str]:
        name, *arguments = words or [""]
        if name == "db":
            yield from self._db(arguments)
        elif name == "infer":
            yield from self._infer(arguments)
        elif name == "results":
            yield self._results()
        elif name == "name":
            yield f"m-name-dut-[{self.vendor}]"
        elif name == "profile":
            yield f"m-profile-[{grammar.PROFILE}]"
            yield f"m-model-[{self.benchmark}]"
        elif name == "timestamp":
            yield from self._timestamp()
        elif name == "help":
            yield from HELP
        else:
            yield f"e-[{grammar.unknown_command(name)}]"

    def _timestamp(self) -> Iterator[str]:
        if self.mode == "energy":
            self._pull_pin()
        else:
            yield f"m-lap-us-{self._clock() % CLOCK_PERIOD}"

    # ---- the sample

    def _db(self, arguments: list[str]) -> Iterator[str]:
        if not arguments:
            yield f"e-[{grammar.NEEDS_SUBCOMMAND}]"
        elif arguments[0] == "load":
            yield self._load(arguments[1:])
        elif arguments[0] == "print":
            for start in range(0, len(self._sample), grammar.PRINTED_BYTES):
                yield f"m-buffer-{self._sample[start : start + grammar.PRINTED_BYTES].hex('-')}"
        else:
            yield from self._fill(arguments[0])

    def _load(self, arguments: list[str]) -> str:
        if not arguments:
            return f"e-[{grammar.NEEDS_BYTES}]"
        count = _integer(arguments[0])
        fits = 0 < count <= grammar.LARGEST_SAMPLE
        self._sample, self._filled = bytearray(count if fits else 0), 0
        if count <= 0:
            return f"e-[{grammar.NOT_POSITIVE}]"
        return f"m-[Expecting {count} bytes]" if fits else grammar.too_large(count)

    def _fill(self, digits: str) -> Iterator[str]:
        """Append bytes to the sample. Those beyond its end, or without a ``db load``, are dropped without a word."""
        if len(digits) % 2:
            yield f"e-[{grammar.ODD_DIGITS}]"
            return
        data, bad = _bytes_of(digits)
        complete = self._filled == len(self._sample)
        taken = data[: len(self._sample) - self._filled]
        self._sample[self._filled : self._filled + len(taken)] = taken
        self._filled += len(taken)
        if not complete and self._filled == len(self._sample):
            # What follows the last byte, valid or not, is not looked at.
            yield grammar.LOAD_DONE
        elif bad is not None:
            yield f"e-[{grammar.bad_digit(bad)}]"

    # ---- inference

    def _infer(self, arguments: list[str]) -> Iterator[str]:
        count = _integer(arguments[0]) if arguments else 1
        warm_up = _integer(arguments[1]) if len(arguments) > 1 else self.warm_up
        if count <= 0:
            yield f"e-[{grammar.NO_ITERATIONS}]"
            return
        if warm_up < 0:
            yield f"e-[{grammar.NEGATIVE_WARM_UP}]"
            return
        # Of a sample that did not arrive whole, an inference would give a result, and a wrong one.
        self.network.load(bytes(self._sample[: self._filled]))
        yield f"m-warmup-start-{warm_up}"
        self.network.infer(warm_up)
        yield grammar.WARM_UP_DONE
        yield f"m-infer-start-{count}"
        yield from self._timestamp()
        self.network.infer(count)
        yield from self._timestamp()
        yield grammar.INFER_DONE
        yield self._results()

    def _results(self) -> str:
        return f"m-results-[{','.join(f'{value:0.3f}' for value in self.network.results())}]"


def _microseconds_from_now() -> Callable[[], int]:
    """A clock that begins at 0, so that the time of 32 bits lasts as long as it can."""
    begin = time.monotonic_ns()
    return lambda: (time.monotonic_ns() - begin) // 1000


def _ascii(text: str) -> str:
    """A message in one line of ASCII, as the line carries it."""
    return one_line(text, _LONGEST_ERROR).encode("ascii", "replace").decode("ascii")


def _integer(text: str) -> int:
    """What C's ``atoi`` makes of it: the integer at its beginning, 0 if there is none.

    >>> _integer("12"), _integer("-3x"), _integer("x"), _integer("9" * 60)
    (12, -3, 0, 2147483647)
    """
    match = _INTEGER.match(text)
    return 0 if match is None else max(-_LARGEST_INT - 1, min(_LARGEST_INT, int(match[0])))


def _bytes_of(digits: str) -> tuple[bytes, str | None]:
    """The bytes that an even number of digits stand for, up to the first pair that is none, and that pair."""
    try:
        return bytes.fromhex(digits), None
    except ValueError:
        for start in range(0, len(digits), 2):
            pair = digits[start : start + 2]
            if re.fullmatch("[0-9a-fA-F]{2}", pair) is None:
                return bytes.fromhex(digits[:start]), pair
        raise
