"""Verdicts of pairs whose times are known."""

import numpy as np
import pytest

from edgerig.engine.compare.pair import Pair, Run, paired_chunks
from edgerig.engine.compare.series import PairSeries
from edgerig.engine.compare.verdicts import latency_estimate, self_check, stands, time_verdicts
from edgerig.measure.comparison import LOOK_LEVEL
from edgerig.measure.kinds import Measurement

CHUNKS, COUNT = 8, 100


def run(nanoseconds: float, rng: np.random.Generator, load: float = 0.01) -> Run:
    chunks = tuple((nanoseconds * (1 + 0.01 * rng.random(COUNT))).astype(np.int64) for _ in range(CHUNKS))
    memory = {"peak_rss": Measurement(value=6e7, unit="B", kind="measured", method="m")}
    return Run(chunks, load, int(3 * nanoseconds), memory, "perf_counter_ns, 1 ns", 1, "1")


def series(ratio: float, pairs: int = 6, spread: float = 0.003, seed: int = 0) -> PairSeries:
    """Pairs whose B takes ``ratio`` times as long, each on a machine of another speed."""
    rng = np.random.default_rng(seed)
    made = PairSeries()
    for _ in range(pairs):
        own = 1e5 * rng.uniform(0.5, 2)
        made.pairs.append(Pair(run(own, rng), run(own * ratio * np.exp(rng.normal(0, spread)), rng)))
    made.started = pairs
    return made


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "slower"), (1.0, "same"), (1 / 1.05, "faster")])
def test_a_machine_that_changes_its_speed_from_pair_to_pair_moves_no_verdict(ratio: float, verdict: str) -> None:
    found = time_verdicts(series(ratio), 0.02, None)
    assert found["latency"].verdict == verdict
    assert found["latency"].value == pytest.approx(ratio, abs=0.01)
    assert found["p50"].verdict in (verdict, "inconclusive")
    assert found["load"].verdict == "same"
    assert found["peak_rss"].verdict == "same"


def test_a_tail_needs_five_hundred_inferences_and_has_its_own_verdict() -> None:
    made = series(1.0)
    for pair in made.pairs:
        for chunk in pair.second.chunks:
            chunk[:3] *= 4  # 3 %
    found = time_verdicts(made, 0.02, None)
    assert (found["latency"].verdict, found["p99"].verdict) == ("same", "slower")
    few = PairSeries([Pair(*(one_chunk(side) for side in (pair.first, pair.second))) for pair in made.pairs], 6)
    tail = time_verdicts(few, 0.02, None)["p99"]
    assert (tail.verdict, "500 are needed" in tail.sentence) == ("inconclusive", True)


def one_chunk(side: Run) -> Run:
    return Run(side.chunks[:2], side.load_seconds, side.first_ns, side.memory, side.clock, 1, "1")


def test_a_pairs_chunks_hold_both_turns_of_either() -> None:
    (pair,) = series(1.0, pairs=1).pairs
    chunks = paired_chunks(pair)
    assert len(chunks) == CHUNKS // 2
    assert chunks[1][0].tolist() == [*pair.first.chunks[2], *pair.first.chunks[3]]


def test_no_verdict_on_times_without_pairs_or_where_they_are_refused() -> None:
    none = time_verdicts(PairSeries(), 0.02, "the devices are not alike")
    assert {metric.verdict for metric in none.values()} == {"inconclusive"}
    assert none["latency"].sentence == "The devices are not alike."
    assert time_verdicts(series(1.5), 0.02, "the clocks are not alike")["latency"].verdict == "inconclusive"
    few = time_verdicts(series(1.5, pairs=3), 0.02, None)["latency"]
    assert (few.verdict, few.value) == ("inconclusive", None)
    lost = series(1.5)
    lost.given_up, lost.lost = True, ["Pair 3 was discarded: B failed: it died."]
    assert time_verdicts(lost, 0.02, None)["latency"].verdict == "inconclusive"


def test_a_clock_that_is_too_coarse_ends_the_series_without_a_verdict() -> None:
    made = series(1.0)
    for pair in made.pairs:
        for chunk in pair.first.chunks:
            chunk[:] = 0
    assert stands(made.pairs, 0.02)
    assert self_check(made, 0.02) is None
    assert time_verdicts(made, 0.02, None)["latency"].verdict == "inconclusive"


