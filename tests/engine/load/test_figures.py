"""Figures of known requests, and what is said where they cannot be had or trusted."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from edgerig.engine.load.figures import load_round, percentiles, under_load_of, window_of
from edgerig.engine.load.generator import Answers
from edgerig.engine.load.warnings import doubts_about
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.under_load import LoadRound, Percentiles, Trial
from edgerig.rig.types import Measure

MS = 1_000_000
NONE = Unavailable("no meter")


def answers() -> Answers:
    """Session 0 answers every 10 ms, session 1 every 20 ms; inferences take 5 ms."""
    done = np.array([10, 20, 20, 30, 40, 40]) * MS
    sent = np.array([0, 10, 0, 20, 30, 20]) * MS
    zeros = np.zeros(6, np.int64)
    return Answers(
        due=sent, sent=sent, done=done, late=zeros, inference=zeros + 5 * MS, session=np.array([0, 0, 1, 0, 0, 1])
    )


def entry_of(answered: Answers) -> LoadRound:
    return load_round(answered, 2, window_of(answered, 2), number=1, alone=0.01, energy=NONE)


def test_throughput_and_work_are_of_the_time_in_which_all_sessions_ran() -> None:
    entry = entry_of(answers())
    assert entry.seconds == pytest.approx(0.04)
    assert entry.throughput == pytest.approx(6 / 0.04)
    assert entry.busy == pytest.approx(6 * 5 / 80)


def test_percentiles_of_too_few_requests_are_none() -> None:
    few, many = percentiles(np.arange(1, 11) * MS), percentiles(np.arange(1, 501) * MS)
    assert few.p50 == pytest.approx(0.006)
    assert few.p90 is few.p99 is None
    assert (many.p50, many.p90, many.p99) == pytest.approx((0.251, 0.451, 0.496))


def server(rate: float | None, **fields: object) -> LoadRound:
    trial = Trial(rate=50.0, requests=500, answered=500, over=0, tail=0.1, kept_up=True, holds=rate is not None, late=0)
    return replace(entry_of(answers()), trials=(trial,), rate=rate, **fields)


def test_rounds_without_a_rate_have_no_figures_and_say_why() -> None:
    measure = Measure(scenario="server", latency_bound="20 ms")
    load = under_load_of([server(None)], measure, 1, "ticks")
    for quantity in (load.rate, load.throughput, load.latency.p50, load.energy):
        assert isinstance(quantity, Unavailable)
        assert "no rate of arrivals held the bound of 0.02 s at p99" in quantity.reason
        assert "50" in quantity.reason
    assert load.holds is False
    load = under_load_of([server(None), server(40.0), server(44.0)], measure, 1, "ticks")
    assert isinstance(load.rate, Measurement)
    assert (load.rate.value, load.holds) == (42.0, False)


def test_a_searched_rate_lies_between_the_highest_that_held_and_the_lowest_that_failed() -> None:
    measure = Measure(scenario="server", latency_bound="20 ms")
    held = Trial(rate=40.0, requests=500, answered=500, over=0, tail=0.01, kept_up=True, holds=True, late=0)
    trials = (held, replace(held, rate=60.0, holds=False), replace(held, rate=42.0, holds=False))
    rounds = [replace(server(40.0), number=number, trials=trials) for number in (1, 2, 3)]
    rate = under_load_of(rounds, measure, 1, "ticks").rate
    # The rounds agree, and know their rate no better than from 40 to 42.
    assert isinstance(rate, Measurement)
    assert (rate.low, rate.value, rate.high) == (40.0, 40.0, 42.0)
    assert "with the 95 % interval between them, which reaches to that of the lowest rates that failed" in rate.method
    endless = [replace(entry, trials=(held,)) for entry in rounds]
    rate = under_load_of(endless, measure, 1, "ticks").rate
    assert isinstance(rate, Measurement)
    assert (rate.low, rate.value, rate.high) == (None, 40.0, None)
    assert "without an interval" in rate.method
    assert "95 %" not in rate.method


def test_a_rate_that_was_asked_for_has_no_interval_and_claims_none() -> None:
    rate = under_load_of([server(50.0), server(50.0)], Measure(scenario="server", rate=50.0), 1, "ticks").rate
    assert isinstance(rate, Measurement)
    assert (rate.value, rate.low, rate.high) == (50.0, None, None)
    assert rate.method == "arrivals a second that were asked for"


def tail(seconds: float) -> Percentiles:
    return Percentiles(p50=seconds, p90=seconds, p99=seconds)


def test_a_host_that_is_late_is_told() -> None:
    measure = Measure(scenario="server", rate=50.0)
    entry = server(50.0, latency=tail(0.1), inference=tail(0.05), transport=tail(0.001))
    assert doubts_about(replace(entry, late=tail(0.009)), measure, cores=4, threads=1) == ()
    (text,) = doubts_about(replace(entry, late=tail(0.02)), measure, cores=4, threads=1)
    assert "20 ms late" in text
    assert "did not generate the load in time" in text


def test_too_many_sessions_and_idle_ones_are_told() -> None:
    measure = Measure(scenario="streams", streams=4)
    entry = replace(entry_of(answers()), latency=tail(0.1), inference=tail(0.05), transport=tail(0.001))
    assert doubts_about(entry, measure, cores=8, threads=2) == ()
    (text,) = doubts_about(entry, measure, cores=4, threads=2)
    assert "4 sessions of 2 threads each share 4 cores" in text
    (text,) = doubts_about(replace(entry, transport=tail(0.15)), measure, cores=8, threads=1)
    assert "75% of its time between host and session" in text


def test_two_rounds_that_differ_have_bounds_above_nothing_and_are_said_to_say_little() -> None:
    rounds = [replace(entry_of(answers()), number=n, throughput=each, busy=0.9) for n, each in ((1, 100.0), (2, 130.0))]
    rounds[0] = replace(rounds[0], busy=0.6)
    load = under_load_of(rounds, Measure(scenario="streams", streams=2), 1, "ticks")
    assert isinstance(load.throughput, Measurement)
    assert isinstance(load.busy, Measurement)
    assert 0 < (load.throughput.low or 0) < 100
    assert load.busy.high == 1.0, "no session is busier than all of its time"
    (warning,) = load.warnings
    assert warning.startswith("2 rounds say little of the throughput: the 95 % interval reaches from 0.19 to ")
    assert warning.endswith("Measure 5.")
    same = [replace(each, throughput=100.0) for each in rounds]
    near = under_load_of(same, Measure(scenario="streams", streams=2), 1, "ticks")
    assert near.warnings == ()
