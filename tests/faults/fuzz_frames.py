"""Coverage-guided fuzzing of the Python decoder: ``python tests/faults/fuzz_frames.py [CORPUS] [libFuzzer options]``.

Two oracles besides "nothing but its own errors": the same bytes in one piece and one by one give the same frames and
errors, and a frame that was taken can be encoded to bytes that hold the same again.
"""

import sys

import atheris

with atheris.instrument_imports(include=["edgerig.wire"]):
    from edgerig.errors import WireError
    from edgerig.wire import messages
    from edgerig.wire.frame import FrameReader, Limits, encode
    from edgerig.wire.link import Link

LIMITS = Limits(header=512, payload=4096)
HEADERS = [messages.Hello, messages.ModelHeader, messages.Loaded, messages.StatsHeader, messages.Statistics]
HEADERS.append(messages.Failure)


class Bytes(Link):
    """A link that gives out bytes in pieces of a given size, and then is closed."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self.piece = memoryview(data), piece

    def send(self, buffers: object) -> None:
        raise AssertionError("a reader sends nothing")

    def recv_into(self, view: memoryview) -> int:
        count = min(self.piece, len(view), len(self.data))
        if count == 0:
            raise ConnectionResetError
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    def set_timeout(self, seconds: float | None) -> None:
        return None

    def close(self) -> None:
        return None


def read_all(data: bytes, piece: int) -> list[tuple[object, ...]]:
    """Everything that a reader makes of ``data``."""
    found: list[tuple[object, ...]] = []
    reader = FrameReader(Bytes(data, piece), LIMITS)
    while True:
        try:
            frame = reader.read()
        except ConnectionError:
            return found
        except WireError as error:
            found.append(("error", error.message))
            if "too large" in error.message or "garbage" in error.message.lower() or len(found) > 64:
                return found
            continue
        found.append((frame.kind, frame.flags, frame.request, frame.header, bytes(frame.payload)))


def decode_headers(data: bytes) -> None:
    """Headers and tensors of every kind out of any bytes."""
    for kind in HEADERS:
        try:
            messages.unpack(data, kind)
        except WireError:
            continue
    try:
        messages.unpack_tensors(data[:64], memoryview(data[64:]))
    except WireError:
        return


def one(data: bytes) -> None:
    """One input: bytes as they come, or frames made of them and then damaged."""
    source = atheris.FuzzedDataProvider(data)
    if source.ConsumeBool():
        stream = source.ConsumeBytes(sys.maxsize)
    else:
        stream = b""
        for _ in range(source.ConsumeIntInRange(1, 4)):
            header = source.ConsumeBytes(source.ConsumeIntInRange(0, 80))
            payload = source.ConsumeBytes(source.ConsumeIntInRange(0, 80))
            parts = encode(
                source.ConsumeIntInRange(0, 255),
                source.ConsumeIntInRange(0, 2**32 - 1),
                header,
                [memoryview(payload)],
                checked=source.ConsumeBool(),
                sequence=source.ConsumeIntInRange(0, 65535),
            )
            frame = bytearray(b"".join(bytes(part) for part in parts))
            for _ in range(source.ConsumeIntInRange(0, 2)):
                frame[source.ConsumeIntInRange(0, len(frame) - 1)] ^= 1 << source.ConsumeIntInRange(0, 7)
            cut = source.ConsumeIntInRange(0, len(frame)) if source.ConsumeIntInRange(0, 7) == 0 else len(frame)
            stream += bytes(frame[:cut])
            decode_headers(header)
    whole = read_all(stream, 1 << 20)
    assert whole == read_all(stream, 1), "pieces change what is read"
    for entry in whole:
        if entry[0] != "error":
            kind, flags, request, header, payload = entry
            assert isinstance(header, bytes)
            assert isinstance(payload, bytes)
            again = b"".join(bytes(p) for p in encode(int(str(kind)), int(str(request)), header, [memoryview(payload)]))
            (taken,) = read_all(again, 1 << 20)
            assert taken[3:] == (header, payload), flags


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
