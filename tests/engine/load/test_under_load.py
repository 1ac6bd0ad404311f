"""The scenarios streams and server, end to end on real processes: every figure is of the raw times that are kept."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.engine.load.schedule import percentile_of, poisson_arrivals
from edgerig.errors import EdgerigError, IncompatibleError, Interrupted, SpecError
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.progress import Progress
from edgerig.report import build_report
from edgerig.results.bundle import Bundle
from edgerig.results.remarks import remarks
from edgerig.results.types import CellResult
from edgerig.results.under_load import UnderLoad
from edgerig.testing.networks import dense_tflite

QUICK: dict[str, Any] = {
    "samples": 20,
    "warmup": 1,
    "rounds": 1,
    "seconds": 0,
    "profile": False,
    "transport_samples": 0,
    "load_seconds": 0.2,
}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dense_tflite(tmp_path_factory.mktemp("net") / "net.tflite")


def rig(net: Path, target: str = "local", runtime: str = "litert", **measure: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [8], "samples": 20},
        "matrix": [{"runtimes": [runtime], "targets": [target]}],
        "measure": {**QUICK, **measure},
    }


def measured(net: Path, out: Path, **measure: Any) -> tuple[CellResult, UnderLoad]:
    (cell,) = edgerig.run(rig(net, **measure), out=out).cells
    assert isinstance(cell.under_load, UnderLoad)
    return cell, cell.under_load


def raw(out: Path, cell: CellResult, number: int = 1) -> dict[str, Any]:
    with np.load(Bundle(out).cell(cell.id) / "load" / f"{number:04}.npz") as arrays:
        return dict(arrays)


def value(quantity: Quantity | Any) -> float:
    assert isinstance(quantity, Measurement)
    return quantity.value


def check_percentiles(load: UnderLoad, arrays: dict[str, Any]) -> None:
    """The figures of the only round are those of its raw times, whose clocks are told."""
    latency = arrays["done_ns"] - arrays["due_ns"]
    transport = arrays["done_ns"] - arrays["sent_ns"] - arrays["inference_ns"]
    for tail, times in ((load.latency, latency), (load.inference, arrays["inference_ns"]), (load.transport, transport)):
        assert value(tail.p50) == pytest.approx(percentile_of(times, 50) * 1e-9)
        assert value(tail.p90) == pytest.approx(percentile_of(times, 90) * 1e-9)
        assert isinstance(tail.p50, Measurement)
        assert (tail.p50.kind, tail.p50.n) == ("measured", len(latency))
    for name, clock in (("latency", "host perf_counter_ns"), ("inference", "perf_counter_ns, ")):
        assert (getattr(load, name).p50.clock or "").startswith(clock)


@pytest.mark.slow
def test_streams_run_on_sessions_of_their_own(net: Path, tmp_path: Path) -> None:
    cell, load = measured(net, tmp_path, scenario="streams", streams=3)
    arrays = raw(tmp_path, cell)
    assert set(arrays["session"].tolist()) == {0, 1, 2}
    check_percentiles(load, arrays)
    (entry,) = load.rounds
    masks = [arrays["session"] == number for number in range(3)]
    start = max(arrays["sent_ns"][mask].min() for mask in masks)
    end = min(arrays["done_ns"][mask].max() for mask in masks)
    count = ((arrays["done_ns"] > start) & (arrays["done_ns"] <= end)).sum()
    assert value(load.throughput) == pytest.approx(count / (end - start) * 1e9)
    assert entry.requests == len(arrays["done_ns"])
    assert 0 < value(load.busy) <= 1
    assert isinstance(load.queueing.p50, Unavailable)
    assert "none waits" in load.queueing.p50.reason
    assert (load.rate, load.bound, load.holds) == (msgspec.UNSET, None, None)
    assert any("3 sessions at once" in text for text in remarks([cell]))


def test_energy_is_told_or_why_there_is_none(net: Path, tmp_path: Path) -> None:
    _, load = measured(net, tmp_path, scenario="streams", streams=1)
    if isinstance(load.energy, Unavailable):
        assert "energy counter" in load.energy.reason
    else:
        assert (load.energy.unit, load.energy.value > 0) == ("J", True)


@pytest.mark.slow
def test_arrivals_at_a_rate_are_the_seeded_ones(net: Path, tmp_path: Path) -> None:
    # So few a second that a busy machine keeps up with them, too.
    cell, load = measured(
        net,
        tmp_path,
        scenario="server",
        rate=40,
        load_seconds=2.0,
        latency_bound="10 s",
        percentile=90,
        arrival_seed=7,
    )
    arrays = raw(tmp_path, cell)
    np.testing.assert_array_equal(arrays["due_ns"], poisson_arrivals(40, 80, (7, 1)))
    check_percentiles(load, arrays)
    assert (value(load.rate), load.searched, load.bound, load.holds) == (40, False, 10.0, True)
    queued = arrays["sent_ns"] - arrays["due_ns"] - arrays["late_ns"]
    assert value(load.queueing.p50) == pytest.approx(percentile_of(queued, 50) * 1e-9)
    assert isinstance(load.latency.p99, Unavailable), "80 requests are too few for p99"
    assert "too short for p99" in load.latency.p99.reason


@pytest.mark.slow
def test_the_highest_rate_within_a_bound_is_found_in_each_round(net: Path, tmp_path: Path) -> None:
    cell, load = measured(net, tmp_path, scenario="server", latency_bound="200 ms", percentile=90, rounds=2)
    assert [entry.number for entry in load.rounds] == [1, 2]
    for entry in load.rounds:
        best = next(trial for trial in entry.trials if trial.rate == entry.rate)
        failed = [trial.rate for trial in entry.trials if not trial.holds]
        assert best.holds
        assert best.tail is not None
        assert best.tail <= 0.2
        assert failed, "some rate is too high for any device"
        assert best.rate < min(failed)
        assert entry.latency.p90 == pytest.approx(best.tail)
    rates = [entry.rate for entry in load.rounds if entry.rate is not None]
    assert value(load.rate) == pytest.approx(np.median(rates))
    assert isinstance(load.rate, Measurement)
    assert load.rate.low is not None
    assert load.rate.low <= min(rates)
    report = build_report([tmp_path])
    (variant,) = report.variants
    names = {figure.name for figure in variant.stages}
    assert {"highest rate within the bound, requests", "latency under load, p90", "queueing under load, p50"} <= names
    facts = {fact.label: fact.value for fact in variant.measurement}
    assert "Poisson arrivals" in facts["scenario"]
    assert "held" in facts["latency bound"]
    assert "host perf_counter_ns" in facts["clock under load"]
    assert cell.rounds[1].number == 2
    assert len(raw(tmp_path, cell, 2)["due_ns"]) == load.rounds[1].requests


@pytest.mark.slow
def test_a_rate_beyond_the_sessions_is_said_to_be_that(net: Path, tmp_path: Path) -> None:
    # 100,000 requests, of which those still waiting after 0.5 s are given up: no session answers one in 5 us.
    cell, load = measured(
        net, tmp_path, scenario="server", rate=1e6, latency_bound="100 ms", percentile=50, load_seconds=0.1
    )
    assert load.holds is False
    (trial,) = load.rounds[0].trials
    assert not trial.kept_up
    assert any("did not keep up" in text for text in cell.warnings)
    assert value(load.throughput) < 1e6
    assert trial.answered < trial.requests
    for quantity in (load.latency.p50, load.queueing.p50):
        assert isinstance(quantity, Unavailable)
        assert f"{trial.requests - trial.answered:,} of {trial.requests:,} requests were given up" in quantity.reason
    assert isinstance(load.inference.p50, Measurement)


def test_a_bound_below_one_request_alone_is_refused(net: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgerigError, match="one request alone takes"):
        edgerig.run(rig(net, scenario="server", latency_bound="1 us"), out=tmp_path)


class StopsIn(Progress):
    """Ctrl-C in a task of that name."""

    def __init__(self, name: str, after: int) -> None:
        self.name, self.left = name, after

    def task(self, name: str, total: int | None = None) -> Any:
        if self.name in name:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return super().task(name, total)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_at_its_round(net: Path, tmp_path: Path) -> None:
    given = rig(net, scenario="streams", streams=2, rounds=3)
    with pytest.raises(Interrupted):
        edgerig.run(given, out=tmp_path, progress=StopsIn("under load", 2))
    (before,), _ = Bundle(tmp_path).read_cells(Bundle(tmp_path).header().cells)
    assert before.under_load
    assert [entry.number for entry in before.under_load.rounds] == [1, 2]
    (cell,) = edgerig.run(given, out=tmp_path, resume=True).cells
    assert cell.under_load
    assert [entry.number for entry in cell.under_load.rounds] == [1, 2, 3]
    assert cell.under_load.rounds[:2] == before.under_load.rounds


@contextlib.contextmanager
def agent(listen: str, *options: str) -> Iterator[str]:
    """``edgerig agent`` in a process of its own; its address."""
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", listen, *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_streams_of_an_agent_are_sessions_at_once(net: Path, tmp_path: Path, scheme: str) -> None:
    listen = "127.0.0.1:0" if scheme == "tcp" else f"unix://{tmp_path}/agent.sock"
    with agent(listen) as address:
        result = edgerig.run(rig(net, address, scenario="streams", streams=3, rounds=2), out=tmp_path / "out")
    (cell,) = result.cells
    load = cell.under_load
    assert load
    assert isinstance(cell.latency.steady, Measurement), "then one by one, as ever"
    for entry in load.rounds:
        arrays = raw(tmp_path / "out", cell, entry.number)
        assert set(arrays["session"].tolist()) == {0, 1, 2}
        masks = [arrays["session"] == number for number in range(3)]
        begin = max(arrays["sent_ns"][mask].min() for mask in masks)
        end = min(arrays["done_ns"][mask].max() for mask in masks)
        assert begin < end, "there is a time in which all three were at work"
        inside = (arrays["done_ns"] > begin) & (arrays["done_ns"] <= end)
        assert entry.throughput == pytest.approx(inside.sum() / (end - begin) * 1e9)
    assert isinstance(load.throughput, Measurement)
    assert load.throughput.low is not None


@pytest.mark.slow
def test_several_sessions_answer_arrivals_at_an_agent_and_too_many_are_refused_at_once(
    net: Path, tmp_path: Path
) -> None:
    measure = {"scenario": "server", "rate": 200, "streams": 2}
    with agent("127.0.0.1:0", "--streams", "2") as address:
        (cell,) = edgerig.run(rig(net, address, **measure), out=tmp_path / "out").cells
        assert set(raw(tmp_path / "out", cell)["session"].tolist()) == {0, 1}
        with pytest.raises(IncompatibleError, match="serves 2 sessions of a run at once, and 3 were asked for"):
            edgerig.run(rig(net, address, **{**measure, "streams": 3}), out=tmp_path / "refused")
    assert not (tmp_path / "refused" / "cells").exists()


@pytest.mark.parametrize(
    ("target", "runtime", "measure", "words"),
    [
        ("serial:///dev/null", "litert", {"scenario": "streams", "streams": 2}, "only 1 stream is possible"),
        ("sim:stm32f746", "tflm", {"scenario": "server", "rate": 5.0}, "emulated"),
    ],
)
def test_what_a_device_cannot_do_is_refused_before_it_is_asked(
    target: str, runtime: str, measure: dict[str, Any], words: str, net: Path, tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match=words):
        edgerig.run(rig(net, target, runtime, **measure), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ({"scenario": "streams"}, "say how many, such as streams: 4"),
        ({"scenario": "streams", "streams": 0}, "streams"),
        ({"scenario": "streams", "streams": 1000}, "streams"),
        ({"scenario": "streams", "streams": 2, "rate": 5}, "of the scenario server"),
        ({"scenario": "server"}, "needs a rate"),
        ({"scenario": "server", "rate": 0}, "not above 0"),
        ({"scenario": "server", "rate": -1}, "not above 0"),
        ({"scenario": "server", "latency_bound": "0 ms"}, "not above 0"),
        ({"scenario": "server", "latency_bound": "soon"}, "no time, such as 50 ms"),
        ({"scenario": "server", "latency_bound": "50 ms", "percentile": 100}, "percentile"),
        ({"scenario": "server", "latency_bound": "50 ms", "batch": 2}, "batch"),
        ({"streams": 2}, "this one is single-stream"),
        ({"latency_bound": "5 ms"}, "this one is single-stream"),
    ],
)
def test_settings_that_cannot_be_are_refused(measure: dict[str, Any], words: str, net: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=words):
        edgerig.run(rig(net, **measure), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
