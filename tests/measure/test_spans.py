"""Several stretches of work as one: what happened between them does not count."""

from msgspec.structs import replace

from edgerig.measure.judge import judge, judge_rounds
from edgerig.measure.machine import MachineState
from edgerig.measure.spans import one_span

START = MachineState(
    host="h",
    system="s",
    architecture="a",
    cpu="c",
    cores=2,
    cores_total=2,
    uptime_seconds=100.0,
    busy_seconds=50.0,
    stolen_seconds=1.0,
    own_seconds=5.0,
    throttle_events=3,
    temperature_c=50.0,
)


def stretch(
    start: float, seconds: float, busy: float, own: float, **changes: object
) -> tuple[MachineState, MachineState]:
    before = replace(START, uptime_seconds=start, busy_seconds=start, own_seconds=start)
    after = replace(
        before, uptime_seconds=start + seconds, busy_seconds=start + busy, own_seconds=start + own, **changes
    )
    return before, after


def test_one_stretch_is_itself() -> None:
    pair = stretch(100, 1, 1, 1)
    assert one_span([pair]) == pair


def test_only_what_grew_within_the_stretches_counts() -> None:
    """Between them others worked for ten minutes."""
    before, after = one_span([stretch(100, 2, 1.5, 1.0), stretch(700, 3, 2.0, 2.0)])
    assert before.uptime_seconds == 100
    assert (after.uptime_seconds, after.busy_seconds, after.own_seconds) == (105, 103.5, 103)


def test_heat_and_throttling_in_any_of_them_are_told() -> None:
    hot, cool = stretch(100, 1, 1, 1, temperature_c=85.0, throttled=True), stretch(200, 1, 1, 1, throttled=False)
    _, after = one_span([hot, cool])
    assert (after.temperature_c, after.throttled) == (85.0, True)
    assert any("throttled" in text for text in judge(*one_span([hot, cool]), 1, None))


def test_what_one_of_them_does_not_tell_is_not_told() -> None:
    blind = stretch(200, 1, 1, 1)
    blind = (replace(blind[0], busy_seconds=None), blind[1])
    before, after = one_span([stretch(100, 1, 1, 1), blind])
    assert after.busy_seconds is None
    assert before.busy_seconds is not None
    assert judge(before, after, 1, None) == []


def test_rounds_that_differ_widely_are_told() -> None:
    assert judge_rounds([1.0, 1.3, 1.1]) == [
        "The rounds differ widely: the median of the slowest is 30% above that of the fastest."
    ]
    assert judge_rounds([1.0, 1.2]) == judge_rounds([1.0]) == judge_rounds([0.0, 1.0]) == []
