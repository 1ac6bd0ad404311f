"""What a device says that it ran: outputs, times and statistics that cannot be are refused by name."""

import itertools
import struct
from typing import Any

import msgspec
import pytest
from tests.targets.hostile.devices import LEAST, MODEL, MOST, NAN, OUTPUT, RUN, STATS, Twist, X, loaded, ran, use

from edgerig.errors import AnswerError, TargetError
from edgerig.targets.resolve import target_for

RAN: dict[str, Twist] = {
    "a time of -1 ns": ran(-1),
    "the least time": ran(LEAST),
    "the largest time": ran(MOST),
    "no time by a clock of 1 ns": ran(0),
    "an hour": ran(3_600_000_000_000),
    "an output twice as long": ran(output=lambda data: data * 2),
    "half an output": ran(output=lambda data: data[: len(data) // 2]),
    "an empty output": ran(output=lambda data: b""),
    "a byte a sample": ran(output=lambda data: data[: len(data) // 16]),
    "no samples": ran(header=lambda count, size: struct.pack("<IHHI", 0, 1, 0, size)),
    "more samples": ran(header=lambda count, size: struct.pack("<IHHI", count + 1, 1, 0, size)),
    "2**32 - 1 samples": ran(header=lambda count, size: struct.pack("<IHHI", 2**32 - 1, 1, 0, size)),
    "no tensor": ran(output=lambda data: b"", header=lambda count, size: struct.pack("<IHH", count, 0, 0)),
    "two tensors": ran(header=lambda count, size: struct.pack("<IHHII", count, 2, 0, size // 2, size // 2)),
    "65535 tensors": ran(header=lambda count, size: struct.pack("<IHHI", count, 65535, 0, size)),
    "a size of 4 GB": ran(header=lambda count, size: struct.pack("<IHHI", count, 1, 0, 2**32 - 1)),
    "no header": ran(header=lambda count, size: b""),
    "a header of 7 B": ran(header=lambda count, size: bytes(7)),
}


@pytest.mark.parametrize("name", RAN)
def test_what_was_run_cannot_be(hostile, faulty, name):
    with pytest.raises(TargetError) as caught:
        use(hostile({RUN: RAN[name]}).address, faulty)
    assert isinstance(caught.value, AnswerError) or "keep to the protocol" in caught.value.message


@pytest.mark.parametrize(("clock", "time"), [("toy, 500 ms", 500_000_000), ("toy, 999999999 s", 3_600_000_000_000)])
@pytest.mark.parametrize("protocol", ["run", "stepwise"])
@pytest.mark.parametrize("at_once", [1, 10])
def test_a_coarse_tick_excuses_one_tick_and_not_one_for_each_inference(hostile, faulty, clock, time, protocol, at_once):
    """Ticks lie in one inference or another, so that all together are at most one longer than the host waited."""
    twists = {MODEL: loaded(clock=clock), RUN: ran(time), STATS: stats(at=0, value=time)}
    target = target_for(hostile(twists).address, {"timeout": 3, "protocol": protocol})
    portions = [X[0][first : first + at_once] for first in range(0, 10, at_once)]
    with target.open(faulty, "toy", {}) as session, pytest.raises(AnswerError, match="times too fast"):
        [session.run([portion]) for portion in portions]
    target.close()


def first_ticked() -> Twist:
    """Times of a right clock that ticks every 50 ms: of a few short inferences, one sees a tick."""
    times = itertools.chain([50_000_000], itertools.repeat(0))

    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        (count,) = struct.unpack_from("<I", header)
        return header, struct.pack(f"<{count}q", *itertools.islice(times, count)) + payload[8 * count :]

    return twist


def test_a_coarse_clock_that_is_right_is_believed(hostile, faulty):
    target = target_for(hostile({MODEL: loaded(clock="toy, 50 ms"), RUN: first_ticked()}).address, {"timeout": 3})
    with target.open(faulty, "toy", {}) as session:
        assert session.run(X).times_ns.sum() == 50_000_000
    target.close()


def stats(*, at: int, value: Any) -> Twist:
    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        told = [*msgspec.msgpack.decode(payload), None, None]
        told[at] = value
        return header, msgspec.msgpack.encode(told)

    return twist


@pytest.mark.parametrize("value", [-1, LEAST, MOST, 0, 1.5, NAN, "long", None, 2**64 - 1])
def test_times_of_single_steps_cannot_be(hostile, faulty, value):
    with pytest.raises(AnswerError):
        use(hostile({STATS: stats(at=0, value=value)}).address, faulty, "stepwise")


@pytest.mark.parametrize(("at", "value"), [(1, -1), (2, -1), (1, "many"), (3, 5), (3, {"host": 7}), (4, 5), (5, [1])])
def test_statistics_that_cannot_be_are_refused(hostile, faulty, at, value):
    with pytest.raises(AnswerError):
        use(hostile({STATS: stats(at=at, value=value)}).address, faulty)


def test_outputs_of_single_steps_have_one_sample(hostile, faulty):
    two = {OUTPUT: lambda header, payload: (struct.pack("<IHHI", 2, 1, 0, 32), payload * 2)}
    with pytest.raises(TargetError, match="processed 1 samples and answered 2"):
        use(hostile(two).address, faulty, "stepwise")
