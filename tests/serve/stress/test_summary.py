"""From raw times to figures, and to the verdict on the tool itself."""

from __future__ import annotations

from array import array
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from edgerig.errors import UnknownNameError, UsageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.plot import plot
from edgerig.serve.stress.protocols import protocol_of
from edgerig.serve.stress.record import COLUMNS, Part
from edgerig.serve.stress.result import StressResult
from edgerig.serve.stress.summary import histogram, summarize, times_of

START = 1_000_000_000_000
MS = 1_000_000


def part(latencies_ms: list[float], **settings: Any) -> Part:
    """A process that began a request every ms, each due 1 ms before."""
    count = len(latencies_ms)
    due = [START + n * MS for n in range(count)]
    columns = {
        "due": due,
        "begun": [time + MS for time in due],
        "done": [time + round(ms * MS) for time, ms in zip(due, latencies_ms, strict=True)],
        "server": [400_000] * count,
        "connect": [50_000],
        "late": [1000] * count,
    }
    given = {"failures": {}, "start": START, "end": START + 200 * MS, "cpu": 20 * MS, "waited": 0} | settings
    return Part(columns=[array("q", columns[name]).tobytes() for name in COLUMNS], **given)


def summed(*parts: Part, machine: float | None = 0.5, loopback: bool = False, **settings: Any) -> StressResult:
    load = Load(**({"host": "h", "port": 1, "protocol": "digits", "connections": 2, "requests": 50} | settings))
    return summarize(load, protocol_of(load), parts, machine, loopback=loopback)


def test_figures_of_two_processes_are_those_of_all_their_requests() -> None:
    result = summed(part([float(n) for n in range(2, 52)]), part([100.0] * 50), rate=1000.0)
    latency, service = result.latency, result.service
    assert latency is not None
    assert service is not None
    assert [getattr(latency, name).value for name in ("p50", "p95", "p99", "max")] == [0.051, 0.1, 0.1, 0.1]
    assert latency.mean.value == pytest.approx((sum(range(2, 52)) + 5000) / 100 / 1e3)
    assert service.p50.value == pytest.approx(0.050)
    # The last was due 49 ms after the start, and took 100 ms.
    assert isinstance(result.seconds, Measurement)
    assert isinstance(result.throughput, Measurement)
    assert isinstance(result.server, Measurement)
    assert result.seconds.value == pytest.approx(0.149)
    assert result.throughput.value == pytest.approx(100 / 0.149)
    assert result.server.value == pytest.approx(0.4e-3)
    assert (result.total, result.good, result.failed, result.arrivals) == (100, 100, 0, "poisson")
    assert result.tool.cpu.value == pytest.approx(0.1)
    assert result.tool.limits == ()


def test_a_percentile_is_a_time_that_occurred() -> None:
    times = times_of(np.array([1, 2, 3, 1000], np.int64), "x")
    assert times is not None
    assert [times.p50.value, times.p95.value, times.p99.value] == pytest.approx([2e-9, 1e-6, 1e-6])


def test_failures_are_in_no_latency_and_it_says_so() -> None:
    result = summed(part([5.0] * 40, failures={"connection reset": 9}), part([], failures={"connection reset": 1}))
    assert (result.total, result.good, result.failed) == (50, 40, 10)
    assert result.failures == {"connection reset": 10}
    assert "10 failed requests are in no latency" in result.warnings[0]


def test_where_nothing_was_answered_no_figure_is_made_up() -> None:
    result = summed(part([], failures={"connection refused": 100}))
    assert (result.latency, result.service, result.histogram) == (None, None, ())
    assert isinstance(result.seconds, Unavailable)
    assert isinstance(result.throughput, Unavailable)
    assert isinstance(result.server, Unavailable)
    assert "None of 100 requests" in plot(result)


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"parts": [part([5.0] * 50, cpu=190 * MS)]}, "busy 95% of the time: the server may be faster"),
        ({"parts": [part([5.0] * 50), part([5.0] * 50, cpu=170 * MS)]}, "busy 85% of the time"),
        ({"machine": 0.99, "loopback": True}, "All CPUs of this machine, which tool and server share"),
        (
            {"parts": [part([5.0] * 50, failures={"tool: no local port left": 3})]},
            "3 requests failed for want of the tool's own means: no local port left",
        ),
    ],
)
def test_the_tool_says_when_it_was_the_limit(settings: dict[str, Any], limit: str) -> None:
    parts = settings.pop("parts", [part([5.0] * 50)])
    result = summed(*parts, **settings)
    assert len(result.tool.limits) == 1
    assert limit in result.tool.limits[0]


def test_lateness_counts_where_it_is_a_notable_part_of_the_latency() -> None:
    late, slow = part([5.0] * 50), part([500.0] * 50)
    for each in (late, slow):
        each.columns[COLUMNS.index("late")] = array("q", [2 * MS] * 50).tobytes()
    assert "2.0 ms late" in summed(late).tool.limits[0]
    assert summed(slow).tool.limits == ()
    assert summed(part([5.0] * 50), machine=0.99).tool.limits == (), "the server has another machine"


def test_waits_for_a_connection_are_named() -> None:
    assert "40 requests were due while all 2" in summed(part([5.0] * 50, waited=40), rate=1000.0).warnings[0]


def test_requests_that_were_not_made_on_a_server_that_is_gone_are_counted() -> None:
    result = summed(part([5.0] * 50, gone=True, failures={"connection refused": 20}))
    assert (result.total, result.unmade) == (70, 30)
    assert result.warnings[0].endswith("it is gone. 30 requests of 100 were not made.")
    assert summed(part([5.0] * 50)).unmade == 0


def test_a_server_of_one_request_a_connection_is_recognised() -> None:
    failures = {"connection closed before the reply": 20}
    assert "needs --reconnect" in summed(part([5.0] * 50, failures=failures)).warnings[1]


def test_a_histogram_has_every_time_once_and_its_bounds_grow_evenly() -> None:
    times = np.random.default_rng(0).lognormal(15, 1, 10_000).astype(np.int64)
    bars = histogram(times)
    assert sum(count for _, count in bars) == 10_000
    bounds = np.array([bound for bound, _ in bars])
    assert np.diff(np.log(bounds)).std() < 1e-6
    for bound, before in zip(bounds[1:], bounds, strict=False):
        count = dict(bars)[bound]
        assert count == ((times / 1e9 <= bound) & (times / 1e9 > before)).sum()
    assert histogram(np.array([7, 7, 7])) == ((7e-9, 3),)


def test_a_plot_is_a_picture_that_tells_what_it_shows() -> None:
    result = msgspec.structs.replace(summed(part([float(n) for n in range(2, 52)])), address="<a&b>:1")
    root = ElementTree.fromstring(plot(result))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert any("<a&b>:1 · digits · 2 connections" in text for text in texts)
    assert {"p50", "p95"} <= set(texts)
    tips = [element.text or "" for element in root.iter() if element.tag.endswith("title")]
    counts = [int(tip.split()[0]) for tip in tips if "replies up to" in tip]
    assert sum(counts) == 50


@pytest.mark.parametrize(
    "settings",
    [
        {"connections": 0},
        {"connections": 60_000},
        {"requests": 0},
        {"requests": 10**9},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"processes": 3},
    ],
)
def test_a_load_that_cannot_be_made_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Load(**({"host": "h", "port": 1, "protocol": "digits", "connections": 2, "requests": 5} | settings)).check()


def test_an_unknown_protocol_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'digits'"):
        protocol_of(Load(host="h", port=1, protocol="digit"))
