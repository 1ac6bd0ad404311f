"""The digits' codec in C says of any bytes what the one in Python says, and writes the same."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import WireError
from edgerig.wire.digits import (
    STATS_REQUEST,
    InferenceReply,
    InferenceRequest,
    StatsReply,
    decode_reply,
    decode_request,
    encode_inference_reply,
    encode_inference_request,
    encode_stats_reply,
    message_length,
)

Answer = tuple[str, bytes | None, bytes | None]


def by_python(data: bytes) -> Answer:
    """Whether a message begins ``data``, its request and its reply written anew; None for what it is not."""
    try:
        length = message_length(data)
        verdict = "more" if length is None else f"whole {length}"
    except WireError:
        verdict = "wrong"
    return verdict, request_anew(data), reply_anew(data)


def request_anew(data: bytes) -> bytes | None:
    try:
        request = decode_request(data)
    except WireError:
        return None
    return encode_inference_request(request.digit) if isinstance(request, InferenceRequest) else STATS_REQUEST


def reply_anew(data: bytes) -> bytes | None:
    try:
        reply = decode_reply(data)
    except WireError:
        return None
    if isinstance(reply, InferenceReply):
        return encode_inference_reply(reply.outputs, reply.timer_ms, reply.output_n)
    return encode_stats_reply(reply)


def by_c(program: Path, messages: list[bytes]) -> list[Answer]:
    """The same of all messages, by the codec in C with sanitizers on."""
    records = b"".join(struct.pack("<I", len(data)) + data for data in messages)
    done = subprocess.run([program], input=records, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = []
    for line in done.stdout.decode().splitlines():
        verdict, length, *written = line.split()
        request, reply = (None if word == "-" else bytes.fromhex(word) for word in written)
        answers.append((f"whole {length}" if verdict == "whole" else verdict, request, reply))
    return answers


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    """Good messages: canonical, with defaults left out, and with fields in another order than the canonical one."""
    generator = np.random.default_rng(4)
    digit, outputs = generator.random(784, np.float32), generator.random(10, np.float32)
    other_order = bytes.fromhex("10000000 00000a00 0e000700 00000800 0a000000 00000001 0c000000")
    no_timer = bytes.fromhex("10000000 0c000c00 0b000000 00000400 0c000000 10000000 00000002")
    no_timer += bytes.fromhex("08000c00 08000700 08000000 0000000a 04000000 0a000000")
    return [
        encode_inference_request(digit),
        other_order + encode_inference_request(digit)[24:],
        STATS_REQUEST,
        encode_inference_reply(outputs, 1.25),
        encode_inference_reply(outputs, 0.0, 0),
        no_timer + outputs.tobytes(),
        encode_stats_reply(StatsReply(101, 216_000_000, 1)),
        encode_stats_reply(StatsReply(0, 0, -3)),
    ]


def test_good_messages_are_the_same_in_c_and_python(built: Path, seeds: list[bytes]) -> None:
    answers = by_c(built / "digits_codec.san", seeds)
    assert answers == [by_python(data) for data in seeds]
    assert all(request or reply for _, request, reply in answers), "each is a request or a reply"
    assert answers[0][1] == answers[1][1] == seeds[0], "C writes what Python writes"
    assert len(answers[5][2] or b"") == 96, "a reply without a timer is read, and written with one"


def test_bad_messages_are_the_same_in_c_and_python(built: Path, seeds: list[bytes]) -> None:
    luck = random.Random(6)
    messages = [data[:length] for data in seeds for length in range(min(len(data), 100))]
    messages += [data + b"\0" for data in seeds]
    for value in (0x7FC00000, 0x7F800000, 0xFF800000, 0xBF800000, 0x80000000):
        for data in seeds:
            positions = range(12, len(data) - 3, 4)
            for position in (*positions[:12], positions[-1]) if positions else ():
                messages.append(data[:position] + struct.pack("<I", value) + data[position + 4 :])
    for _ in range(6000):
        data = bytearray(luck.choice(seeds))
        for _ in range(luck.randrange(1, 4)):
            data[luck.randrange(min(len(data), 60))] = luck.choice((0, 1, 2, 4, 6, 8, 10, 12, 16, 127, 128, 255))
        messages.append(bytes(data[: luck.randrange(len(data))] if luck.random() < 0.2 else data))
    messages += [luck.randbytes(luck.randrange(64)) for _ in range(500)]
    answers = by_c(built / "digits_codec.san", messages)
    assert len(answers) == len(messages)
    for data, answer in zip(messages, answers, strict=True):
        assert answer == by_python(data), data[:100].hex(" ", 4)
    verdicts = {answer[0].split()[0] for answer in answers}
    assert verdicts == {"whole", "more", "wrong"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_changed_messages_never_lead_the_reader_outside(built: Path, seed: int) -> None:
    command = [built / "digits_codec.san", str(seed), "200000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: int(count) for name, count in (part.split() for part in done.stdout.split(","))}
    assert counts["whole"] + counts["more"] + counts["wrong"] == 200_000
    # What lies behind the checks is reached too.
    assert min(counts.values()) > 10_000
