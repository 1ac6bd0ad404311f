"""A slow device: no request takes longer than an answer is waited for; where one sample does, that is told."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.targets.hostile.devices import PROFILE, RUN, Hostile, Twist, X

from edgerig.errors import TargetError
from edgerig.targets.resolve import target_for

TIMEOUT = 2.0


def slow(counts: list[int], seconds: float) -> Twist:
    """A device that takes ``seconds`` for each sample, and notes in ``counts`` how many each request had."""

    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        (count,) = struct.unpack_from("<I", header)
        counts.append(count)
        time.sleep(seconds * count)
        return header, payload

    return twist


def session_with(device: Hostile, artifact: Any) -> Any:
    return target_for(device.address, {"timeout": TIMEOUT}).open(artifact, "toy", {})


def test_a_warm_up_longer_than_the_timeout_is_split(hostile: Callable[..., Hostile], faulty: Any) -> None:
    counts: list[int] = []
    inputs = [np.resize(X[0], (12, 4))]
    with session_with(hostile({RUN: slow(counts, 0.25)}), faulty) as session:
        # All together take 3 s, of which no answer may take more than 2.
        assert len(session.run(inputs).times_ns) == 12
    assert sum(counts) == 12
    assert max(counts) < TIMEOUT / 0.25


def test_a_profile_has_as_many_samples_as_are_run_in_time(hostile: Callable[..., Hostile], faulty: Any) -> None:
    counts: list[int] = []

    def profiled(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        return header, payload

    with session_with(hostile({RUN: slow(counts, 0.2), PROFILE: profiled}), faulty) as session:
        session.run([X[0][:2]])
        sent = []
        ask = session.client.profile
        session.client.profile = lambda views, count, kind: (sent.append(count), ask(views, count, kind))[1]
        session.profile([X[0]])
    assert 1 <= sent[0] <= TIMEOUT / 4 / 0.2


def test_one_sample_longer_than_the_timeout_is_told_with_the_setting(
    hostile: Callable[..., Hostile], faulty: Any
) -> None:
    with (
        session_with(hostile({RUN: slow([], 3 * TIMEOUT)}), faulty) as session,
        pytest.raises(TargetError, match="has not answered for 2 s") as caught,
    ):
        session.run(X)
    assert "Raise the target's setting `timeout`" in (caught.value.hint or "")
