"""What a device tells beside the measurement, its machine and its greeting: not believed where it cannot be."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.targets.hostile.devices import (
    ESC,
    HELLO,
    INF,
    LEAST,
    MEMORY,
    MOST,
    NAN,
    PROFILE,
    STATS,
    Twist,
    X,
    is_clean,
    use,
)

from edgerig.errors import AnswerError, TargetError
from edgerig.measure.kinds import Measurement


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
