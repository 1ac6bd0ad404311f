"""Answers out of order, late, or of another device than before."""

import socket
import struct
import time
from typing import Any

import msgspec
import pytest
from tests.targets.hostile.devices import HELLO, MODEL, PROCESS, RUN, STATS, Raw, X, is_clean, loaded, ran, spec, use

import edgerig
from edgerig.artifact import Quantization, TensorSpec
from edgerig.errors import EdgerigError, InferenceError, TargetError, UsageError
from edgerig.measure.pauses import waited
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.networks import dense_tflite

ORDER: dict[str, Raw] = {
    "another request's id": Raw(lambda send, _, request, *rest: send(1, request + 7, *rest)),
    "id 0": Raw(lambda send, _, request, *rest: send(1, 0, *rest)),
    "a request of its own": Raw(lambda send, _, request, *rest: send(9, request, *rest)),
    "an unknown kind": Raw(lambda send, _, request, *rest: send(250, request, *rest)),
    "an answer twice": Raw(lambda send, _, request, *rest: [send(1, request, *rest) for _ in range(2)]),
    "an error and an answer": Raw(
        lambda send, _, request, *rest: [
            send(2, request, msgspec.msgpack.encode([27, "no", None, []])),
            send(1, request, *rest),
        ]
    ),
    "the end": Raw(lambda send, session, *_: session.connection.close()),
    "garbage": Raw(lambda send, session, *_: session.connection.sendall(bytes(100_000))),
    "half a frame": Raw(lambda send, session, *_: session.connection.sendall(b"\xa5ERG\x01\x01")),
    "a frame of 4 GB": Raw(
        lambda send, session, request, *_: session.connection.sendall(announced(request, 2**32 - 1))
    ),
}


def announced(request: int, length: int) -> bytes:
    from zlib import crc32

    first = struct.pack("<4sBBHIHHIII", b"\xa5ERG", 1, 1, 0, request, 0, 0, length, 0, 0)
    return first + struct.pack("<I", crc32(first))


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("kind", [HELLO, MODEL, RUN, STATS])
def test_answers_out_of_order_end_the_session_with_an_error(hostile, faulty, kind, name):
    with pytest.raises((TargetError, InferenceError)) as caught:
        use(hostile({kind: ORDER[name]}).address, faulty)
    assert not isinstance(caught.value, UsageError)
    assert is_clean(str(caught.value))


def test_process_needs_two_answers(hostile, faulty):
    once = Raw(lambda send, _, request, header, payload, flags: None if flags & 2 else send(1, request))
    with pytest.raises(TargetError, match="one OK instead of two"):
        use(hostile({PROCESS: once}).address, faulty, "stepwise")


def test_a_device_that_comes_back_as_another_ends_the_cell(hostile, tmp_path):
    """Its link breaks in the middle, and another engine answers from then on."""
    runs = []

    def breaks(send: Any, session: Any, request: int, *rest: Any) -> None:
        runs.append(request)
        if len(runs) == 3:
            session.connection.shutdown(socket.SHUT_RDWR)
        else:
            send(1, request, *rest)

    def changes(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        return loaded(runtime_version="1" if len(runs) < 3 else "2")(header, payload)

    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    device = hostile({RUN: Raw(breaks), MODEL: changes})
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": 50},
        "matrix": [{"runtimes": [faults.NAME], "targets": [device.address]}],
        "measure": {"samples": 50, "rounds": 1, "seconds": 0, "patience": 5},
    }
    with pytest.raises(EdgerigError, match="came back as another device: it told runtime_version 1 and then 2"):
        edgerig.run(rig, out=tmp_path / "out")


def test_nonsense_is_asked_for_once(hostile, tmp_path):
    """An answer that cannot be is no lost link: nobody waits for the device to come back."""
    asked = []
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    device = hostile({RUN: lambda header, payload: (asked.append(1), ran(-1)(header, payload))[1]})
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": 50},
        "matrix": [{"runtimes": [faults.NAME], "targets": [device.address]}],
        "measure": {"samples": 50, "rounds": 1, "seconds": 0, "patience": 600},
    }
    with pytest.raises(EdgerigError, match="tells a time of -1 ns"):
        edgerig.run(rig, out=tmp_path / "out")
    assert len(asked) == 1


@pytest.mark.slow
def test_a_device_that_stands_still_between_its_inferences_is_told(hostile, faulty):
    """Its own times are right; the host waited."""
    answered = []

    def late(send: Any, session: Any, request: int, *rest: Any) -> None:
        answered.append(request)
        if len(answered) == 8:
            time.sleep(2.5)
        send(1, request, *rest)

    target = target_for(hostile({RUN: Raw(late)}).address, {"timeout": 20})
    with target.open(faulty, "toy", {}) as session:
        for _ in range(6):
            session.run([X[0][:1]])
        assert session.longest_wait() == 0.0 or session.longest_wait() < 2.0
        for _ in range(6):
            session.run([X[0][:1]])
        assert "For 2.5 s nothing came from the device" in (waited(session.longest_wait()) or "")
    target.close()


def test_scales_that_a_device_does_not_tell_are_those_of_the_file(hostile, faulty) -> None:
    """It gives the 16 bytes of four floats as int8: real numbers are made of them by the file's scale."""
    scale = Quantization((0.5,), (-3,))
    artifact = msgspec.structs.replace(faulty, outputs=(TensorSpec("y", (1, 16), "int8", scale),))
    device = hostile({MODEL: loaded(outputs=spec(dtype="int8", shape=[1, 16], quantization=None))})
    assert use(device.address, artifact)["report"].outputs[0].quantization == scale
