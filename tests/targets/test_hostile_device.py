"""Devices that are broken or hostile: what they answer is refused by name, or counts as not told; never believed.

Each is the plain device of ``examples/wire`` with one answer twisted, over a real socket.
"""

import importlib
import itertools
import math
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.artifact import Quantization, TensorSpec
from edgerig.errors import AnswerError, EdgerigError, InferenceError, Interrupted, LeaseError, TargetError, UsageError
from edgerig.measure.kinds import Measurement
from edgerig.measure.pauses import waited
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.networks import dense_tflite

EXAMPLE = Path(__file__).parents[2] / "examples" / "wire"
DATA, MODEL, PROCESS, OUTPUT, STATS, HELLO, RUN, PROFILE, MEMORY = range(3, 12)
X = [np.arange(40, dtype=np.float32).reshape(10, 4)]
NAN, INF, LEAST, MOST = math.nan, math.inf, -(2**63), 2**63 - 1
ESC = "\x1b[2J\x1b]0;owned\x07\u202e\n"

Twist = Callable[[bytes, bytes], tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def plain() -> Iterator[Any]:
    """The module of the plain device."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield importlib.import_module("device")
    finally:
        sys.path.remove(str(EXAMPLE))


class Hostile:
    """Serves twisted sessions until it is closed. ``twists``: kind of request to what becomes of its answer."""

    def __init__(self, plain: Any, twists: dict[int, Any], kinds: str = "3,4,5,6,7,8,9,10,11,12,14") -> None:
        self.kinds = [int(kind) for kind in kinds.split(",")]
        machine = {"host": "toy", "system": "none", "architecture": "toy", "cpu": "toy", "cores": 1}
        self.sessions = 0
        hostile = self

        class Session(plain.Session):
            def answer(self, kind: int, header: bytes, payload: bytes) -> tuple[bytes, bytes]:
                self.kind = kind
                answer = super().answer(kind, header, payload)
                twist = twists.get(kind)
                return twist(*answer) if twist is not None and not isinstance(twist, Raw) else answer

            def send(self, kind: int, request: int, header: bytes = b"", payload: bytes = b"", flags: int = 0) -> None:
                twist = twists.get(getattr(self, "kind", 0))
                if isinstance(twist, Raw) and kind == plain.OK:
                    twist.send(super().send, self, request, header, payload, flags)
                else:
                    super().send(kind, request, header, payload, flags)

        self.listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                hostile.sessions += 1

                def talk(connection: socket.socket = connection) -> None:
                    with connection:
                        try:
                            Session(connection, self.kinds, machine, 4).serve()
                        except OSError:
                            return

                threading.Thread(target=talk, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Raw:
    """Sends something else than one OK to the request: ``how(send, session, request, header, payload, flags)``."""

    def __init__(self, how: Callable[..., None]) -> None:
        self.send = how


@pytest.fixture
def hostile(plain) -> Iterator[Callable[..., Hostile]]:
    devices = []

    def make(twists: dict[int, Any], **more: Any) -> Hostile:
        devices.append(Hostile(plain, twists, **more))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


def use(address: str, artifact: Any, protocol: str = "run") -> dict[str, Any]:
    """All that a measurement asks of a device."""
    target = target_for(address, {"timeout": 3, "protocol": protocol})
    try:
        told: dict[str, Any] = {"checked": target.check()}
        with target.open(artifact, "toy", {}) as session:
            told["report"], told["run"] = session.load_report, session.run(X)
            told["memory"], told["profile"] = session.memory(), session.profile(X)
            told["machine"], told["transport"] = session.machine(), session.transport(X, 3)
            told["clock"] = session.check_clock(X)
            told["sensors"] = session.sensors()  # type: ignore[attr-defined]
        return told
    finally:
        target.close()


def is_clean(text: str) -> bool:
    return not set(text) & set("\x1b\x07\x00\x9b\u202e")


# ---- what the device loaded


def loaded(**changes: Any) -> Twist:
    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        told = msgspec.msgpack.decode(payload)
        for name, value in changes.items():
            told[name] = value(told[name]) if callable(value) else value
        return header, msgspec.msgpack.encode(told)

    return twist


def spec(**changes: Any) -> Callable[[Any], Any]:
    return lambda specs: [{**specs[0], **changes}]


SCALE = {"scales": [0.5], "zero_points": [0], "axis": None}
LOADED: dict[str, dict[str, Any]] = {
    "no inputs": {"inputs": []}, "no outputs": {"outputs": []}, "two inputs": {"inputs": lambda specs: specs * 2},
    "two outputs": {"outputs": lambda specs: specs * 2}, "300 outputs": {"outputs": lambda specs: specs * 300},
    "unknown dtype": {"outputs": spec(dtype="bfloat16")}, "dtype is no text": {"outputs": spec(dtype=5)},
    "object dtype": {"inputs": spec(dtype="object")}, "another dtype": {"outputs": spec(dtype="int32")},
    "another input dtype": {"inputs": spec(dtype="int8")}, "longer output": {"outputs": spec(shape=[1, 5])},
    "shorter input": {"inputs": spec(shape=[1, 3])}, "input of 0": {"inputs": spec(shape=[1, 0])},
    "negative input": {"inputs": spec(shape=[1, -4])}, "output of -7": {"outputs": spec(shape=[1, -7])},
    "huge output": {"outputs": spec(shape=[1, 2**40, 2**40])}, "largest output": {"outputs": spec(shape=[1, MOST])},
    "100 dimensions": {"outputs": spec(shape=[1] * 100)}, "shape of texts": {"outputs": spec(shape=["1", "4"])},
    "scale of NaN": {"outputs": spec(quantization={**SCALE, "scales": [NAN]})},
    "scale of 0": {"outputs": spec(quantization={**SCALE, "scales": [0.0]})},
    "negative scale": {"outputs": spec(quantization={**SCALE, "scales": [-1.0]})},
    "infinite scale": {"outputs": spec(quantization={**SCALE, "scales": [INF]})},
    "two scales, one zero": {"outputs": spec(quantization={**SCALE, "scales": [1.0, 2.0]})},
    "huge zero point": {"outputs": spec(quantization={**SCALE, "zero_points": [2**40]})},
    "axis 9": {"outputs": spec(quantization={**SCALE, "axis": 9})},
    "load of NaN": {"load_seconds": NAN}, "load of -1 s": {"load_seconds": -1.0}, "endless load": {"load_seconds": INF},
    "load of a year": {"load_seconds": 3e7}, "load longer than the answer took": {"load_seconds": 1000.0},
    "no hash": {"sha256": ""}, "hash with blanks": {"sha256": " " * 64}, "hash of escapes": {"sha256": ESC * 8},
    "0 threads": {"threads": 0}, "-1 threads": {"threads": -1}, "10**9 threads": {"threads": 10**9},
    "clock is a number": {"clock": 5}, "runtime is nil": {"runtime": None}, "window is a text": {"window": "4"},
}  # fmt: skip


@pytest.mark.parametrize("name", LOADED)
def test_what_was_loaded_cannot_be(hostile, faulty, name):
    with pytest.raises(AnswerError) as caught:
        use(hostile({MODEL: loaded(**LOADED[name])}).address, faulty)
    assert "127.0.0.1" in caught.value.message
    assert caught.value.hint
    assert is_clean(str(caught.value))


@pytest.mark.parametrize("window", [0, -5, 2**31, MOST])
def test_any_window_is_lived_with(hostile, faulty, window):
    told = use(hostile({MODEL: loaded(window=window)}).address, faulty)
    np.testing.assert_array_equal(told["run"].outputs[0], X[0] * 2)


def test_texts_of_a_device_lose_what_a_terminal_obeys(hostile, faulty):
    texts = {"runtime_version": ESC * 100, "clock": ESC + "9" * 500 + " ns 1.2.3 ns", "invoke_method": "x" * 10_000}
    told = use(hostile({MODEL: loaded(**texts, outputs=spec(name=ESC))}).address, faulty)
    report = told["report"]
    for text in (report.runtime_version, report.clock, report.invoke_method, report.outputs[0].name):
        assert is_clean(text)
        assert "\n" not in text
        assert len(text) <= 200


# ---- what it ran


def ran(times: Any = None, output: Callable[[bytes], bytes] = bytes, header: Any = None) -> Twist:
    """Other times (a number, or of each), another output, or another header."""

    def twist(own: bytes, payload: bytes) -> tuple[bytes, bytes]:
        (count,) = struct.unpack_from("<I", own)
        told = payload[: 8 * count]
        if times is not None:
            told = struct.pack("<q", times) * count
        tensor = output(payload[8 * count :])
        head = struct.pack("<IHHI", count, 1, 0, len(tensor)) if header is None else header(count, len(tensor))
        return head, told + tensor

    return twist


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


# ---- what it tells beside the measurement


def machine(**changes: Any) -> Twist:
    return lambda header, payload: (header, msgspec.msgpack.encode({**msgspec.msgpack.decode(payload), **changes}))


def test_figures_of_a_machine_that_cannot_be_count_as_not_told(hostile, faulty):
    absurd = {
        "cores": -3,
        "cores_total": 10**9,
        "memory_bytes": -1,
        "memory_free_bytes": LEAST,
        "load_1min": NAN,
        "frequency_hz": INF,
        "temperature_c": 1e30,
        "busy_seconds": -1.0,
        "uptime_seconds": -INF,
        "throttle_events": -1,
        "cpu": ESC * 1000,
        "packages": {ESC + str(i): ESC for i in range(5000)},
        "governor": ESC,
    }
    state = use(hostile({HELLO: machine(**absurd)}).address, faulty)["checked"]
    assert state.cores == 0
    for name in ("cores_total", "memory_bytes", "memory_free_bytes", "load_1min", "frequency_hz", "temperature_c"):
        assert getattr(state, name) is None
    assert state.busy_seconds is state.uptime_seconds is state.throttle_events is None
    assert is_clean(state.cpu + state.governor + "".join(state.packages))
    assert len(state.packages) <= 1000


@pytest.mark.parametrize("changes", [{"cores": "four"}, {"host": None}, {"packages": [1]}, {"temperature_c": "hot"}])
def test_a_machine_of_other_types_is_refused_when_the_device_is_looked_for(hostile, faulty, changes):
    with pytest.raises(AnswerError, match="HELLO"):
        use(hostile({HELLO: machine(**changes)}).address, faulty)


def hello(*, at: int, value: Any) -> Twist:
    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        told = [*msgspec.msgpack.decode(header), 0, "", None, None, None]
        told[at] = value
        return msgspec.msgpack.encode(told), payload

    return twist


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 2), (0, "1"), (0, None), (1, 5), (2, 0), (2, -1), (3, 0), (3, -1), (4, "all"), (4, ["x"]), (5, [5]),
        (8, "no hash"), (8, "A" * 64), (11, [-1, 30.0]), (11, [1, 30.0, -1]), (11, ["x"]), (11, 5),
    ],
)  # fmt: skip
def test_a_hello_that_cannot_be_is_refused(hostile, faulty, at, value):
    with pytest.raises(TargetError) as caught:
        use(hostile({HELLO: hello(at=at, value=value)}).address, faulty)
    assert is_clean(str(caught.value))


@pytest.mark.parametrize(
    ("at", "value"),
    [(2, MOST), (3, MOST), (4, []), (4, [200, -5]), (7, MOST), (9, ESC), (11, [1, 1e300]), (11, [1, NAN])],
)
def test_a_hello_that_promises_too_much_is_lived_with(hostile, faulty, at, value):
    kinds = {"kinds": "3,4,5,6,7,8"} if value == [200, -5] else {}
    told = use(hostile({HELLO: hello(at=at, value=value)}, **kinds).address, faulty)
    np.testing.assert_array_equal(told["run"].outputs[0], X[0] * 2)


@pytest.mark.parametrize("kind", [MEMORY, PROFILE, STATS])
def test_reasons_of_a_device_are_cleaned_and_cut(hostile, faulty, kind):
    nothing = {"is": "unavailable", "reason": ESC + "r" * 500_000 + " " * 500_000}
    told = {MEMORY: {"arena": nothing}, PROFILE: nothing, STATS: [1, 1, 1, None, None, {"power": nothing}]}
    device = hostile({kind: lambda header, payload: (header, msgspec.msgpack.encode(told[kind]))})
    answers = use(device.address, faulty)
    known = {MEMORY: "memory", STATS: "sensors"}
    reason = answers["profile"].reason if kind == PROFILE else next(iter(answers[known[kind]].values())).reason
    assert is_clean(reason)
    assert "owned" in reason
    assert len(reason) <= 4000


@pytest.mark.parametrize("value", [NAN, INF, -INF, -1.0, 1e300])
@pytest.mark.parametrize("kind", [MEMORY, PROFILE, STATS])
def test_figures_that_cannot_be_are_unavailable_and_say_so(hostile, faulty, kind, value):
    quantity = {"is": "number", "value": value, "unit": "s" if kind == PROFILE else "B", "kind": "measured"}
    quantity |= {"method": ESC, "low": NAN, "n": -5}
    answers = {
        MEMORY: {"arena": quantity, ESC: quantity},
        PROFILE: [{"index": -1, "name": ESC, "op": "x" * 9000, "time": quantity, "output_shape": [-5]}],
        STATS: [1, 1, 1, None, None, {"power/x": {**quantity, "unit": "W"}, ESC: quantity}],
    }
    told = use(hostile({kind: lambda header, payload: (header, msgspec.msgpack.encode(answers[kind]))}).address, faulty)
    if kind == PROFILE:
        figures = [layer.time for layer in told["profile"]]
        assert is_clean(told["profile"][0].name)
        assert told["profile"][0].output_shape is None
        assert len(told["profile"][0].op) <= 200
    else:
        figures = list(told["memory" if kind == MEMORY else "sensors"].values())
        assert all(is_clean(name) for name in told["memory" if kind == MEMORY else "sensors"])
    for figure in figures:
        assert not isinstance(figure, Measurement) or (math.isfinite(figure.value) and figure.n >= 0)
        assert is_clean(str(figure))


@pytest.mark.parametrize("kind", [MEMORY, PROFILE])
@pytest.mark.parametrize("answer", [5, "x", None, [5], {"a": 5}, {"a": {"is": "other"}}, {"is": "number"}])
def test_figures_of_another_type_are_refused_by_the_name_of_the_request(hostile, faulty, kind, answer):
    with pytest.raises(AnswerError, match="MEMORY" if kind == MEMORY else "PROFILE"):
        use(hostile({kind: lambda header, payload: (header, msgspec.msgpack.encode(answer))}).address, faulty)


# ---- errors


def fails(code: Any, message: Any = "Stopped by the user." + ESC, hint: Any = ESC, details: Any = ()) -> Raw:
    header = msgspec.msgpack.encode([code, message, hint, list(details)])
    return Raw(lambda send, session, request, *_: send(2, request, header))


@pytest.mark.parametrize("code", [*range(36), -1, 255, 2**31, MOST])
@pytest.mark.parametrize("kind", [MODEL, RUN])
def test_no_error_of_a_device_stops_a_run_or_passes_for_the_hosts_own(hostile, faulty, kind, code):
    device = hostile({kind: fails(code)}, kinds="3,4,5,6,7,8,9" if code != 4 else "4,8,9")
    with pytest.raises(EdgerigError) as caught:
        use(device.address, faulty)
    assert not isinstance(caught.value, Interrupted)
    assert caught.value.exit_code != 130
    # They are a device's words, and say whose.
    assert caught.value.message.startswith(device.address)
    assert is_clean(str(caught.value))


@pytest.mark.parametrize("kind", [PROFILE, MEMORY])
def test_error_4_to_what_is_optional_is_an_answer(hostile, faulty, kind):
    device = hostile({kind: fails(4)})
    told = use(device.address, faulty)
    figure = told["profile"] if kind == PROFILE else told["memory"]["peak_rss"]
    assert not isinstance(figure, Measurement)
    undisturbed = hostile({})
    use(undisturbed.address, faulty)
    assert device.sessions == undisturbed.sessions


def test_error_4_to_run_means_step_by_step(hostile, faulty):
    told = use(hostile({RUN: fails(4)}).address, faulty)
    np.testing.assert_array_equal(told["run"].outputs[0], X[0] * 2)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (2, [NAN]),
        (2, [-5.0]),
        (2, [INF]),
        (2, ["soon"]),
        (2, [1, 2]),
        (6, [10**9]),
        (6, ["x"]),
        (6, [b"x" * 60_000]),
        (19, [1, 2, 3]),
        (19, ["a", "b", [1, None]]),
        (19, [ESC, ESC, [ESC] * 1000]),
        (20, [None] * 3),
        (20, [ESC] * 3),
    ],
)
def test_details_of_errors_are_not_believed_either(hostile, faulty, code, details):
    with pytest.raises(EdgerigError) as caught:
        use(hostile({MODEL: fails(code, "no", None, details)}).address, faulty)
    if isinstance(caught.value, LeaseError) and caught.value.retry_after is not None:
        assert 0 <= caught.value.retry_after < 1e6
    assert is_clean(str(caught.value))


@pytest.mark.parametrize(("code", "message", "hint"), [("x", "m", None), (1, None, None), (1, 5, None), (1, "m", 5)])
def test_errors_of_other_types_are_errors(hostile, faulty, code, message, hint):
    with pytest.raises(TargetError):
        use(hostile({RUN: fails(code, message, hint)}).address, faulty)


# ---- order


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
