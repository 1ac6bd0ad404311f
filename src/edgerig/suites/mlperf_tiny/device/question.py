"""Asking whatever is at the other end of a line for its name, and judging what comes back."""

from __future__ import annotations

import re
import time

import msgspec

from edgerig.suites.mlperf_tiny.grammar import OCCUPIED, READY, TERMINATOR, parse_line
from edgerig.text import one_line
from edgerig.wire.link import Link

#: Seconds within which a device tells its name.
ANSWER_SECONDS = 2.0
_READ = 4096
#: Bytes that are looked at; a line that never stops sending is judged by its beginning.
_MOST = 64 * 1024
_SHOWN = 60
#: Share of bytes that no terminal prints, from which on what came is noise.
_NOISE = 0.2
_LOGIN = re.compile(r"(login|password):", re.IGNORECASE)


class Reply(msgspec.Struct, frozen=True):
    """What came back.

    Attributes:
        name: That of the device; None if it told none.
        benchmark: What its network is for; None if it did not say.
        problem: What came instead of a name, in words.
        hint: What may be the reason.
    """

    name: str | None = None
    benchmark: str | None = None
    problem: str | None = None
    hint: str | None = None


def ask_name(link: Link, seconds: float = ANSWER_SECONDS) -> Reply:
    """Ask for name and benchmark.

    A question is sent again after an ``m-ready`` without the answer: the device had just started, or took the question
    for the end of a command that another host had begun.

    Args:
        link: To the device; its timeout is changed.
        seconds: For each of the two questions.

    Raises:
        TimeoutError: The line takes no bytes. ConnectionError: It is gone.
    """
    came, name = _ask(link, "name", "name-dut", seconds)
    if name is None:
        return _judged(came)
    return Reply(name, _ask(link, "profile", "model", seconds)[1])


def _ask(link: Link, command: str, key: str, seconds: float) -> tuple[bytes, str | None]:
    """All that came until ``m-ready`` after the answer, or in ``seconds``; the value of ``key`` in it."""
    deadline = time.monotonic() + seconds
    question = command.encode() + TERMINATOR
    link.send([question])
    came, answer, readies = b"", None, 0
    view = memoryview(bytearray(_READ))
    while (left := deadline - time.monotonic()) > 0 and len(came) < _MOST:
        link.set_timeout(left)
        try:
            came += view[: link.recv_into(view)]
        except TimeoutError:
            break
        except ConnectionError:
            # What came before tells why, if anything came.
            if not came:
                raise
            break
        lines = came.decode("latin-1").split("\n")[:-1]
        answer = next((value for line in lines if (value := _value(line, key)) is not None), answer)
        if (seen := sum(line.strip() == READY for line in lines)) > readies:
            if answer is not None:
                break
            readies = seen
            link.send([question])
    return came, answer


def _value(line: str, key: str) -> str | None:
    message = parse_line(line)
    return message.value(key) if message is not None else None


def _judged(came: bytes) -> Reply:
    """What came without a name in it."""
    text = came.decode("latin-1")
    shown = repr(one_line(text, _SHOWN))
    if not came:
        return Reply(
            problem="nothing came back",
            hint="Is the device on and its program running, is it the right port, and do TX and RX cross?",
        )
    if OCCUPIED in text:
        return Reply(
            problem="another host is connected to the device, which serves one at a time",
            hint="Wait until the other run has ended, or stop it.",
        )
    if _LOGIN.search(text):
        return Reply(
            problem=f"a login is offered at the other end: {shown}",
            hint="Stop the getty on the device: sudo systemctl stop serial-getty@ttyGS0.service (its line's name).",
        )
    if sum(byte < 9 or byte > 126 for byte in came) > _NOISE * len(came):
        return Reply(problem=f"{len(came)} bytes came back that are no text", hint="The bit rate may be another one.")
    if text.strip().replace("%", "") in ("name", "name" * 2):
        return Reply(
            problem="the question itself came back and nothing else",
            hint="Something echoes: a loop of the wire, or a terminal with nothing behind it.",
        )
    return Reply(problem=f"no name came back but {shown}", hint="Is it a device for MLPerf Tiny that runs there?")
