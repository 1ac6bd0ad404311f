"""Errors of a device: none stops a run, or passes for one of the host's own."""

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.targets.hostile.devices import ESC, INF, MEMORY, MODEL, MOST, NAN, PROFILE, RUN, Raw, X, is_clean, use

from edgerig.errors import EdgerigError, Interrupted, LeaseError, TargetError
from edgerig.measure.kinds import Measurement


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
