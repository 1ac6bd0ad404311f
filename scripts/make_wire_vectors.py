"""Write tests/wire/vectors: bytes on the wire and what a receiver makes of them, for every implementation to agree on.

``frames.json`` is for people and for implementations that read JSON; ``frames.txt`` says the same line by line for
those that do not. A receiver of headers up to 256 B and payloads up to 4096 B is meant.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import WireError
from edgerig.wire import messages
from edgerig.wire.frame import MORE, PREAMBLE, SYNC, FrameReader, Kind, Limits, encode
from edgerig.wire.link import Link
from edgerig.wire.messages import CODES, Failure, Hello, ModelHeader, StatsHeader, pack

FOLDER = Path(__file__).parents[1] / "tests" / "wire" / "vectors"
LIMITS = Limits(header=256, payload=4096)


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a receiver notices: a good frame, or one that is ``damaged``, of another ``version``, or ``too-long``.

    ``skipped`` counts the bytes from the start of the vector that were part of no frame.
    """

    verdict: str
    skipped: int = 0
    kind: int = 0
    flags: int = 0
    request: int = 0
    sequence: int = 0
    header: str = ""
    payload: str = ""


class Vector(msgspec.Struct, frozen=True):
    """Bytes in hex, what they are meant to show, and what comes of them."""

    name: str
    meaning: str
    bytes: str
    events: list[Event]