def ticking(side: Run) -> Run:
    return Run(side.chunks, side.load_seconds, side.first_ns, side.memory, "clock, 10 us", 1, "1")


def test_a_clock_with_a_tick_of_a_tenth_tells_no_difference_of_two_hundredths() -> None:
    made = series(1.0, spread=0.0)
    coarse = PairSeries([Pair(*(ticking(side) for side in (pair.first, pair.second))) for pair in made.pairs], 6)
    assert time_verdicts(made, 0.02, None)["latency"].verdict == "same"
    assert time_verdicts(coarse, 0.02, None)["latency"].verdict == "inconclusive"


def test_the_check_of_a_machine_says_whether_it_tells_five_percent() -> None:
    quiet = self_check(series(1.0, pairs=4), 0.02)
    assert quiet is not None
    assert (quiet.passed, quiet.tells) == (True, True)
    assert "can tell 5%" in quiet.sentence
    noisy = self_check(series(1.0, pairs=4, spread=0.2), 0.02)
    assert noisy is not None
    assert (noisy.passed, noisy.tells) == (True, False)
    assert "cannot tell 5%" in noisy.sentence
    broken = self_check(series(1.2, pairs=4), 0.02)
    assert broken is not None
    assert (broken.passed, broken.tells) == (False, False)
    assert self_check(series(1.0, pairs=3), 0.02) is None


def test_the_estimate_is_at_the_level_of_a_look() -> None:
    assert latency_estimate(series(1.0).pairs).level == pytest.approx(LOOK_LEVEL)


def waiting(ratio: float, nanoseconds: float = 8e6, *, bytes_: int = 1000, threads: int = 1) -> PairSeries:
    """Pairs on a machine so busy that an inference waits for a core for up to three times its own time."""
    rng = np.random.default_rng(3)

    def side(own: float) -> Run:
        chunks = tuple((own * rng.uniform(1, 4, 10)).astype(np.int64) for _ in range(CHUNKS))
        cpu = tuple(int(10 * own * rng.normal(1, 0.01)) for _ in range(CHUNKS))
        return Run(chunks, 0.01, int(own), {}, "perf_counter_ns, 1 ns", threads, "1", cpu, bytes_)

    pairs = [Pair(side(own), side(own * ratio)) for own in nanoseconds * rng.uniform(0.9, 1.1, 9)]
    return PairSeries(pairs, len(pairs))


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "slower"), (1.0, "same"), (1 / 1.05, "faster")])
def test_processor_time_decides_where_waiting_for_a_core_hides_the_latency(ratio: float, verdict: str) -> None:
    metrics = time_verdicts(waiting(ratio), 0.02, None)
    assert metrics["latency"].verdict == "inconclusive"
    assert (metrics["cpu"].verdict, metrics["cpu"].count) == (verdict, 9)
    assert metrics["cpu"].value == pytest.approx(ratio, abs=0.01)
    assert metrics["cpu"].a == pytest.approx(8e-3, rel=0.1)


@pytest.mark.parametrize(
    "series",
    [
        waiting(1.05, 5e5),  # shorter than a millisecond
        waiting(1.05, bytes_=1_000_000),  # whose messages are an eighth of it
        waiting(1.05, threads=2),
        series(1.05),  # whose processor time nobody told
    ],
)
def test_processor_time_that_says_little_of_an_inference_is_not_told(series: PairSeries) -> None:
    assert "cpu" not in time_verdicts(series, 0.02, None)


def test_messages_that_may_hide_a_change_widen_its_interval() -> None:
    """Of 8 ms 4 % are messages at most: a ratio of 1.05 of all of it may be one of 1.052 of the inferences."""
    little, much = (time_verdicts(waiting(1.05, bytes_=size), 0.02, None)["cpu"] for size in (0, 300_000))
    share = (20e-6 + 300e-6) / 8e-3
    assert (much.value, much.low) == (little.value, little.low), "what is slower is not made slower still by that"
    assert little.high is not None
    assert much.high is not None
    assert much.high - 1 == pytest.approx((little.high - 1) / (1 - share), rel=0.03)
    faster = time_verdicts(waiting(1 / 1.05, bytes_=300_000), 0.02, None)["cpu"]
    assert (faster.verdict, (faster.low or 1) < (faster.value or 0)) == ("faster", True)
