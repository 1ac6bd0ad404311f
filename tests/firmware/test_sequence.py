"""Sequence numbers: a request is carried out at most once, whatever gets lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.wire.frame import MORE, Frame, Kind, encode
from edgerig.wire.messages import BAD_FRAME, OUT_OF_SEQUENCE, Failure, Hello, Statistics, pack_tensors, unpack

Array = NDArray[Any]
Host = Any


@pytest.fixture
def host(device: Callable[..., Any], raw: Callable[..., Any]) -> Host:
    """A host that has said hello with sequence number 100."""
    host = raw(device("tcp").link())
    assert host.ask(Kind.HELLO, 1, 100).sequence == 100
    return host


def failure(answer: Frame) -> Failure:
    assert answer.kind == Kind.ERROR
    found: Failure = unpack(answer.header, Failure)
    return found


def inferences(host: Host, sequence: int) -> int:
    statistics: Statistics = unpack(host.ask(Kind.STATS, 9000 + sequence, sequence).payload, Statistics)
    return statistics.inferences


def run_words(samples: Array) -> tuple[bytes, bytes]:
    return pack_tensors(len(samples), [samples.nbytes]), samples.tobytes()


def test_repeated_run_is_answered_again_and_not_run_again(host: Host, samples: Array, expected: Array) -> None:
    first = host.ask(Kind.RUN, 2, 101, *run_words(samples[:5]))
    for _ in range(3):
        assert host.ask(Kind.RUN, 2, 101, *run_words(samples[:5])) == first
    assert bytes(first.payload[40:]) == expected[:5].tobytes()
    assert first.sequence == 101
    assert inferences(host, 102) == 5


def test_repeated_request_does_not_touch_the_buffers(host: Host, samples: Array) -> None:
    """Its payload is thrown away; had it gone into the input, PROCESS would see it."""
    host.ask(Kind.DATA, 2, 101, *run_words(samples[:1]))
    host.ask(Kind.DATA, 2, 101, *run_words(samples[1:2]))
    assert [host.ask(Kind.PROCESS, 3, 102).flags & MORE, host.read().flags & MORE] == [MORE, 0]
    one = bytes(host.ask(Kind.OUTPUT, 4, 103).payload)
    assert one == bytes(host.ask(Kind.RUN, 5, 104, *run_words(samples[:1])).payload[8:])


def test_repeated_process_gives_both_answers_and_runs_once(host: Host, samples: Array) -> None:
    host.ask(Kind.DATA, 2, 101, *run_words(samples[:1]))
    for _ in range(3):
        assert host.ask(Kind.PROCESS, 3, 102).flags & MORE
        assert not host.read().flags & MORE
    assert inferences(host, 103) == 1


def test_repeated_profile_stats_and_error_are_the_same(host: Host, samples: Array) -> None:
    for number, (kind, words) in enumerate(
        [(Kind.PROFILE, run_words(samples[:4])), (Kind.STATS, (b"", b"")), (Kind.RUN, (b"", b""))], 101
    ):
        first = host.ask(kind, number, number, *words)
        assert host.ask(kind, number, number, *words) == first
    assert inferences(host, 104) == 4


@pytest.mark.parametrize("sequence", [99, 102, 103, 1, 0xFFFF])
def test_skipping_ahead_or_back_names_the_expected_number(host: Host, samples: Array, sequence: int) -> None:
    found = failure(host.ask(Kind.RUN, 2, sequence, *run_words(samples[:5])))
    assert (found.code, found.details) == (OUT_OF_SEQUENCE, (101,))
    assert inferences(host, 101) == 0


def test_the_same_number_for_another_request_is_refused(host: Host, samples: Array) -> None:
    host.ask(Kind.RUN, 2, 101, *run_words(samples[:1]))
    assert failure(host.ask(Kind.RUN, 3, 101, *run_words(samples[:1]))).details == (102,)
    assert failure(host.ask(Kind.STATS, 2, 101)).details == (102,)
    assert inferences(host, 102) == 1


def test_nothing_but_hello_before_hello(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    host = raw(device("unix").link())
    for sequence in (1, 2, 0xFFFF):
        found = failure(host.ask(Kind.STATS, 2, sequence))
        assert (found.code, found.details) == (OUT_OF_SEQUENCE, (0,))
    assert host.ask(Kind.HELLO, 3, 0xFFFF).kind == Kind.OK
    assert inferences(host, 1) == 0


def test_numbers_go_on_with_1_after_the_last(host: Host) -> None:
    host.ask(Kind.HELLO, 2, 0xFFFE)
    assert [host.ask(Kind.IO, n, n).kind for n in (0xFFFF, 1, 2)] == [Kind.OK] * 3


def test_hello_starts_anew_at_any_time(host: Host, samples: Array) -> None:
    host.ask(Kind.RUN, 2, 101, *run_words(samples[:2]))
    for sequence in (7, 7, 5, 101):
        host.ask(Kind.HELLO, 3, sequence)
    assert inferences(host, 102) == 0


def test_without_numbers_nothing_is_taken_for_a_repetition(host: Host, samples: Array) -> None:
    host.ask(Kind.HELLO, 1)
    for _ in range(3):
        host.ask(Kind.RUN, 2, 0, *run_words(samples[:1]))
    assert inferences(host, 0) == 3


def test_damaged_request_does_not_count(host: Host, samples: Array) -> None:
    whole = b"".join(
        bytes(part) for part in encode(Kind.RUN, 2, *[pack_tensors(1, [64])], [samples[0].data], sequence=101)
    )
    for place in (33, 40, 50, len(whole) - 1):
        host.link.send([whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]])
        found = failure(host.read())
        assert (found.code, found.details) == (BAD_FRAME, (101,))
    host.link.send([whole])
    assert host.read().kind == Kind.OK
    # The repetition may come damaged too.
    host.link.send([whole[:-1] + b"\x00"])
    assert failure(host.read()).details == (102,)
    assert inferences(host, 102) == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", [1, 31, 32, 33, 44, 80, 107])
def test_half_a_request_is_given_up_after_silence(host: Host, samples: Array, place: int) -> None:
    whole = b"".join(
        bytes(part) for part in encode(Kind.RUN, 2, pack_tensors(1, [64]), [samples[0].data], sequence=101)
    )
    host.link.send([whole[:place]])
    if place >= 32:
        assert failure(host.read()).details == (101,)
    else:
        time.sleep(0.5)
    host.link.send([whole])
    assert host.read().kind == Kind.OK


def test_restart_is_announced_and_old_numbers_are_refused(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    board = device("pty", "--announce")
    host = raw(board.link())
    first = host.read()
    assert (first.kind, first.request) == (Kind.HELLO, 0)
    before: Hello = unpack(host.ask(Kind.HELLO, 1, 10).header, Hello)
    assert unpack(first.header, Hello) == before
    board.restart()
    announced = host.read()
    after: Hello = unpack(announced.header, Hello)
    assert (announced.kind, announced.request) == (Kind.HELLO, 0)
    assert after.boot != before.boot
    assert msgspec.structs.replace(after, boot=before.boot, reset_cause=before.reset_cause) == before
    assert failure(host.ask(Kind.STATS, 2, 11)).details == (0,)


def test_restart_in_the_middle_of_an_inference_is_announced(
    device: Callable[..., Any], raw: Callable[..., Any], samples: Array
) -> None:
    board = device("pty", "--slow", "300")
    host = raw(board.link())
    host.ask(Kind.HELLO, 1, 10)
    host.send(Kind.RUN, 2, 11, *run_words(samples[:1]))
    time.sleep(0.1)
    board.restart()
    kinds = [host.read().kind]
    while kinds[-1] != Kind.HELLO:
        kinds.append(host.read().kind)
    assert len(kinds) <= 2


def test_outputs_of_many_numbered_runs(host: Host, samples: Array, expected: Array) -> None:
    for number in range(101, 165):
        i = number - 101
        payload = host.ask(Kind.RUN, number, number, *run_words(samples[i : i + 1])).payload
        assert np.array_equal(np.frombuffer(payload[8:], np.int8), expected[i])
