"""What the lines of an answer say, checked where they come in: results, times, and that nothing is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edgerig.errors import AnswerError
from edgerig.suites.mlperf_tiny.grammar import INFER_DONE
from edgerig.suites.mlperf_tiny.runner.line import ReceivedLine, WholeAnswer
from edgerig.text import one_line

#: A timestamp is a ``%lu``: on a device of 32 bits it starts again at 0 after so many microseconds.
WRAP_US = 1 << 32
#: How many times as fast as the host's a device's clock may run and still be believed to have gone round.
_LARGEST_ERROR = 4
_RESULTS = "m-results-["
#: What a line of an answer to ``infer`` is.
_KEY = re.compile(rf"m-(warmup-start|infer-start|lap-us|results)-|{INFER_DONE}$")
#: The answer to ``infer`` as the reference prints it.
USUAL_INFERENCE = re.compile(
    rb"m-warmup-start-(\d+)\r\nm-warmup-done\r\nm-infer-start-(\d+)\r\nm-lap-us-(\d{1,20})\r\nm-lap-us-(\d{1,20})\r\n"
    rb"m-infer-done\r\nm-results-\[([-0-9.,]+)\]\r\nm-ready\r\n"
)
#: Characters of a line that an error message shows.
_SHOWN = 200


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """What a device told of one ``infer``.

    Attributes:
        outputs: The results of the last inference.
        device_seconds: From one ``m-lap-us`` to the other, on the device's clock; None where it sent none, as in energy
            mode.
        host_seconds: The same between the arrivals of these lines, on the host's clock; None where they came in one
            piece, so that it says nothing.
        trip_seconds: From the command to the second ``m-lap-us``, on the host's clock, warm-up included; to the last
            line where there is none.
        host_begin, host_end: When ``m-infer-start`` and ``m-infer-done`` came, on the clock of `time.monotonic`.
    """

    outputs: tuple[float, ...]
    device_seconds: float | None
    host_seconds: float | None
    trip_seconds: float
    host_begin: float
    host_end: float


class Asked(NamedTuple):
    """What an ``infer`` was asked for.

    Attributes:
        iterations, warm_up: Inferences.
        counts: How many results there may be.
        sent: When the command was sent, on the clock of `time.monotonic`.
        real_time: Whether a second on the device is one on the host.
    """

    iterations: int
    warm_up: int
    counts: Sequence[int]
    sent: float
    real_time: bool = True


def parse_results(line: ReceivedLine, counts: Sequence[int]) -> tuple[float, ...]:
    """The numbers of an ``m-results-[..]`` line; a comma after the last one is the way of one reference device.

    Args:
        line: The line.
        counts: How many numbers there may be.

    Raises:
        AnswerError: The line is cut, a number is none or not finite, or there are more or fewer.
    """
    text = line.text
    shown = text[:_SHOWN]
    if text.startswith(_RESULTS) and text.endswith("]"):
        text = text[len(_RESULTS) : -1]
    else:
        raise AnswerError(f"A line of results is cut off: {shown!r}.", "Does the line lose bytes? Try a lower baud.")
    words = text.rstrip(", ").split(",")
    try:
        # `float` takes `0_9` for 9, which no device prints: it is a 0.9 that was damaged on its way.
        values = tuple(map(float, words)) if "_" not in text else ()
    except ValueError:
        values = ()
    if not values:
        word = next(word for word in words if not _is_number(word))
        raise AnswerError(f"The device's results have {one_line(word)!r}, which is no number: {shown!r}.")
    if not all(map(math.isfinite, values)):
        word = next(word for word, value in zip(words, values, strict=True) if not math.isfinite(value))
        raise AnswerError(
            f"The device's results have {word.strip()}, which is no finite number: {shown!r}.",
            "Look for an input that is not set, or a float network whose weights are damaged.",
        )
    if len(values) not in counts:
        wanted = " or ".join(map(str, counts))
        raise AnswerError(
            f"The device gives {len(values)} results, and the benchmark has {wanted}: {shown!r}.",
            "Does it run the network of this benchmark?",
        )
    return values


def read_usual(answer: WholeAnswer, asked: Asked) -> Inference | None:
    """What `parse_inference` makes of an answer that is as `USUAL_INFERENCE` has it, in a tenth of the time; None for
    what it has to look at itself: other numbers of inferences, or results that are wrong.

    Raises:
        AnswerError: The device's clock went back.
    """
    if answer.match is None:
        return None
    warm_up, iterations, first, second, results = answer.match.groups()
    try:
        outputs = tuple(map(float, results.split(b",")))
    except ValueError:
        return None
    if (warm_up, iterations) != (b"%d" % asked.warm_up, b"%d" % asked.iterations):
        return None
    if len(outputs) not in asked.counts or not math.isfinite(sum(outputs)):
        return None
    trip = answer.at - asked.sent
    waited = trip if asked.real_time else None
    return Inference(
        outputs=outputs,
        device_seconds=elapsed_us(int(first), int(second), waited) * 1e-6,
        host_seconds=None,
        trip_seconds=trip,
        host_begin=answer.at,
        host_end=answer.at,
    )


def parse_inference(lines: Sequence[ReceivedLine], asked: Asked) -> Inference:
    """The answer to ``infer``, of lines without ``m-ready``.

    Raises:
        AnswerError: A line is missing or wrong, or the device ran other numbers of inferences.
    """
    iterations, warm_up, counts, sent, real_time = asked
    command = f"infer {iterations} {warm_up}"
    by_key = _lines_by_key(lines, command, iterations, warm_up)
    laps = by_key.get("lap-us", [])
    done = by_key["infer-done"][-1].at
    begun = by_key["infer-start"][0].at if "infer-start" in by_key else sent
    outputs = parse_results(by_key["results"][-1], counts)
    if not laps:
        return Inference(
            outputs=outputs,
            device_seconds=None,
            host_seconds=None,
            trip_seconds=done - sent,
            host_begin=begun,
            host_end=done,
        )
    if len(laps) != 2:
        raise AnswerError(
            f"The answer to '{command}' has {len(laps)} lines m-lap-us, and two are due; the last is "
            f"{one_line(laps[-1].text)!r}."
        )
    first, second = laps
    host, trip = second.at - first.at, second.at - sent
    waited = (host or trip) if real_time else None
    return Inference(
        outputs=outputs,
        device_seconds=elapsed_us(_microseconds(first), _microseconds(second), waited) * 1e-6,
        host_seconds=host if host > 0 else None,
        trip_seconds=trip,
        host_begin=first.at,
        host_end=second.at,
    )


def _lines_by_key(
    lines: Sequence[ReceivedLine], command: str, iterations: int, warm_up: int
) -> dict[str, list[ReceivedLine]]:
    """The lines of an answer to ``infer`` by what they are, of which none is missing and no two contradict.

    Raises:
        AnswerError: A line is missing, there are more or fewer than inferences, or results differ.
    """
    by_key: dict[str, list[ReceivedLine]] = {}
    for line in lines:
        match = _KEY.match(line.text)
        if match is not None:
            by_key.setdefault(match[1] or "infer-done", []).append(line)
    _check_count(by_key.get("infer-start", []), "infer-start", iterations)
    _check_count(by_key.get("warmup-start", []), "warmup-start", warm_up)
    for key in ("infer-done", "results"):
        if key not in by_key:
            last = one_line(lines[-1].text, _SHOWN) if lines else "nothing"
            raise AnswerError(
                f"The answer to '{command}' has no line m-{key}; the last before m-ready is {last!r}.",
                "Does the line lose bytes, or does the firmware print something else in between?",
            )
    texts = {line.text for line in by_key["results"]}
    if len(texts) > 1:
        raise AnswerError(
            f"The answer to '{command}' has {len(by_key['results'])} lines of results that differ; the last is "
            f"{one_line(by_key['results'][-1].text, _SHOWN)!r}.",
            "Is one of them the answer to an earlier command, or do two devices share the line?",
        )
    return by_key


def elapsed_us(first: int, second: int, host_seconds: float | None) -> int:
    """Microseconds between two timestamps of a counter that may have 32 bits and started again at 0 in between.

    Args:
        first, second: The timestamps.
        host_seconds: About how long the host waited, which says how often the counter went round; None for a device
            whose time is not the host's, such as an emulated one: it goes round once at most.

    Raises:
        AnswerError: The counter went back, and it has more than 32 bits.
    """
    difference = second - first
    if max(first, second) < WRAP_US:
        difference += _rounds(difference, host_seconds) * WRAP_US
    if difference < 0:
        raise AnswerError(
            f"The device's clock went back by {-difference:,} us within one 'infer': 'm-lap-us-{second}'.",
            "Its timestamp must be monotonic.",
        )
    return difference


def _rounds(difference: int, host_seconds: float | None) -> int:
    """How often a counter of 32 bits started again, which shows ``difference`` microseconds."""
    if host_seconds is None:
        return int(difference < 0)
    host = host_seconds * 1e6
    rounds = max(round((host - difference) / WRAP_US), 0)
    if difference < 0 and not rounds and difference + WRAP_US < _LARGEST_ERROR * host + WRAP_US / 100:
        rounds = 1
    return rounds


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def _microseconds(line: ReceivedLine) -> int:
    digits = line.text.removeprefix("m-lap-us-").strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20):
        raise AnswerError(
            f"A timestamp of the device is no whole number of microseconds: {one_line(line.text, _SHOWN)!r}."
        )
    return int(digits)


def _check_count(lines: Sequence[ReceivedLine], key: str, wanted: int) -> None:
    """That the device runs as many inferences as it was asked to, where it says how many."""
    for line in lines:
        digits = line.text.removeprefix(f"m-{key}-").strip()
        if digits != str(wanted):
            raise AnswerError(
                f"The device was asked for {wanted} inferences and says {one_line(line.text, _SHOWN)!r}.",
                "A device that runs another number has another throughput than it seems.",
            )