class BytesLink(Link):
    """Gives bytes in pieces of a fixed size, then ends."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece, self._place = data, piece, 0

    def send(self, buffers: Sequence[bytes | memoryview]) -> None:
        raise NotImplementedError

    def recv_into(self, view: memoryview) -> int:
        part = self._data[self._place : self._place + min(self._piece, len(view))]
        if not part:
            raise ConnectionResetError("the end")
        view[: len(part)] = part
        self._place += len(part)
        return len(part)

    def set_timeout(self, seconds: float | None) -> None:
        pass

    def close(self) -> None:
        pass


def events_of(data: bytes, piece: int = 1 << 16) -> list[Event]:
    """What the Python receiver notices in ``data``, received in pieces of ``piece`` bytes."""
    reader = FrameReader(BytesLink(data, piece), LIMITS)
    found: list[Event] = []
    while True:
        try:
            frame = reader.read()
        except ConnectionError:
            return found
        except WireError as error:
            words = {"came damaged": "damaged", "speaks version": "version", "was announced": "too-long"}
            verdict = next(verdict for text, verdict in words.items() if text in error.message)
            found.append(Event(verdict, reader.skipped))
            if verdict == "too-long":
                return found
        else:
            found.append(
                Event(
                    "good", reader.skipped, frame.kind, frame.flags, frame.request, frame.sequence,
                    frame.header.hex(), bytes(frame.payload).hex(),
                )
            )  # fmt: skip


def frame(kind: int, request: int = 1, header: bytes = b"", payload: bytes = b"", **more: Any) -> bytes:
    """One frame, whole."""
    return b"".join(encode(kind, request, header, [memoryview(payload)] if payload else [], **more))


def flipped(data: bytes, place: int, bit: int = 0) -> bytes:
    """``data`` with one bit changed."""
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


STATS = frame(Kind.STATS, 7)
RUN = frame(Kind.RUN, 8, messages.pack_tensors(2, [6, 4]), bytes(range(10)), sequence=3)


def with_preamble(data: bytes, **changes: int) -> bytes:
    """``data`` with fields of its preamble changed, and a preamble CRC that fits."""
    from zlib import crc32

    names = (
        "sync",
        "version",
        "kind",
        "flags",
        "request",
        "sequence",
        "header",
        "payload",
        "header_crc",
        "payload_crc",
    )
    fields = dict(zip(names, PREAMBLE.unpack(data[:32])[:-1], strict=True)) | changes
    covered = PREAMBLE.pack(*fields.values(), 0)[:28]
    return covered + crc32(covered).to_bytes(4, "little") + data[32:]


def kinds() -> list[tuple[str, str, bytes]]:
    """Every kind as a session would send it."""
    tensors = messages.pack_tensors(1, [4])
    model = ModelHeader("tflm", {"arena": 4096}, "tflite", "ab" * 32, "net.tflite")
    hello = Hello(1, "edgerig 0.1.0", 61440, 1 << 30)
    device = Hello(
        1, "firmware 1", 256, 4096, tuple(range(3, 15)), ("micro",), "DWT CYCCNT", 0xC0FFEE, "cd" * 32, "power"
    )
    contents: dict[Kind, tuple[bytes, bytes]] = {
        Kind.DATA: (tensors, b"\x01\x02\x03\x04"), Kind.MODEL: (pack(model), b"a network"),
        Kind.STATS: (pack(StatsHeader(True)), b""), Kind.HELLO: (pack(hello), b""),
        Kind.RUN: (messages.pack_tensors(2, [8]), bytes(8)), Kind.PROFILE: (tensors, b"\xff\xfe\xfd\xfc"),
        Kind.OK: (pack(device), pack({"host": "board"})), Kind.ERROR: (pack(Failure(3, "damaged", None, (4,))), b""),
    }  # fmt: skip
    made = []
    for kind in Kind:
        header, payload = contents.get(kind, (b"", b""))
        made.append(
            (f"kind-{kind.name.lower()}", f"a {kind.name}", frame(kind, 0x01020304, header, payload, sequence=9))
        )
    for code in sorted(CODES):
        made.append((f"error-{code}", "an error", frame(Kind.ERROR, 5, pack(Failure(code, "what", "how", ())))))
    made.append(("kind-unknown", "a kind that does not exist yet", frame(200, 2, b"\x90", b"x")))
    return made


def flags() -> list[tuple[str, str, bytes]]:
    """Every flag."""
    return [
        ("flag-none", "a payload without checksum", frame(Kind.DATA, 1, b"", b"abc", checked=False)),
        ("flag-none-damaged", "so damage to it is not noticed", flipped(frame(1, 1, b"", b"abc", checked=False), 33)),
        ("flag-checked", "a payload with checksum", frame(Kind.DATA, 1, b"", b"abc")),
        ("flag-more", "an answer before the answer", frame(Kind.OK, 1, flags=MORE)),
        ("flag-more-checked", "both", frame(Kind.OK, 1, b"\x90", b"abc", flags=MORE)),
        ("flag-unknown", "flags of the future are ignored", frame(Kind.OK, 1, flags=0xFFFC)),
        ("flag-checked-empty", "a checked payload of no bytes", with_preamble(frame(Kind.OK, 1), flags=1)),
        ("sequence-last", "the largest numbers", frame(Kind.OK, 0xFFFFFFFF, sequence=0xFFFF)),
        ("longest", "as long as it may be", frame(Kind.DATA, 1, bytes(range(256)), bytes(4096))),
    ]


def damages() -> list[tuple[str, str, bytes]]:
    """Frames that came damaged, before a good one."""
    made = [
        (f"preamble-{place:02}", "one bit of the first 32 bytes is wrong", flipped(RUN, place, place % 8) + STATS)
        for place in range(32)
    ]
    made += [(f"header-{place}", "one bit of the header", flipped(RUN, 32 + place, 1) + STATS) for place in (0, 7, 15)]
    made += [(f"payload-{place}", "one bit of the payload", flipped(RUN, 48 + place, 2) + STATS) for place in (0, 5, 9)]
    made += [
        (f"lost-{place:02}", "a byte is missing", RUN[:place] + RUN[place + 1 :] + STATS * 2)
        for place in (0, 3, 9, 31, 32, 47, 48, 57)
    ]
    made += [
        (f"inserted-{place:02}", "a byte too many", RUN[:place] + b"\x5a" + RUN[place:] + STATS)
        for place in (0, 3, 9, 31, 32, 47, 48, 57, 58)
    ]
    made += [
        (f"doubled-{place:02}", "a byte twice", RUN[: place + 1] + RUN[place:] + STATS)
        for place in (0, 3, 15, 31, 47, 57)
    ]
    made += [
        ("version-2", "a frame of the next version is passed over", with_preamble(RUN, version=2) + STATS),
        ("version-255", "and one of the last", with_preamble(STATS, version=255) + STATS),
        ("too-long-header", "a header above the limit", with_preamble(STATS, header=257)),
        ("too-long-payload", "a payload above the limit", with_preamble(STATS, payload=4097)),
        ("too-long-4-gib", "as much as a length can say", with_preamble(STATS, payload=0xFFFFFFFF)),
        ("lying-header", "a header that takes of the next frame", with_preamble(RUN, header=17) + STATS * 2),
        ("lying-payload", "a payload that is shorter", with_preamble(RUN, payload=9) + STATS),
        ("cut", "it ends in the middle", RUN[:40]),
    ]  # fmt: skip
    return made


def garbage() -> list[tuple[str, str, bytes]]:
    """What is no frame, before one."""
    random_bytes = random.Random(5).randbytes
    made = [
        ("garbage-1", "one byte", b"\x00"),
        ("garbage-31", "a little less than a preamble", bytes(31)),
        ("garbage-1000", "a thousand bytes", random_bytes(1000)),
        ("garbage-marker", "a marker", SYNC),
        ("garbage-half-marker", "half a marker", SYNC[:2]),
        ("garbage-marker-begins-twice", "a marker that begins within another one's beginning", SYNC[:3] + SYNC[:1]),
        ("garbage-markers", "nothing but markers", SYNC * 20),
        ("garbage-a5", "the first byte of the marker again and again", SYNC[:1] * 40),
        ("garbage-false-preamble", "a marker and 28 bytes", SYNC + random_bytes(28)),
        ("garbage-frame-in-preamble", "the frame begins within what looks like a preamble", SYNC + random_bytes(9)),
        ("garbage-half-frame", "the first half of a frame", STATS[:16]),
        ("garbage-text", "a line of a boot loader", b"\r\nBooting, please wait ... OK\r\n"),
    ]
    return [(name, meaning, data + RUN) for name, meaning, data in made]


def vectors() -> list[Vector]:
    """All of them."""
    made = [*kinds(), *flags(), *damages(), *garbage()]
    made += [("empty", "nothing at all", b""), ("two", "two frames, one after the other", RUN + STATS)]
    return [Vector(name, meaning, data.hex(), events_of(data)) for name, meaning, data in made]


def as_text(made: list[Vector]) -> str:
    """The same for a reader of lines: fields parted by blanks, ``-`` for no bytes."""
    lines = [
        "# Made by scripts/make_wire_vectors.py; edit that. frame: skipped kind flags request sequence header payload"
    ]
    for vector in made:
        lines += [f"vector {vector.name}", f"bytes {vector.bytes or '-'}"]
        for event in vector.events:
            if event.verdict == "good":
                numbers = f"{event.skipped} {event.kind} {event.flags} {event.request} {event.sequence}"
                lines.append(f"frame {numbers} {event.header or '-'} {event.payload or '-'}")
            else:
                lines.append(f"{event.verdict} {event.skipped}")
        lines.append("end")
    return "\n".join([*lines, ""])


def as_json(made: list[Vector]) -> str:
    """One vector a line."""
    rows = [msgspec.json.encode(vector).decode() for vector in made]
    return "[\n" + ",\n".join(rows) + "\n]\n"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    everything = vectors()
    FOLDER.mkdir(parents=True, exist_ok=True)
    files.write_text(FOLDER / "frames.json", as_json(everything))
    files.write_text(FOLDER / "frames.txt", as_text(everything))
